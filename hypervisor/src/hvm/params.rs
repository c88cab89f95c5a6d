//! `HVM_PARAM_*`: what the tools and the guest tell each other by number.
//!
//! No lock: each is a word. Which of them the guest may read and set, which are set once, and
//! what a value may be, is as in Xen.

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::hvm::*;
use xen_abi::sched::{SHUTDOWN_MAX, SHUTDOWN_reboot};

/// What a parameter is in a new domain.
pub fn initial(index: u32) -> u64 {
    match index {
        HVM_PARAM_TRIPLE_FAULT_REASON => SHUTDOWN_reboot.into(),
        _ => 0,
    }
}

/// Parameters that there were once, or that are only the control domain's word to Xen itself
/// about things that are not here.
fn is_gone(index: u32) -> bool {
    matches!(
        index,
        3 | 7
            | 8
            | HVM_PARAM_MEMORY_EVENT_CR0
            | HVM_PARAM_MEMORY_EVENT_CR3
            | HVM_PARAM_MEMORY_EVENT_CR4
            | HVM_PARAM_MEMORY_EVENT_INT3
            | HVM_PARAM_MEMORY_EVENT_SINGLE_STEP
            | HVM_PARAM_MEMORY_EVENT_MSR
            | HVM_PARAM_BUFIOREQ_EVTCHN
    )
}

/// Whether a guest may set it for itself.
fn guest_sets(index: u32) -> bool {
    matches!(
        index,
        HVM_PARAM_CALLBACK_IRQ
            | HVM_PARAM_VM86_TSS
            | HVM_PARAM_VM86_TSS_SIZED
            | HVM_PARAM_ACPI_IOPORTS_LOCATION
            | HVM_PARAM_VM_GENERATION_ID_ADDR
    )
}

/// Whether a guest may read its own.
fn guest_reads(index: u32) -> bool {
    guest_sets(index)
        || matches!(
            index,
            HVM_PARAM_STORE_PFN
                | HVM_PARAM_STORE_EVTCHN
                | HVM_PARAM_CONSOLE_PFN
                | HVM_PARAM_CONSOLE_EVTCHN
                | HVM_PARAM_X87_FIP_WIDTH
        )
}

/// Whether it can be changed once only.
fn is_final(index: u32) -> bool {
    matches!(
        index,
        HVM_PARAM_VIRIDIAN
            | HVM_PARAM_IOREQ_SERVER_PFN
            | HVM_PARAM_NR_IOREQ_SERVER_PAGES
            | HVM_PARAM_ALTP2M
            | HVM_PARAM_MCA_CAP
    )
}

/// Whether a value can be. Errors: `EINVAL`; `EOPNOTSUPP` for what there is not.
fn check(index: u32, value: u64) -> Result<(), Errno> {
    let ok = match index {
        HVM_PARAM_CALLBACK_IRQ => return check_callback(value),
        HVM_PARAM_TIMER_MODE => value <= HVMPTM_one_missed_tick_pending,
        HVM_PARAM_TRIPLE_FAULT_REASON => value <= SHUTDOWN_MAX.into(),
        HVM_PARAM_X87_FIP_WIDTH => matches!(value, 0 | 4 | 8),
        HVM_PARAM_STORE_EVTCHN | HVM_PARAM_CONSOLE_EVTCHN => u32::try_from(value).is_ok(),
        // No Hyper-V interface, no virtualisation in itself, no other physical maps, no devices'
        // model, no machine checks by one CPU only.
        HVM_PARAM_VIRIDIAN
        | HVM_PARAM_NESTEDHVM
        | HVM_PARAM_ALTP2M
        | HVM_PARAM_DM_DOMAIN
        | HVM_PARAM_ACPI_S_STATE
        | HVM_PARAM_ACPI_IOPORTS_LOCATION
        | HVM_PARAM_IOREQ_SERVER_PFN
        | HVM_PARAM_NR_IOREQ_SERVER_PAGES
        | HVM_PARAM_IOREQ_PFN
        | HVM_PARAM_BUFIOREQ_PFN
        | HVM_PARAM_MCA_CAP => value == 0,
        _ => true,
    };
    ok.then_some(()).ok_or(Errno::EINVAL)
}

fn check_callback(value: u64) -> Result<(), Errno> {
    let kind = value & HVM_PARAM_CALLBACK_IRQ_TYPE_MASK;
    let by_vector = kind == HVM_PARAM_CALLBACK_TYPE_VECTOR << 56;
    // A global interrupt, by controllers that are not there yet, is taken and does nothing:
    // kernels name one when they have upcalls by vectors of their vCPUs.
    let by_gsi = kind == HVM_PARAM_CALLBACK_TYPE_GSI << 56;
    match (by_vector, by_gsi) {
        (true, _) if (value as u8) < 16 => Err(Errno::EINVAL),
        (false, false) => Err(Errno::EOPNOTSUPP),
        _ => Ok(()),
    }
}

/// The domain and the parameter that are named. Errors: `EINVAL`, `ESRCH`, `EPERM`.
fn target(cx: &Cx, wish: &HvmParam) -> Result<Arc<Domain>, Errno> {
    if wish.index >= HVM_NR_PARAMS {
        return Err(Errno::EINVAL);
    }
    let dom = cx.resolve(wish.domid)?;
    if dom.hvm.get().is_none() || is_gone(wish.index) {
        return Err(Errno::EINVAL);
    }
    Ok(dom)
}

/// `HVMOP_set_param`. Errors: `EFAULT`; `EINVAL` for a number or value that there is not, and a
/// PV guest; `ESRCH`, `EPERM`; `EEXIST` for what is set only once; `EOPNOTSUPP` for a way of
/// calling back that there is not.
pub fn set(cx: &mut Cx, arg: u64) -> HyperResult {
    let wish: HvmParam = cx.copy_in(GuestPtr::new(arg))?;
    let dom = target(cx, &wish)?;
    if dom.id == cx.dom.id && !guest_sets(wish.index) {
        return Err(Errno::EPERM.into());
    }
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let slot = hvm.param(wish.index).ok_or(Errno::EINVAL)?;
    let old = slot.load(Ordering::Relaxed);
    if is_final(wish.index) && old != 0 && old != wish.value {
        return Err(Errno::EEXIST.into());
    }
    check(wish.index, wish.value)?;
    slot.store(wish.value, Ordering::Relaxed);
    if wish.index == HVM_PARAM_CALLBACK_IRQ && dom.id == cx.dom.id {
        super::domain::latch_width(cx);
    }
    Ok(0)
}

/// `HVMOP_get_param`. Errors: as for setting one.
pub fn get(cx: &mut Cx, arg: u64) -> HyperResult {
    let mut wish: HvmParam = cx.copy_in(GuestPtr::new(arg))?;
    let dom = target(cx, &wish)?;
    if dom.id == cx.dom.id && !guest_reads(wish.index) {
        return Err(Errno::EPERM.into());
    }
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let slot = hvm.param(wish.index).ok_or(Errno::EINVAL)?;
    wish.value = slot.load(Ordering::Relaxed);
    cx.copy_out(GuestPtr::new(arg), &wish)?;
    Ok(0)
}
