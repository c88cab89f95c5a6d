//! Segment, debug and model-specific registers of the running CPU.
//!
//! Why unsafe: they are instructions. No state of its own.

use core::arch::asm;

/// DS, ES, FS or GS, counted from 0.
pub fn read_selector(which: usize) -> u16 {
    let sel: u16;
    // SAFETY: reads a segment register.
    unsafe {
        match which {
            0 => asm!("mov {0:x}, ds", out(reg) sel, options(nomem, nostack, preserves_flags)),
            1 => asm!("mov {0:x}, es", out(reg) sel, options(nomem, nostack, preserves_flags)),
            2 => asm!("mov {0:x}, fs", out(reg) sel, options(nomem, nostack, preserves_flags)),
            _ => asm!("mov {0:x}, gs", out(reg) sel, options(nomem, nostack, preserves_flags)),
        }
    }
    sel
}

/// Loads a data segment register; a selector that faults is replaced by null.
macro_rules! load_selector {
    ($name:literal, $sel:expr) => {
        // SAFETY: the host uses no data segment; a bad selector faults and null is loaded.
        unsafe {
            asm!(
                concat!("2: mov ", $name, ", {s:x}"),
                "jmp 4f",
                "3: xor {s:e}, {s:e}",
                concat!("mov ", $name, ", {s:x}"),
                "4:",
                ".pushsection .ex_table, \"a\"",
                ".balign 8",
                ".quad 2b, 3b",
                ".popsection",
                s = inout(reg) $sel as u64 => _, options(nostack));
        }
    };
}
pub(super) use load_selector;

/// Writes a debug register.
pub fn write_dr(index: usize, value: u64) {
    // SAFETY: the policy lets no breakpoint into the hypervisor's addresses.
    unsafe {
        match index {
            0 => asm!("mov dr0, {}", in(reg) value, options(nomem, nostack)),
            1 => asm!("mov dr1, {}", in(reg) value, options(nomem, nostack)),
            2 => asm!("mov dr2, {}", in(reg) value, options(nomem, nostack)),
            3 => asm!("mov dr3, {}", in(reg) value, options(nomem, nostack)),
            6 => asm!("mov dr6, {}", in(reg) value & 0xffff_ffff, options(nomem, nostack)),
            7 => asm!("mov dr7, {}", in(reg) value & 0xffff_ffff, options(nomem, nostack)),
            _ => {}
        }
    }
}

/// Reads a debug register.
pub fn read_dr(index: usize) -> u64 {
    let value;
    // SAFETY: reads a register.
    unsafe {
        match index {
            0 => asm!("mov {}, dr0", out(reg) value, options(nomem, nostack)),
            1 => asm!("mov {}, dr1", out(reg) value, options(nomem, nostack)),
            2 => asm!("mov {}, dr2", out(reg) value, options(nomem, nostack)),
            3 => asm!("mov {}, dr3", out(reg) value, options(nomem, nostack)),
            6 => asm!("mov {}, dr6", out(reg) value, options(nomem, nostack)),
            _ => asm!("mov {}, dr7", out(reg) value, options(nomem, nostack)),
        }
    }
    value
}

/// Reads a model-specific register; `None` when there is none.
pub fn rdmsr(msr: u32) -> Option<u64> {
    let (lo, hi, ok): (u32, u32, u32);
    // SAFETY: a register that is not there faults and is caught.
    unsafe {
        asm!(
            "2: rdmsr",
            "mov {ok:e}, 1",
            "jmp 4f",
            "3: xor {ok:e}, {ok:e}",
            "4:",
            ".pushsection .ex_table, \"a\"",
            ".balign 8",
            ".quad 2b, 3b",
            ".popsection",
            ok = out(reg) ok, in("ecx") msr, out("eax") lo, out("edx") hi, options(nostack));
    }
    (ok != 0).then_some((hi as u64) << 32 | lo as u64)
}

/// Writes a model-specific register; `false` when the processor refuses.
pub fn wrmsr(msr: u32, value: u64) -> bool {
    let ok: u32;
    // SAFETY: a refused write faults and is caught; which registers may be written at all
    // is the policy's promise (none that changes how the host runs).
    unsafe {
        asm!(
            "2: wrmsr",
            "mov {ok:e}, 1",
            "jmp 4f",
            "3: xor {ok:e}, {ok:e}",
            "4:",
            ".pushsection .ex_table, \"a\"",
            ".balign 8",
            ".quad 2b, 3b",
            ".popsection",
            ok = out(reg) ok, in("ecx") msr, in("eax") value as u32,
            in("edx") (value >> 32) as u32, options(nostack));
    }
    ok != 0
}
