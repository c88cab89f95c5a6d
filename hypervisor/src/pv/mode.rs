//! Bringing a vCPU onto the CPU, and going between its kernel and its users.

use crate::cx::Cx;
use crate::domain::VcpuState;
use machine::{Cpu, CpuApi};

/// Brings a vCPU onto the CPU. `false` when it has no page table to run on.
pub fn load(cpu: &mut Cpu, st: &mut VcpuState) -> bool {
    let root = if st.kernel_mode {
        st.root.as_ref()
    } else {
        st.user_root.as_ref()
    };
    let Some(root) = root else { return false };
    cpu.load_pv(&st.pv);
    cpu.set_in_kernel(st.kernel_mode);
    cpu.set_root(root)
}

/// Takes the vCPU off the CPU.
pub fn save(cx: &mut Cx) {
    cx.cpu.save_pv(&mut cx.st.pv);
    cx.cpu.unset_root();
}

/// From the guest's users to its kernel.
#[inline]
pub fn to_kernel(cx: &mut Cx) {
    cx.st.kernel_mode = true;
    cx.cpu.set_in_kernel(true);
    cx.cpu.swap_gs();
    if let Some(root) = &cx.st.root {
        cx.cpu.set_root(root);
    }
}

/// From the guest's kernel to its users. `false` when they have no root table.
#[inline]
pub fn to_user(cx: &mut Cx) -> bool {
    let Some(root) = &cx.st.user_root else {
        return false;
    };
    cx.st.kernel_mode = false;
    cx.cpu.set_in_kernel(false);
    cx.cpu.swap_gs();
    cx.cpu.set_root(root)
}
