//! The 16550 serial port: polled output, polled or interrupt-driven input.
//!
//! Owns one UART (COM1 unless configured). Output is a byte at a time and waits for the
//! transmitter a bounded time, so a missing UART cannot stop the boot. The port's registers
//! are its only state: callers serialise whole lines with the console's lock; a crash may
//! write without it.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};

use arrayvec::ArrayString;

use super::cpu::CONSOLE_VECTOR;
use super::io::{inb, outb};
use super::ioapic::{self, RouteEntry};
use super::{apic, start};

/// How a serial port is set up, as `com1=` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// First I/O port.
    pub port: u16,
    /// Bits a second; 0 keeps what the firmware set.
    pub baud: u32,
    /// Line control register: word length, parity, stop bits.
    pub line: u8,
    /// ISA interrupt; 0 for polling.
    pub irq: u8,
}

/// COM1 at 115200 8n1.
pub const COM1: SerialConfig = SerialConfig {
    port: 0x3f8,
    baud: 115_200,
    line: 3,
    irq: 4,
};

static PORT: AtomicU16 = AtomicU16::new(0);
/// ISA interrupt, 0 for none.
static IRQ: AtomicU8 = AtomicU8::new(0);
static PRESENT: AtomicBool = AtomicBool::new(false);

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO: u16 = 2;
const LINE: u16 = 3;
const MODEM: u16 = 4;
const STATUS: u16 = 5;
const SCRATCH: u16 = 7;

/// Sets the port up and makes it the one that [`write`] and [`read`] use. False where no UART
/// answers; output is then dropped.
pub fn init(config: &SerialConfig) -> bool {
    let base = config.port;
    outb(base + SCRATCH, 0x5a);
    let present = inb(base + SCRATCH) == 0x5a || inb(base + STATUS) != 0xff;
    if present {
        outb(base + INTERRUPT_ENABLE, 0);
        if let Some(divisor) = 115_200u32.checked_div(config.baud) {
            let divisor = divisor.clamp(1, 0xffff);
            outb(base + LINE, config.line | 0x80);
            outb(base + DATA, divisor as u8);
            outb(base + INTERRUPT_ENABLE, (divisor >> 8) as u8);
        }
        outb(base + LINE, config.line & 0x7f);
        outb(base + FIFO, 0x07);
        // DTR, RTS, and OUT2, which lets the interrupt through.
        outb(base + MODEM, 0x0b);
    }
    PORT.store(base, Ordering::Relaxed);
    IRQ.store(config.irq, Ordering::Relaxed);
    PRESENT.store(present, Ordering::Relaxed);
    present
}

/// Writes one byte, waiting while the transmitter is full.
pub fn write_byte(byte: u8) {
    if !PRESENT.load(Ordering::Relaxed) {
        return;
    }
    let base = PORT.load(Ordering::Relaxed);
    // At 1200 baud a byte takes 8 ms; a port access is never faster than some 10 ns.
    for _ in 0..1_000_000 {
        if inb(base + STATUS) & 0x20 != 0 {
            outb(base + DATA, byte);
            return;
        }
    }
    // A dead line: do not wait for it again.
    PRESENT.store(false, Ordering::Relaxed);
}

/// Writes bytes; a newline becomes CR LF.
pub fn write(bytes: &[u8]) {
    for &byte in bytes {
        if byte == b'\n' {
            write_byte(b'\r');
        }
        write_byte(byte);
    }
}

/// Writes formatted text.
pub fn write_fmt(args: core::fmt::Arguments<'_>) {
    let _ = core::fmt::Write::write_fmt(&mut Serial, args);
}

/// The first of the eight I/O ports in use; `None` where no UART answers.
pub fn port() -> Option<u16> {
    let base = PORT.load(Ordering::Relaxed);
    (base != 0 && PRESENT.load(Ordering::Relaxed)).then_some(base)
}

/// A received byte, if there is one.
pub fn read() -> Option<u8> {
    if !PRESENT.load(Ordering::Relaxed) {
        return None;
    }
    let base = PORT.load(Ordering::Relaxed);
    (inb(base + STATUS) & 1 != 0).then(|| inb(base + DATA))
}

/// Lets received bytes raise [`CONSOLE_VECTOR`] on the boot CPU, or stops that. `false` when
/// the port has no interrupt; it has to be polled then.
pub fn set_receive_interrupt(on: bool) -> bool {
    let irq = IRQ.load(Ordering::Relaxed);
    if !PRESENT.load(Ordering::Relaxed) || irq == 0 {
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
    let routed = ioapic::write_entry(gsi, entry);
    outb(
        PORT.load(Ordering::Relaxed) + INTERRUPT_ENABLE,
        u8::from(on && routed),
    );
    routed
}

/// Text that the boot code wrote before the policy had a log.
static EARLY: spin::Mutex<ArrayString<EARLY_SIZE>> = spin::Mutex::new(ArrayString::new_const());
const EARLY_SIZE: usize = 16 << 10;

/// Writes a line of the boot code, and keeps it for [`early_log`].
pub fn early_line(args: core::fmt::Arguments<'_>) {
    write_fmt(format_args!("(XEN) {args}\n"));
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
