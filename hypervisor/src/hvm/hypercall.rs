//! Hypercalls by VMMCALL.

use crate::cx::Cx;
use crate::fail::Fail;
use machine::hvm::HvmApi;
use machine::{CpuApi, Page};
use xen_abi::Errno;
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

/// Serves the hypercall in the guest's registers. Users may make none, and 32-bit code, whose
/// structures have another form, cannot yet.
#[inline(always)]
pub fn serve(cx: &mut Cx) {
    let allowed = match &mut cx.st.hvm {
        Some(hvm) if hvm.state.cpl() != 0 => Err(Errno::EPERM),
        Some(hvm) if !hvm.is_64bit() => Err(Errno::ENOSYS),
        Some(hvm) => {
            hvm.state.clear_shadow();
            Ok(())
        }
        None => return,
    };
    let regs = cx.cpu.regs_mut();
    let nr = regs.rax;
    regs.rip = regs.rip.wrapping_add(LEN);
    let result = match allowed {
        Ok(()) => crate::hypercall::dispatch_hvm(cx, nr),
        Err(errno) => Err(errno.into()),
    };
    match result {
        Ok(value) => cx.cpu.regs_mut().rax = value as u64,
        Err(fail) => failed(cx, fail),
    }
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
