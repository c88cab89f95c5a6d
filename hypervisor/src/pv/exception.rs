//! Exceptions in a PV guest: some are the hypervisor's business, the rest goes to its kernel.

use super::bounce::{Handler, bounce, inject, inject_page_fault, trap};
use super::{crash, privop, ptwr};
use crate::cx::Cx;
use crate::log;
use machine::CpuApi;
use xen_abi::arch_x86::{TI_DPL_MASK, TI_IF};

/// Exceptions that push an error code.
const WITH_ERROR: u32 =
    1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;

/// Serves exception `vector`.
#[inline]
pub fn exception(cx: &mut Cx, vector: u8) {
    match vector {
        14 => page_fault(cx),
        6 => {
            if !privop::forced(cx) {
                inject(cx, 6, None);
            }
        }
        13 => general_protection(cx),
        1 => {
            cx.st.pv.dr6 = cx.cpu.debug_reg(6);
            inject(cx, 1, None);
        }
        2 => {
            log!(cx.hv, Warning, "NMI on CPU {}", cx.cpu.id());
            if let Some(vcpu) = cx.hv.domain(0).and_then(|dom| dom.vcpu(0).cloned()) {
                vcpu.nmi_pending
                    .store(true, core::sync::atomic::Ordering::SeqCst);
            }
        }
        7 => {
            cx.cpu.set_task_switched(false);
            if core::mem::replace(&mut cx.st.pv.task_switched, false) {
                inject(cx, 7, None);
            }
        }
        18 => crash(cx, "machine check"),
        _ => {
            let error = cx.cpu.regs().error;
            let has = WITH_ERROR >> vector & 1 != 0;
            inject(cx, vector, has.then_some(error));
        }
    }
}

fn page_fault(cx: &mut Cx) {
    let cr2 = cx.cpu.cr2();
    let error = cx.cpu.regs().error;
    // A write of the kernel to a page that is present: perhaps one of its own page tables.
    if error & 0x1b == 3 && cx.st.kernel_mode && ptwr::emulate(cx, cr2) {
        return;
    }
    inject_page_fault(cx, cr2, error);
}

fn general_protection(cx: &mut Cx) {
    let error = cx.cpu.regs().error;
    // INT n through a gate of ring 0: the guest's own table decides.
    if error & 3 == 2 {
        let vector = (error >> 3) as u8;
        return software_interrupt(cx, vector, error);
    }
    if error == 0 && privop::emulate(cx) {
        return;
    }
    inject(cx, 13, Some(error));
}

fn software_interrupt(cx: &mut Cx, vector: u8, error: u32) {
    let entry = trap(cx, vector);
    let dpl = entry.flags & TI_DPL_MASK;
    let allowed = if cx.st.kernel_mode {
        dpl >= 1
    } else {
        dpl == 3
    };
    if !allowed || entry.address == 0 {
        return inject(cx, 13, Some(error));
    }
    let regs = cx.cpu.regs_mut();
    regs.rip = regs.rip.wrapping_add(2);
    let handler = Handler {
        cs: entry.cs,
        address: entry.address,
        mask_events: entry.flags & TI_IF != 0,
    };
    bounce(cx, handler, None);
}

/// INT 0x80, for which the IDT has a gate of ring 3.
pub fn int80(cx: &mut Cx) {
    let entry = trap(cx, 0x80);
    let dpl = entry.flags & TI_DPL_MASK;
    let allowed = if cx.st.kernel_mode {
        dpl >= 1
    } else {
        dpl == 3
    };
    if !allowed || entry.address == 0 {
        let regs = cx.cpu.regs_mut();
        regs.rip = regs.rip.wrapping_sub(2);
        return inject(cx, 13, Some(0x80 << 3 | 2));
    }
    let handler = Handler {
        cs: entry.cs,
        address: entry.address,
        mask_events: entry.flags & TI_IF != 0,
    };
    bounce(cx, handler, None);
}

/// The frame that the guest was to return to cannot be loaded: its failsafe callback is told,
/// with the segment registers on the stack before the frame.
pub fn iret_fault(cx: &mut Cx) {
    let failsafe = cx.st.traps.failsafe;
    if failsafe.address == 0 {
        return crash(
            cx,
            "its frame cannot be returned to, and it has no failsafe callback",
        );
    }
    if !cx.st.kernel_mode {
        super::mode::to_kernel(cx);
        // The faulting frame's own stack is the users': the kernel's is taken.
        let sp = cx.st.kernel_sp;
        failsafe_frame(cx, sp, false);
    } else {
        let sp = cx.st.kernel_sp;
        failsafe_frame(cx, sp, true);
    }
}

fn failsafe_frame(cx: &mut Cx, sp: u64, was_kernel: bool) {
    let failsafe = cx.st.traps.failsafe;
    let masked = cx.vcpu.upcall_masked();
    let selectors = cx.cpu.data_selectors();
    let r = *cx.cpu.regs();
    let cs = (if was_kernel { r.cs & !3 } else { r.cs }) & 0xffff | (masked as u64) << 32;
    let flag = machine::regs::rflags::IF;
    let flags = r.rflags & !flag | if masked { 0 } else { flag };
    let sp = (sp & !0xf).wrapping_sub(88);
    let [ds, es, fs, gs] = selectors.map(u64::from);
    let frame = [
        r.rcx,
        r.r11,
        ds,
        es,
        fs,
        gs,
        r.rip,
        cs,
        flags,
        r.rsp,
        r.ss & 0xffff,
    ];
    if cx.cpu.put_guest(sp, &frame).is_err() {
        return crash(cx, "its kernel's stack cannot be written");
    }
    if failsafe.mask_events {
        cx.vcpu.set_upcall_mask(true);
    }
    let regs = cx.cpu.regs_mut();
    regs.vector = machine::regs::VECTOR_NONE;
    regs.rip = failsafe.address;
    regs.cs = failsafe.cs as u64 | 3;
    regs.rflags = flag | machine::regs::rflags::FIXED;
    regs.rsp = sp;
    regs.ss = super::GUEST_SS as u64;
}
