//! Carries out the measures against speculative execution that the policy chose.
//!
//! Why unsafe: writes control registers and has the entry code rewritten. State: what was
//! chosen, set once by the boot CPU before any guest runs; each CPU then sets its registers
//! when it is released.

mod code;
pub mod xpti;

pub use code::measures_offset;

use super::io;
use super::{cpu::Cpu, features};
use crate::measures::{Ibrs, Measures};
use core::arch::asm;
use spin::Once;

const SPEC_CTRL: u32 = 0x48;
const PRED_CMD: u32 = 0x49;
const EFER_AUTOMATIC_IBRS: u64 = 1 << 21;
const SPEC_CTRL_IBRS: u64 = 1;

static CHOSEN: Once<Measures> = Once::new();

/// What is done; nothing before [`apply`].
pub fn chosen() -> Measures {
    CHOSEN.get().copied().unwrap_or_default()
}

/// Makes the machine do `measures`, on the boot CPU at once and on the others when they are
/// released. Called once, before any guest runs. `false`, with XPTI left out, when memory for it
/// runs out.
pub fn apply(measures: &Measures, cpu: &mut Cpu, cpus: u32) -> bool {
    let mut measures = *measures;
    let enough = !measures.xpti() || xpti::create(cpus).is_some();
    if !enough {
        (measures.xpti_control, measures.xpti_others) = (false, false);
    }
    if CHOSEN.get().is_some() {
        return enough;
    }
    let measures = CHOSEN.call_once(|| measures);
    let guest = measures.spec_ctrl as u32;
    let plan = code::Plan {
        roots: measures.xpti(),
        spec_ctrl: (measures.ibrs == Ibrs::OnExit).then_some((guest | 1, guest)),
        rsb: measures.rsb_on_exit,
        verw: measures.verw,
    };
    // SAFETY: once, on the boot CPU, and the others sleep until they are released.
    unsafe {
        code::install(&plan);
        code::install_thunk(measures.thunk);
    }
    init_cpu(cpu);
    enough
}

/// Sets the running CPU's registers.
pub fn init_cpu(cpu: &mut Cpu) {
    let measures = chosen();
    let always = if measures.ibrs == Ibrs::Always {
        SPEC_CTRL_IBRS
    } else {
        0
    };
    let spec_ctrl = measures.spec_ctrl | always;
    // SAFETY: the policy chose these because CPUID has them; they change predictions only.
    unsafe {
        if spec_ctrl != 0 || measures.ibrs == Ibrs::OnExit {
            io::wrmsr(SPEC_CTRL, spec_ctrl);
        }
        if measures.ibrs == Ibrs::Automatic {
            io::wrmsr(
                io::msr::EFER,
                io::rdmsr(io::msr::EFER) | EFER_AUTOMATIC_IBRS,
            );
        }
    }
    if measures.xpti() {
        // A global translation of the hypervisor's would outlast the change to a guest's root.
        // SAFETY: only PGE goes off, which flushes everything.
        unsafe {
            asm!("mov cr4, {}", in(reg) io::read_cr4() & !features::CR4_PGE,
                options(nostack, preserves_flags));
        }
    }
    cpu.note_measures(&measures);
}

/// Before another vCPU runs than the last one.
pub fn on_switch(measures: &Measures) {
    if measures.ibpb {
        // SAFETY: the policy chose it because CPUID has it: a command to the predictors.
        unsafe { io::wrmsr(PRED_CMD, 1) };
    }
    if measures.rsb_on_switch {
        code::fill_rsb();
    }
}
