//! What the machine is told so that it can serve the commonest ways between a guest's kernel and
//! its users by itself (see [`Shortcut`]).
//!
//! Invariant: what is set agrees with the vCPU's state. Whoever changes the root tables, the
//! kernel's stack, the handler of system calls, the I/O privilege level or the place of
//! `vcpu_info` of the vCPU that runs calls [`renew`] or [`drop`]; while an NMI is handled there is
//! no shortcut, because `iret` then ends that.

use super::{GUEST_CS64, canonical};
use crate::cx::Cx;
use machine::CpuApi;
use machine::cpu::Shortcut;
use xen_abi::xen::VMASST_TYPE_architectural_iopl;

/// Sets the shortcut that agrees with the vCPU's state, if the machine has a use for one.
#[inline]
pub fn renew(cx: &mut Cx) {
    cx.cpu.set_shortcut(None);
    if cx.cpu.wants_shortcut() {
        set(cx);
    }
}

/// As [`renew`], when there is none.
#[inline]
pub fn ensure(cx: &mut Cx) {
    if cx.cpu.wants_shortcut() {
        set(cx);
    }
}

/// Has the machine leave everything to the policy, for now.
#[inline]
pub fn drop(cx: &mut Cx) {
    cx.cpu.set_shortcut(None);
}

fn set(cx: &mut Cx) {
    let st = &*cx.st;
    let Some(info) = cx.vcpu.info().filter(|_| !st.in_nmi) else {
        return;
    };
    let call = st.traps.syscall;
    let plain = call.mask_events && call.cs == GUEST_CS64 && canonical(call.address);
    let flags = if cx.dom.assist(VMASST_TYPE_architectural_iopl) {
        (st.iopl as u64 & 3) << 12
    } else {
        0
    };
    cx.cpu.set_shortcut(Some(&Shortcut {
        kernel_root: st.root.as_ref(),
        user_root: st.user_root.as_ref(),
        kernel_sp: st.kernel_sp,
        syscall: (plain && call.address != 0).then_some(call.address),
        flags,
        info: (info.page(), info.offset()),
    }));
}
