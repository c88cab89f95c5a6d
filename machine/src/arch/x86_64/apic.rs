//! The local APIC: IPIs, the CPU's timer, end of interrupt.
//!
//! Why unsafe: WRMSR. Each CPU touches only its own APIC, with interrupts off, so there is no
//! lock. The mode (x2APIC or MMIO) and the timer's scale are set once by the boot CPU.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::cpu::{ERROR_VECTOR, SPURIOUS_VECTOR, TIMER_VECTOR};
use super::io::{self, msr};
use super::mmio::Mmio;
use super::{clock, features};
use crate::cpumask::MAX_CPUS;
use crate::platform::Platform;
use crate::settings::Settings;

const ID: u32 = 0x20;
const VERSION: u32 = 0x30;
const TPR: u32 = 0x80;
const EOI: u32 = 0xb0;
const LDR: u32 = 0xd0;
const SPURIOUS: u32 = 0xf0;
const ERROR: u32 = 0x280;
const COMMAND: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_THERMAL: u32 = 0x330;
const LVT_COUNTER: u32 = 0x340;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const TIMER_INITIAL: u32 = 0x380;
const TIMER_CURRENT: u32 = 0x390;
const TIMER_DIVIDE: u32 = 0x3e0;

const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
const DEADLINE_MODE: u32 = 2 << 17;

static X2APIC: AtomicBool = AtomicBool::new(false);
static DEADLINE: AtomicBool = AtomicBool::new(false);
/// The MMIO window's virtual address.
static BASE: AtomicU64 = AtomicU64::new(0);
/// Timer ticks a nanosecond, with 32 fractional bits.
static TICKS: AtomicU64 = AtomicU64::new(1 << 32);
/// APIC id of each CPU.
static IDS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(u32::MAX) }; MAX_CPUS];

fn read(register: u32) -> u32 {
    if X2APIC.load(Relaxed) {
        return io::rdmsr(msr::X2APIC + (register >> 4)) as u32;
    }
    let base = BASE.load(Relaxed);
    // SAFETY: the window is mapped before this module is used, and registers lie inside it.
    unsafe { ((base + u64::from(register)) as *const u32).read_volatile() }
}

#[inline]
fn write(register: u32, value: u32) {
    if X2APIC.load(Relaxed) {
        // SAFETY: this module writes values that the register takes; none affects memory.
        unsafe { io::wrmsr(msr::X2APIC + (register >> 4), u64::from(value)) };
        return;
    }
    let base = BASE.load(Relaxed);
    // SAFETY: as in `read`.
    unsafe { ((base + u64::from(register)) as *mut u32).write_volatile(value) };
}

/// Chooses the mode. `None` when the registers cannot be mapped. Boot CPU, once.
pub fn init_boot(platform: &Platform, settings: &Settings) -> Option<()> {
    let f = features::get();
    let on = io::rdmsr(msr::APIC_BASE) & 1 << 10 != 0;
    let large = platform.cpus.iter().any(|c| c.apic_id > 254);
    // Without a reason xAPIC is kept: some firmware turns x2APIC off knowing why.
    let chosen = settings.x2apic.unwrap_or(f.hypervisor);
    X2APIC.store(f.x2apic && (on || large || chosen), Relaxed);
    DEADLINE.store(f.tsc_deadline, Relaxed);
    if !X2APIC.load(Relaxed) {
        let from_msr = io::rdmsr(msr::APIC_BASE) & 0x000f_ffff_ffff_f000;
        BASE.store(Mmio::map(from_msr, 4096)?.va(), Relaxed);
    }
    Some(())
}

/// Whether x2APIC is in use.
pub fn is_x2apic() -> bool {
    X2APIC.load(Relaxed)
}

/// Whether the timer takes TSC deadlines.
pub fn has_deadline() -> bool {
    DEADLINE.load(Relaxed)
}

/// Sets the running CPU's APIC up; `nmi_lint` is the pin that brings NMIs.
pub fn init_cpu(nmi_lint: Option<u8>) {
    let mut base = io::rdmsr(msr::APIC_BASE) | 1 << 11;
    // SAFETY: turns the APIC on, and then x2APIC where it was chosen; MMIO stays where it was.
    unsafe {
        io::wrmsr(msr::APIC_BASE, base);
        if X2APIC.load(Relaxed) {
            base |= 1 << 10;
            io::wrmsr(msr::APIC_BASE, base);
        }
    }
    write(SPURIOUS, u32::from(SPURIOUS_VECTOR) | 1 << 8);
    write(TPR, 0);
    if !X2APIC.load(Relaxed) {
        write(LDR, 0);
    }
    let lint = |pin| {
        if nmi_lint == Some(pin) {
            DELIVER_NMI
        } else {
            MASKED
        }
    };
    write(LVT_LINT0, lint(0));
    write(LVT_LINT1, lint(1));
    let last_lvt = read(VERSION) >> 16 & 0xff;
    for (index, register) in [(4, LVT_COUNTER), (5, LVT_THERMAL)] {
        if last_lvt >= index {
            write(register, MASKED);
        }
    }
    write(ERROR, 0);
    write(LVT_ERROR, u32::from(ERROR_VECTOR));
    // What an earlier kernel left in service would block everything below it.
    for _ in 0..256 {
        if !(0..8).any(|i| read(0x100 + 0x10 * i) != 0) {
            break;
        }
        write(EOI, 0);
    }
    write(TIMER_DIVIDE, 0xb);
    let mode = if DEADLINE.load(Relaxed) {
        DEADLINE_MODE
    } else {
        0
    };
    write(LVT_TIMER, u32::from(TIMER_VECTOR) | mode);
}

/// Measures the timer against the TSC. Boot CPU, after the clock runs. Returns kHz, or 0 when
/// deadlines make it unnecessary.
pub fn calibrate() -> u64 {
    if DEADLINE.load(Relaxed) {
        return 0;
    }
    write(LVT_TIMER, u32::from(TIMER_VECTOR) | MASKED);
    write(TIMER_INITIAL, u32::MAX);
    let start = (clock::now(), read(TIMER_CURRENT));
    clock::delay(5_000_000);
    let end = (clock::now(), read(TIMER_CURRENT));
    write(TIMER_INITIAL, 0);
    write(LVT_TIMER, u32::from(TIMER_VECTOR));
    let ticks = u64::from(start.1.wrapping_sub(end.1));
    let nanos = end.0.saturating_sub(start.0).max(1);
    TICKS.store(
        ((u128::from(ticks) << 32) / u128::from(nanos)).max(1) as u64,
        Relaxed,
    );
    ticks.saturating_mul(1_000_000) / nanos
}

/// The running CPU's APIC id.
pub fn id() -> u32 {
    if X2APIC.load(Relaxed) {
        read(ID)
    } else {
        read(ID) >> 24
    }
}

/// Notes the APIC id of a CPU, so that IPIs find it.
pub fn set_id(cpu: u32, id: u32) {
    if let Some(slot) = IDS.get(cpu as usize) {
        slot.store(id, Relaxed);
    }
}

/// The APIC id of a CPU that was started.
pub fn id_of(cpu: u32) -> Option<u32> {
    IDS.get(cpu as usize)
        .map(|id| id.load(Relaxed))
        .filter(|id| *id != u32::MAX)
}

/// Ends the interrupt in service.
#[inline]
pub fn eoi() {
    write(EOI, 0);
}

/// Sends a fixed interrupt to a CPU; one that is not there gets none.
pub fn send_ipi(cpu: u32, vector: u8) {
    if let Some(id) = id_of(cpu) {
        command(id, u32::from(vector) | 1 << 14);
    }
}

/// Sends an NMI to a CPU.
pub fn send_nmi(cpu: u32) {
    if let Some(id) = id_of(cpu) {
        command(id, DELIVER_NMI | 1 << 14);
    }
}

/// Writes the interrupt command register.
pub fn command(id: u32, low: u32) {
    if X2APIC.load(Relaxed) {
        // The write is not ordered after earlier stores by itself.
        // SAFETY: fences; an interrupt command does not affect this CPU's memory.
        unsafe {
            core::arch::asm!("mfence", "lfence", options(nostack, preserves_flags));
            io::wrmsr(
                msr::X2APIC + (COMMAND >> 4),
                u64::from(id) << 32 | u64::from(low),
            );
        }
        return;
    }
    wait_idle();
    write(COMMAND_HIGH, id << 24);
    write(COMMAND, low);
}

/// Waits until the last command was taken, a bounded time.
fn wait_idle() {
    for _ in 0..100_000 {
        if read(COMMAND) & 1 << 12 == 0 {
            return;
        }
        core::hint::spin_loop();
    }
}

/// Arms the running CPU's timer for `deadline` in nanoseconds since boot (a past one fires at
/// once), or disarms it. A far deadline may fire early.
pub fn set_timer(deadline: Option<u64>) {
    if DEADLINE.load(Relaxed) {
        let tsc = deadline.map_or(0, |ns| clock::tsc_at(ns).max(1));
        // SAFETY: raises this module's interrupt at a time.
        unsafe { io::wrmsr(msr::TSC_DEADLINE, tsc) };
        return;
    }
    let ticks = deadline.map_or(0, |ns| {
        let left = u128::from(ns.saturating_sub(clock::now()));
        let ticks = ((left * u128::from(TICKS.load(Relaxed))) >> 32) + 1;
        u32::try_from(ticks).unwrap_or(u32::MAX)
    });
    write(TIMER_INITIAL, ticks);
}
