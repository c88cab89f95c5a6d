//! What is printed when the hypervisor itself fails, and what is done then.
//!
//! Why unsafe: follows frame pointers. Takes no lock that others may hold: the first CPU to
//! fail writes, later ones stop.

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use super::layout::*;
use super::serial::{self, Serial};
use super::{apic, area, io, memory, power, smp, symbols};
use crate::regs::GuestRegs;

static FAILING: AtomicBool = AtomicBool::new(false);
static REBOOT: AtomicBool = AtomicBool::new(false);

/// Whether a failure reboots the machine; otherwise it halts.
pub fn set_reboot(on: bool) {
    REBOOT.store(on, Ordering::Relaxed);
}

macro_rules! say {
    ($($arg:tt)*) => {{ let _ = writeln!(Serial, "(XEN) {}", format_args!($($arg)*)); }};
}

/// Lets one CPU go on, once.
fn begin() {
    if FAILING.swap(true, Ordering::AcqRel) {
        io::halt_forever();
    }
    let cpu = area::current().map_or(0, |a| a.cpu);
    // INIT stops the others where they are, whatever they are doing.
    for id in (0..smp::online())
        .filter(|other| *other != cpu)
        .filter_map(apic::id_of)
    {
        apic::command(id, 0x4500);
    }
    serial::crash();
    let _ = writeln!(Serial);
    say!(
        "*** Xenios {} failed on CPU {cpu} ***",
        env!("CARGO_PKG_VERSION")
    );
}

fn end() -> ! {
    if REBOOT.load(Ordering::Relaxed) {
        say!("Rebooting in 5 seconds");
        super::clock::delay(5_000_000_000);
        power::reboot();
    }
    say!("Halted. Reset the machine by hand.");
    io::halt_forever()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    begin();
    say!("{info}");
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack)) };
    backtrace(rbp);
    end()
}

/// A fault of the hypervisor itself.
pub fn trap(r: &GuestRegs) -> ! {
    begin();
    say!(
        "{} (vector {}, error {:04x}) in the hypervisor",
        name(r.vector),
        r.vector,
        r.error
    );
    say!("rip {:016x} {}", r.rip, symbols::find(r.rip));
    say!(
        "cs {:04x} rflags {:016x} ss {:04x} rsp {:016x}",
        r.cs,
        r.rflags,
        r.ss,
        r.rsp
    );
    say!(
        "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}",
        r.rax,
        r.rbx,
        r.rcx,
        r.rdx
    );
    say!(
        "rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}",
        r.rsi,
        r.rdi,
        r.rbp,
        r.r8
    );
    say!(
        "r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}",
        r.r9,
        r.r10,
        r.r11,
        r.r12
    );
    say!("r13 {:016x} r14 {:016x} r15 {:016x}", r.r13, r.r14, r.r15);
    let (cr0, cr2, cr3, cr4) = (
        io::read_cr0(),
        io::read_cr2(),
        io::read_cr3(),
        io::read_cr4(),
    );
    say!("cr0 {cr0:016x} cr2 {cr2:016x} cr3 {cr3:016x} cr4 {cr4:016x}");
    if !memory::is_code(r.rip) {
        // A call to nowhere left its return address on the stack.
        if let Some(back) = stack_word(r.rsp) {
            say!("  called from {back:016x} {}", symbols::find(back));
        }
    }
    backtrace(r.rbp);
    end()
}

fn name(vector: u32) -> &'static str {
    match vector {
        0 => "Divide error",
        1 => "Debug",
        3 => "Breakpoint",
        6 => "Invalid opcode",
        8 => "Double fault",
        10 => "Invalid TSS",
        11 => "Segment not present",
        12 => "Stack fault",
        13 => "General protection",
        14 => "Page fault",
        16 | 19 => "Floating-point error",
        17 => "Alignment check",
        18 => "Machine check",
        _ => "Exception",
    }
}

/// A word of a host stack: the boot stack or an area's.
fn stack_word(at: u64) -> Option<u64> {
    if at & 7 != 0 {
        return None;
    }
    let areas = AREA_VA..MMIO_VA;
    let image = IMAGE_VA..IMAGE_VA + (1 << 30);
    if !areas.contains(&at) && !image.contains(&at) {
        return None;
    }
    super::paging::translate(at)?;
    // SAFETY: aligned and mapped by the host's tables, as found just now.
    Some(unsafe { (at as *const u64).read_volatile() })
}

/// Prints the return addresses that the frame pointers lead to.
fn backtrace(mut rbp: u64) {
    say!("Backtrace:");
    for _ in 0..32 {
        let (Some(next), Some(back)) = (stack_word(rbp), stack_word(rbp.wrapping_add(8))) else {
            break;
        };
        if !memory::is_code(back) {
            break;
        }
        say!("  {back:016x} {}", symbols::find(back));
        // Stacks grow down, so callers' frames lie higher.
        if next <= rbp {
            break;
        }
        rbp = next;
    }
}
