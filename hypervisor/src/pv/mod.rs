//! Paravirtual guests: what their exits mean.

pub mod debug;
pub mod descriptors;
pub mod iret;
pub mod traps;

use crate::cx::Cx;

/// Ends the calling domain, which did what no guest may survive.
pub fn crash(cx: &mut Cx, why: &str) {
    crate::log!(cx.hv, Error, "domain {} crashed: {why}", cx.dom.id);
    cx.reschedule();
}

use crate::domain::VcpuState;
use machine::{Cpu, CpuApi};

/// Brings a vCPU onto the CPU. `false` when it has no page table.
pub fn load(cpu: &mut Cpu, st: &mut VcpuState) -> bool {
    let root = if st.kernel_mode { st.root.as_ref() } else { st.user_root.as_ref() };
    let Some(root) = root else { return false };
    cpu.load_pv(&st.pv);
    cpu.set_root(root)
}

/// Takes the vCPU off the CPU.
pub fn save(cx: &mut Cx) {
    cx.cpu.save_pv(&mut cx.st.pv);
    cx.cpu.unset_root();
}

/// Delivers what waits for the guest before it is entered.
pub fn deliver(_cx: &mut Cx) {}
/// A system call of the guest's users.
pub fn syscall(_cx: &mut Cx) {}
/// The same from 32-bit code.
pub fn syscall32(_cx: &mut Cx) {}
/// The guest's frame could not be returned to.
pub fn iret_fault(_cx: &mut Cx) {}
/// An exception in the guest.
pub fn exception(_cx: &mut Cx, _vector: u8) {}
