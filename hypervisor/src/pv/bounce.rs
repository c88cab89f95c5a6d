//! Frames on the guest kernel's stack: how it learns of exceptions, system calls and events.
//!
//! From low to high: RCX, R11, the error code if there is one, RIP, CS, RFLAGS, RSP, SS. CS
//! has ring 0 when the kernel itself was interrupted, and the former event mask in its upper
//! half; RFLAGS has IF when events were not masked.

use super::{GUEST_SS, crash, mode};
use crate::cx::Cx;
use core::sync::atomic::Ordering;
use machine::CpuApi;
use machine::regs::{VECTOR_NONE, rflags};
use xen_abi::arch_x86::{TI_IF, TrapInfo};
use xen_abi::shared_info::VCPU_INFO_CR2;

/// The non-maskable interrupt.
pub const VECTOR_NMI: u8 = 2;

/// Flags that a handler does not start with.
const CLEARED: u64 = rflags::AC | rflags::VM | rflags::RF | rflags::NT | rflags::TF;

/// A handler to enter.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    /// Code selector.
    pub cs: u16,
    /// Address.
    pub address: u64,
    /// Whether events are masked on entry.
    pub mask_events: bool,
}

/// Makes the guest's kernel run `handler`, with a frame of where it was.
#[inline]
pub fn bounce(cx: &mut Cx, handler: Handler, error: Option<u32>) {
    let was_kernel = cx.st.kernel_mode;
    if !was_kernel {
        mode::to_kernel(cx);
    }
    let masked = cx.vcpu.upcall_masked();
    let regs = cx.cpu.regs();
    let top = if was_kernel {
        regs.rsp
    } else {
        cx.st.kernel_sp
    };
    let ring = if was_kernel { regs.cs & !3 } else { regs.cs };
    let cs = ring & 0xffff | (masked as u64) << 32;
    let mut flags = regs.rflags & !(rflags::IF | rflags::IOPL);
    if !masked {
        flags |= rflags::IF;
    }
    if cx.dom.assist(xen_abi::xen::VMASST_TYPE_architectural_iopl) {
        flags |= (cx.st.iopl as u64) << 12;
    }
    let (rip, rsp, ss, rcx, r11) = (regs.rip, regs.rsp, regs.ss & 0xffff, regs.rcx, regs.r11);
    let top = top & !0xf;
    let (sp, written) = match error {
        None => {
            let sp = top.wrapping_sub(56);
            (
                sp,
                cx.cpu.put_guest(sp, &[rcx, r11, rip, cs, flags, rsp, ss]),
            )
        }
        Some(error) => {
            let sp = top.wrapping_sub(64);
            (
                sp,
                cx.cpu
                    .put_guest(sp, &[rcx, r11, error as u64, rip, cs, flags, rsp, ss]),
            )
        }
    };
    if written.is_err() {
        return crash(cx, "its kernel's stack cannot be written");
    }
    if handler.mask_events {
        cx.vcpu.set_upcall_mask(true);
    }
    let regs = cx.cpu.regs_mut();
    regs.vector = VECTOR_NONE;
    regs.rip = handler.address;
    regs.cs = handler.cs as u64 | 3;
    regs.rflags = regs.rflags & !CLEARED | rflags::IF;
    regs.rsp = sp;
    regs.ss = GUEST_SS as u64;
}

/// Injects exception `vector` with its error code, if it has one.
#[inline]
pub fn inject(cx: &mut Cx, vector: u8, error: Option<u32>) {
    let trap = trap(cx, vector);
    if trap.address == 0 {
        return no_handler(cx, vector);
    }
    let handler = Handler {
        cs: trap.cs,
        address: trap.address,
        mask_events: trap.flags & TI_IF != 0,
    };
    bounce(cx, handler, error);
}

#[cold]
fn no_handler(cx: &mut Cx, vector: u8) {
    crate::guest_log!(cx, Error, "no handler for exception {vector}");
    crash(cx, "an exception that it has no handler for");
}

/// The guest's entry for `vector`.
#[inline]
pub fn trap(cx: &Cx, vector: u8) -> TrapInfo {
    // The table has an entry for each vector.
    cx.st
        .traps
        .table
        .get(vector as usize)
        .copied()
        .unwrap_or_default()
}

/// Injects a page fault at `cr2`. The error code's user bit says which of the guest's own two
/// modes it was in.
pub fn inject_page_fault(cx: &mut Cx, cr2: u64, error: u32) {
    const USER: u32 = 4;
    let error = if cx.st.kernel_mode {
        error & !USER
    } else {
        error | USER
    };
    if let Some(slot) = cx.vcpu.info().and_then(|info| info.u64(VCPU_INFO_CR2)) {
        slot.store(cr2, Ordering::Relaxed);
    }
    inject(cx, 14, Some(error));
}

/// Delivers what waits for the guest before it is entered: an NMI, or an event upcall.
#[inline(always)]
pub fn deliver(cx: &mut Cx) {
    if cx.vcpu.nmi_pending.load(Ordering::Relaxed) {
        deliver_nmi(cx);
    }
    if cx.vcpu.upcall_pending() && !cx.vcpu.upcall_masked() {
        deliver_event(cx);
    }
}

fn deliver_event(cx: &mut Cx) {
    let event = cx.st.traps.event;
    if event.address != 0 {
        let handler = Handler {
            cs: event.cs,
            address: event.address,
            mask_events: true,
        };
        bounce(cx, handler, None);
    }
}

#[cold]
fn deliver_nmi(cx: &mut Cx) {
    if cx.st.in_nmi {
        return;
    }
    cx.vcpu.nmi_pending.store(false, Ordering::Relaxed);
    let trap = trap(cx, VECTOR_NMI);
    if trap.address == 0 {
        // Nobody listens: it is lost, as on Xen.
        return;
    }
    cx.st.in_nmi = true;
    super::shortcut::drop(cx);
    let handler = Handler {
        cs: trap.cs,
        address: trap.address,
        mask_events: trap.flags & TI_IF != 0,
    };
    bounce(cx, handler, None);
}
