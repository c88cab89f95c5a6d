//! CPUID as hardware-virtualised guests see it: their domain's policy, and what depends on the
//! vCPU.

use super::control::CR4_OSXSAVE;
use crate::cpu_policy::guest::{self, OSXSAVE};
use crate::cx::Cx;
use machine::hvm::{HvmApi, Reg};

/// Of leaf 1 EDX.
const APIC: u32 = 1 << 9;
/// Leaf `leaf`, subleaf `sub`, as EAX, EBX, ECX, EDX.
pub fn leaf(cx: &Cx, leaf: u32, sub: u32) -> [u32; 4] {
    let [a, b, c, d] = guest::fixed(cx, leaf, sub);
    let Some(hvm) = cx.st.hvm.as_ref() else {
        return [a, b, c, d];
    };
    match leaf {
        1 => {
            let on = hvm.state.get(Reg::Cr4) & CR4_OSXSAVE != 0 && c & OSXSAVE >> 1 != 0;
            let c = if on { c | OSXSAVE } else { c };
            // An APIC that is switched off is none.
            let d = if hvm.lapic.is_there() { d } else { d & !APIC };
            [a, b & 0x00ff_ffff | hvm.lapic.id() << 24, c, d]
        }
        // The x2APIC id, whatever the level.
        0xb => [a, b, c, hvm.lapic.id()],
        _ => [a, b, c, d],
    }
}
