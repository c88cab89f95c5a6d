//! The 16550 serial port: a queue of output, drained as the line takes it.
//!
//! Owns one UART and the bytes that wait for it. Until [`start`], and for good after [`crash`],
//! output is synchronous: it waits for the transmitter, a bounded time, so a missing UART cannot
//! stop the boot. In between, bytes that the transmitter has no room for wait in the queue, and
//! its interrupt or a poll sends them on ([`pump`]). Lock: the queue's, a leaf; callers
//! serialise whole lines by the console's.
//!
//! Why unsafe: a crash takes the lock from whoever had it.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

use arrayvec::ArrayString;

use super::cpu::CONSOLE_VECTOR;
use super::io::{inb, outb};
use super::ioapic::{self, RouteEntry};
use super::{apic, start};
use crate::settings::SerialConfig;
use crate::txqueue::TxQueue;

static PORT: AtomicU16 = AtomicU16::new(0);
/// ISA interrupt, 0 for none.
static IRQ: AtomicU8 = AtomicU8::new(0);
static PRESENT: AtomicBool = AtomicBool::new(false);
/// Bytes that the transmitter takes when it is empty.
static DEPTH: AtomicU32 = AtomicU32::new(1);
/// The interrupt enable register, as it was written last.
static ENABLED: AtomicU8 = AtomicU8::new(0);
/// Interrupts are wanted; otherwise the port is polled.
static INTERRUPTS: AtomicBool = AtomicBool::new(false);
/// Output goes through the queue.
static QUEUED: AtomicBool = AtomicBool::new(false);
static QUEUE: spin::Mutex<TxQueue> = spin::Mutex::new(TxQueue::new());

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
/// Written: FIFO control; read: what interrupts.
const FIFO: u16 = 2;
const LINE: u16 = 3;
const MODEM: u16 = 4;
const STATUS: u16 = 5;
const SCRATCH: u16 = 7;

const ON_RECEIVE: u8 = 1;
const ON_TRANSMIT: u8 = 2;
const RECEIVED: u8 = 1;
const TRANSMITTER_EMPTY: u8 = 0x20;
/// Times that one [`pump`] fills the transmitter at most.
const FILLS: u32 = 16;

/// Sets the port up and makes it the one that [`write`] and [`read`] use. False where no UART
/// answers; output is then dropped.
pub fn init(config: &SerialConfig) -> bool {
    let base = config.port;
    outb(base + SCRATCH, 0x5a);
    let present = inb(base + SCRATCH) == 0x5a || inb(base + STATUS) != 0xff;
    if present {
        outb(base + INTERRUPT_ENABLE, 0);
        if let Some(divisor) = config.base_baud.checked_div(config.baud) {
            let divisor = divisor.clamp(1, 0xffff);
            outb(base + LINE, config.line | 0x80);
            outb(base + DATA, divisor as u8);
            outb(base + INTERRUPT_ENABLE, (divisor >> 8) as u8);
        }
        outb(base + LINE, config.line & 0x7f);
        outb(base + FIFO, 0x07);
        // Both upper bits mean that the FIFOs work.
        let depth = if inb(base + FIFO) >> 6 == 3 { 16 } else { 1 };
        DEPTH.store(depth, Relaxed);
        // DTR, RTS, and OUT2, which lets the interrupt through.
        outb(base + MODEM, 0x0b);
    }
    PORT.store(base, Relaxed);
    IRQ.store(config.irq, Relaxed);
    PRESENT.store(present, Relaxed);
    present
}

fn base() -> u16 {
    PORT.load(Relaxed)
}

/// Writes one byte, waiting while the transmitter is full.
fn write_byte(byte: u8) {
    if !PRESENT.load(Relaxed) {
        return;
    }
    // At 1200 baud a byte takes 8 ms; a port access is never faster than some 10 ns.
    for _ in 0..1_000_000 {
        if inb(base() + STATUS) & TRANSMITTER_EMPTY != 0 {
            outb(base() + DATA, byte);
            return;
        }
    }
    // A dead line: do not wait for it again.
    PRESENT.store(false, Relaxed);
}

/// Writes bytes; a newline becomes CR LF. When the queue is full its oldest bytes are waited
/// for; see [`room`].
pub fn write(bytes: &[u8]) {
    let lines = |byte: &u8| (*byte == b'\n').then_some(b'\r').into_iter().chain([*byte]);
    if !QUEUED.load(Relaxed) {
        return bytes.iter().flat_map(lines).for_each(write_byte);
    }
    let mut queue = QUEUE.lock();
    for byte in bytes.iter().flat_map(lines) {
        if queue.room() == 0
            && let Some(oldest) = queue.pop()
        {
            write_byte(oldest);
        }
        queue.push(byte);
    }
    drain(&mut queue);
}

/// Bytes that [`write`] takes without waiting.
pub fn room() -> usize {
    if !QUEUED.load(Relaxed) {
        return usize::MAX;
    }
    // Each may be a newline. Who holds the lock is about to make room, or to use it up.
    QUEUE.try_lock().map_or(0, |queue| queue.room() / 2)
}

/// Sends what the transmitter has room for; whether bytes still wait.
pub fn pump() -> bool {
    QUEUED.load(Relaxed) && QUEUE.try_lock().is_none_or(|mut queue| drain(&mut queue))
}

fn drain(queue: &mut TxQueue) -> bool {
    if !PRESENT.load(Relaxed) {
        while queue.pop().is_some() {}
    }
    for _ in 0..FILLS {
        if queue.is_empty() || inb(base() + STATUS) & TRANSMITTER_EMPTY == 0 {
            break;
        }
        for byte in (0..DEPTH.load(Relaxed)).map_while(|_| queue.pop()) {
            outb(base() + DATA, byte);
        }
    }
    let mut on = ENABLED.load(Relaxed) & !ON_TRANSMIT;
    if !queue.is_empty() && INTERRUPTS.load(Relaxed) {
        on |= ON_TRANSMIT;
    }
    enable(on);
    !queue.is_empty()
}

fn enable(interrupts: u8) {
    if ENABLED.swap(interrupts, Relaxed) != interrupts && PRESENT.load(Relaxed) {
        outb(base() + INTERRUPT_ENABLE, interrupts);
    }
}

/// From now on output is queued, unless `synchronous`.
pub fn start(synchronous: bool) {
    QUEUED.store(!synchronous && PRESENT.load(Relaxed), Relaxed);
}

/// Waits until what was written has left, a bounded time.
pub fn flush() {
    if QUEUED.load(Relaxed) {
        let mut queue = QUEUE.lock();
        while let Some(byte) = queue.pop() {
            write_byte(byte);
        }
    }
}

/// The hypervisor failed, and no other CPU runs: what waits is sent, and all that follows is
/// synchronous.
pub(super) fn crash() {
    if QUEUE.is_locked() {
        // SAFETY: the holder was stopped, or is this CPU, which does not go back. What it left
        // half done cannot lead outside of the queue.
        unsafe { QUEUE.force_unlock() };
    }
    flush();
    QUEUED.store(false, Relaxed);
}

/// The first of the eight I/O ports in use; `None` where no UART answers.
pub fn port() -> Option<u16> {
    (base() != 0 && PRESENT.load(Relaxed)).then(base)
}

/// A received byte, if there is one.
pub fn read() -> Option<u8> {
    if !PRESENT.load(Relaxed) {
        return None;
    }
    (inb(base() + STATUS) & RECEIVED != 0).then(|| inb(base() + DATA))
}

/// Whether the port still asks for an interrupt: until it does not, there comes no other one.
pub fn pending() -> bool {
    INTERRUPTS.load(Relaxed) && PRESENT.load(Relaxed) && inb(base() + FIFO) & 1 == 0
}

/// Lets received bytes, and room for more to send, raise [`CONSOLE_VECTOR`] on the boot CPU, or
/// stops that. `false` when the port has no interrupt; it has to be polled then.
pub fn set_interrupts(on: bool) -> bool {
    let irq = IRQ.load(Relaxed);
    if !PRESENT.load(Relaxed) || irq == 0 {
        return false;
    }
    let (Some(platform), Some(boot_cpu)) = (start::platform(), apic::id_of(0)) else {
        return false;
    };
    let (gsi, flags) = platform.isa_gsi(irq);
    let entry = RouteEntry {
        vector: CONSOLE_VECTOR,
        destination: boot_cpu as u8,
        // 3 is "low" and "level"; everything else is as ISA has it.
        level: flags >> 2 & 3 == 3,
        active_low: flags & 3 == 3,
        masked: !on,
        mode: 0,
    };
    let routed = ioapic::write_entry(gsi, entry) && on;
    INTERRUPTS.store(routed, Relaxed);
    enable(if routed { ON_RECEIVE } else { 0 });
    routed == on
}

/// Text that the boot code wrote before the policy had a log.
static EARLY: spin::Mutex<ArrayString<EARLY_SIZE>> = spin::Mutex::new(ArrayString::new_const());
const EARLY_SIZE: usize = 16 << 10;

/// Writes a line of the boot code, and keeps it for [`early_log`].
pub fn early_line(args: core::fmt::Arguments<'_>) {
    let _ = core::fmt::Write::write_fmt(&mut Serial, format_args!("(XEN) {args}\n"));
    // What does not fit was printed, and is not kept.
    let _ = core::fmt::Write::write_fmt(&mut *EARLY.lock(), format_args!("(XEN) {args}\n"));
}

/// Hands over what the boot code logged, whole lines, once; for the policy's log.
pub fn early_log(keep: &mut dyn FnMut(&str)) {
    let mut early = EARLY.lock();
    keep(&early);
    early.clear();
}

/// The port as a text sink, for messages before there is a console and in a crash.
pub struct Serial;

impl core::fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}
