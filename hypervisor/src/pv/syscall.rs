//! System calls of a guest's users, handed to its kernel.

use super::bounce::{Handler, bounce, inject};
use crate::cx::Cx;
use crate::domain::Callback;
use machine::CpuApi;

/// SYSCALL from 64-bit code.
#[inline]
pub fn syscall(cx: &mut Cx) {
    let callback = cx.st.traps.syscall;
    enter(cx, callback);
}

/// SYSCALL from 32-bit code.
pub fn syscall32(cx: &mut Cx) {
    let callback = cx.st.traps.syscall32;
    cx.cpu.regs_mut().cs = super::GUEST_CS32 as u64;
    enter(cx, callback);
}

/// SYSENTER. The frame's instruction and stack pointers are null: the kernel's own convention
/// with its users says what they are.
pub fn sysenter(cx: &mut Cx) {
    let callback = cx.st.traps.sysenter;
    if callback.address == 0 {
        return inject(cx, 13, Some(0));
    }
    enter(cx, callback);
}

#[inline]
fn enter(cx: &mut Cx, callback: Callback) {
    if callback.address == 0 {
        // As on a processor without the instruction; it counts as not executed.
        let regs = cx.cpu.regs_mut();
        regs.rip = regs.rip.wrapping_sub(2);
        return inject(cx, 6, None);
    }
    let handler = Handler {
        cs: callback.cs,
        address: callback.address,
        mask_events: callback.mask_events,
    };
    bounce(cx, handler, None);
}
