//! Hypercalls by VMMCALL.
//!
//! 32-bit code has its arguments in other registers: they are put where 64-bit code has them for
//! the time of the call, so that nothing but this file knows.

use crate::cx::Cx;
use crate::fail::Fail;
use machine::hvm::HvmApi;
use machine::{CpuApi, GuestRegs, Page};
use xen_abi::Errno;
use xen_abi::compat::Width;
use xen_abi::hypercall::IRET;

/// Bytes of VMMCALL.
const LEN: u64 = 3;

/// mov eax, nr; vmmcall; ret
const CALL: [u8; 9] = [0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3];
/// ud2: there is no such call from a virtual machine.
const NONE: [u8; 2] = [0x0f, 0x0b];

/// Fills `page` with the stubs of a hardware-virtualised guest, 32 bytes for each call.
pub fn fill_page(page: &Page) {
    page.clear();
    for nr in 0..128u32 {
        let mut code = CALL;
        if let Some(number) = code.get_mut(1..5) {
            number.copy_from_slice(&nr.to_le_bytes());
        }
        page.write(nr as usize * 32, if nr == IRET { &NONE } else { &code });
    }
}

/// Serves the hypercall in the guest's registers. The guest's users may make none.
#[inline(always)]
pub fn serve(cx: &mut Cx) {
    let Some(hvm) = &mut cx.st.hvm else { return };
    hvm.state.clear_shadow();
    let (allowed, wide) = (hvm.may_call(), hvm.is_64bit());
    if !wide || !allowed {
        return serve_other(cx, allowed);
    }
    let regs = cx.cpu.regs_mut();
    let nr = regs.rax;
    regs.rip = regs.rip.wrapping_add(LEN);
    match crate::hypercall::dispatch_hvm(cx, nr) {
        Ok(value) => cx.cpu.regs_mut().rax = value as u64,
        Err(fail) => failed(cx, fail),
    }
}

/// A call that is not made by the kernel's 64-bit code.
#[cold]
#[inline(never)]
fn serve_other(cx: &mut Cx, allowed: bool) {
    if !allowed {
        let regs = cx.cpu.regs_mut();
        regs.rip = regs.rip.wrapping_add(LEN);
        regs.rax = Errno::EPERM.neg() as u64;
        return;
    }
    let before = *cx.cpu.regs();
    *cx.cpu.regs_mut() = spread(&before);
    cx.width = Width::W32;
    let result = crate::hypercall::dispatch_hvm(cx, before.rax & LOW);
    cx.width = Width::W64;
    let args = *cx.cpu.regs();
    let regs = cx.cpu.regs_mut();
    *regs = before;
    match result {
        Ok(value) => finish(regs, value),
        Err(Fail::Errno(errno)) => finish(regs, errno.neg()),
        // What is left to do; the instruction is made again.
        Err(Fail::Restart) => gather(regs, &args),
        Err(Fail::Crash(why)) => super::crash(cx, why),
    }
}

/// What 32-bit code has of a register.
const LOW: u64 = 0xffff_ffff;

fn finish(regs: &mut GuestRegs, value: i64) {
    regs.rax = value as u64 & LOW;
    regs.rip = regs.rip.wrapping_add(LEN) & LOW;
}

/// The registers with the arguments where 64-bit code has them.
fn spread(r: &GuestRegs) -> GuestRegs {
    GuestRegs {
        rdi: r.rbx & LOW,
        rsi: r.rcx & LOW,
        rdx: r.rdx & LOW,
        r10: r.rsi & LOW,
        r8: r.rdi & LOW,
        r9: r.rbp & LOW,
        ..*r
    }
}

/// The other way.
fn gather(regs: &mut GuestRegs, args: &GuestRegs) {
    regs.rbx = args.rdi & LOW;
    regs.rcx = args.rsi & LOW;
    regs.rdx = args.rdx & LOW;
    regs.rsi = args.r10 & LOW;
    regs.rdi = args.r8 & LOW;
    regs.rbp = args.r9 & LOW;
}

#[cold]
fn failed(cx: &mut Cx, fail: Fail) {
    match fail {
        Fail::Errno(errno) => cx.cpu.regs_mut().rax = errno.neg() as u64,
        Fail::Restart => {
            let regs = cx.cpu.regs_mut();
            regs.rip = regs.rip.wrapping_sub(LEN);
        }
        Fail::Crash(why) => super::crash(cx, why),
    }
}
