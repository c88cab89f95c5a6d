//! The `iret` hypercall: the guest's kernel returns, to itself or to its users.

use super::{GUEST_CS64, GUEST_SS, mode};
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use machine::CpuApi;
use machine::regs::{VECTOR_NONE, VECTOR_SYSCALL, rflags};
use xen_abi::arch_x86::{IretContext, VGCF_in_syscall};

/// Takes the frame at the guest's stack pointer. The dispatcher leaves RAX alone.
pub fn call(cx: &mut Cx, _: [u64; 0]) -> HyperResult {
    let sp = cx.cpu.regs().rsp;
    let frame: IretContext = cx
        .cpu
        .get_guest(sp)
        .map_err(|_| Fail::Crash("its iret frame cannot be read"))?;
    if frame.cs & 3 == 3 && !mode::to_user(cx) {
        return Err(Fail::Crash("it returned to users without a page table"));
    }
    let by_sysret = frame.flags & VGCF_in_syscall != 0
        && frame.cs as u16 == GUEST_CS64
        && frame.ss as u16 == GUEST_SS;
    let in_syscall = frame.flags & VGCF_in_syscall != 0;
    let regs = cx.cpu.regs_mut();
    regs.rip = frame.rip;
    regs.cs = frame.cs & 0xffff | 3;
    regs.rflags = frame.rflags & !(rflags::IOPL | rflags::VM | rflags::VIF | rflags::VIP)
        | rflags::IF
        | rflags::FIXED;
    regs.rsp = frame.rsp;
    regs.ss = frame.ss & 0xffff | 3;
    regs.rax = frame.rax;
    regs.vector = if by_sysret {
        VECTOR_SYSCALL
    } else {
        VECTOR_NONE
    };
    if !in_syscall {
        regs.rcx = frame.rcx;
        regs.r11 = frame.r11;
    }
    cx.st.in_nmi = false;
    cx.vcpu.set_upcall_mask(frame.rflags & rflags::IF == 0);
    super::shortcut::ensure(cx);
    Ok(0)
}
