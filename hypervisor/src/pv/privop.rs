//! Privileged instructions that a PV guest's kernel executes all the same.

use crate::cx::Cx;
use machine::CpuApi;

/// `ud2a; .ascii "xen"; cpuid`: asks for the CPUID that guests are meant to see.
const FORCED_CPUID: [u8; 7] = [0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2];

/// Serves a forced CPUID at the guest's instruction pointer, if that is what is there.
pub fn forced_cpuid(cx: &mut Cx) -> bool {
    let rip = cx.cpu.regs().rip;
    let Ok(bytes) = cx.cpu.get_guest::<[u8; 7]>(rip) else { return false };
    if bytes != FORCED_CPUID {
        return false;
    }
    let r = cx.cpu.regs();
    let (leaf, sub) = (r.rax as u32, r.rcx as u32);
    let [a, b, c, d] = super::cpuid::leaf(cx, leaf, sub);
    let r = cx.cpu.regs_mut();
    r.rax = a as u64;
    r.rbx = b as u64;
    r.rcx = c as u64;
    r.rdx = d as u64;
    r.rip = rip.wrapping_add(7);
    true
}

/// Serves the privileged instruction at the guest's instruction pointer. `false` when the
/// guest has to have its #GP.
pub fn emulate(_cx: &mut Cx) -> bool {
    false
}
