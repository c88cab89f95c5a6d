//! How a guest's kernel goes back to what it interrupted, and to its users.

use super::layout::*;
use super::script::Who;
use crate::domain::Vcpu;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::arch::sim::{GuestCpu, GuestOp};
use xen_abi::hypercall as nr;
use zerocopy::IntoBytes;

/// Whether a frame on the stack says that it was the kernel's users who were interrupted, or that
/// made a system call.
pub fn from_user(g: &GuestCpu<'_>) -> bool {
    // RCX, R11, RIP, CS.
    g.stack(3).is_ok_and(|cs| cs & 3 != 0)
}

/// Returns by `iret` from where a frame on the stack says the kernel or its users were. With
/// `to`, to the kernel's next step instead, on a fresh stack.
pub fn back(g: &mut GuestCpu<'_>, vcpu: &Arc<Vcpu>, to: Option<u64>) -> GuestOp {
    let mut frame = [0u64; 7];
    let read = g.read_bytes(g.regs.rsp, frame.as_mut_bytes());
    let [rcx, r11, mut rip, cs, flags, mut rsp, mut ss] = frame;
    let mut cs = cs & 0xffff;
    let mut flags = flags | 0x200;
    if let Some(top) = to {
        (rip, cs, flags, rsp, ss) = (PROGRAM, 0xe030, 0x202, top, 0xe02b);
    } else if let Some(info) = vcpu.info() {
        // The kernel takes note of all events.
        for at in [0, 8] {
            if let Some(byte) = info.byte(at) {
                byte.store(0, Ordering::Relaxed);
            }
        }
        if let Some(dom) = vcpu.domain.upgrade() {
            dom.shared_info.words()[256].store(0, Ordering::Relaxed);
        }
    }
    let at = to.map_or(g.regs.rsp.wrapping_sub(16), |top| top - 128);
    let new = [g.regs.rax, r11, rcx, 0, rip, cs, flags, rsp, ss];
    if read.is_err() && to.is_none() || g.write_bytes(at, new.as_bytes()).is_err() {
        (g.regs.rip, g.regs.rsp) = (PROGRAM, stack(vcpu.id as u8));
        return GuestOp::Work { ns: 10 };
    }
    g.regs.rsp = at;
    let r = &g.regs;
    GuestOp::Hypercall {
        nr: nr::IRET.into(),
        args: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9],
    }
}

/// Goes to user mode.
pub fn to_user(g: &mut GuestCpu<'_>, who: Who) -> GuestOp {
    let top = stack(who.vcpu);
    let at = top - 128;
    let frame = [0u64, 0, 0, 0, USER, 0xe033, 0x202, top - 1024, 0xe02b];
    if g.write_bytes(at, frame.as_bytes()).is_err() {
        return GuestOp::Work { ns: 10 };
    }
    g.regs.rsp = at;
    GuestOp::Hypercall {
        nr: nr::IRET.into(),
        args: [0; 6],
    }
}
