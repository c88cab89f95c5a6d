//! Small things that the tools set of a domain.

use super::Call;
use crate::cx::Cx;
use crate::event::WritablePage;
use crate::fail::HyperResult;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::xen::{NR_VIRQS, VIRQ_DEBUG, VIRQ_TIMER, VIRQ_XENOPROF, VIRQ_XENPMU};

/// KiB of a frame, as a power of two.
const KB_SHIFT: u32 = machine::PAGE_SHIFT - 10;

/// `XEN_DOMCTL_max_mem`: it may be less than the domain has, which then gets no more.
pub fn max_mem(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let DomctlMaxMem { max_memkb } = call.op.arm();
    dom.pages
        .set_max((max_memkb >> KB_SHIFT).min(u32::MAX.into()));
    Ok(0)
}

/// `XEN_DOMCTL_setdomainhandle`.
pub fn handle(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let DomctlSetdomainhandle { handle } = call.op.arm();
    *dom.handle.lock() = handle;
    Ok(0)
}

/// `XEN_DOMCTL_setdebugging`: no debugger is told of anything yet, so that can only be off.
/// Errors: `EINVAL` for oneself, `EOPNOTSUPP`.
pub fn debugging(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    let DomctlSetdebugging { enable } = call.op.arm();
    if enable != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    dom.debugged.store(false, Ordering::Relaxed);
    Ok(0)
}

/// `XEN_DOMCTL_hypercall_init`: fills one of the domain's frames with the calls' stubs. Errors:
/// `EACCES` for a frame that is not its own or not ordinary memory, as Xen has it.
pub fn hypercall_page(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    let DomctlHypercallInit { gmfn } = call.op.arm();
    let page = WritablePage::get(cx.hv, cx.cpu, &dom, gmfn).map_err(|_| Errno::EACCES)?;
    match dom.hvm.get() {
        Some(_) => crate::hvm::fill_hypercall_page(&page),
        None => crate::dom0::fill_hypercall_page(&page),
    }
    Ok(0)
}

/// `XEN_DOMCTL_settimeoffset`: the wall clock that the domain sees moves at once.
pub fn time_offset(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let arg: DomctlSettimeoffset = call.op.arm();
    dom.time_offset
        .store(arg.time_offset_seconds as u64, Ordering::Relaxed);
    crate::time::show_wall(cx.hv, &dom);
    Ok(0)
}

/// `XEN_DOMCTL_sendtrigger`: there is the NMI. A guest without emulated power management has no
/// buttons, but they may be pressed when it is hardware-virtualised, as on Xen. Errors: `ESRCH`
/// without such a vCPU, `ENOSYS` for other triggers.
pub fn trigger(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let arg: DomctlSendtrigger = call.op.arm();
    let vcpu = dom.vcpu(arg.vcpu).ok_or(Errno::ESRCH)?;
    let button = matches!(
        arg.trigger,
        XEN_DOMCTL_SENDTRIGGER_POWER | XEN_DOMCTL_SENDTRIGGER_SLEEP
    );
    if button && dom.hvm.get().is_some() {
        return Ok(0);
    }
    if arg.trigger != XEN_DOMCTL_SENDTRIGGER_NMI {
        return Err(Errno::ENOSYS.into());
    }
    if !vcpu.nmi_pending.swap(true, Ordering::SeqCst) {
        cx.hv.sched.wake(cx.cpu, &dom, vcpu);
        cx.hv.sched.notify(cx.cpu, &dom, vcpu);
    }
    Ok(0)
}

/// `XEN_DOMCTL_subscribe`: the domain's port that is signalled when it suspends.
pub fn subscribe(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let DomctlSubscribe { port } = call.op.arm();
    dom.suspend_port.store(port, Ordering::Relaxed);
    Ok(0)
}

/// `XEN_DOMCTL_set_address_size`: guests are of 64 bits. Errors: `EINVAL` for others.
pub fn set_address_size(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    match call.op.arm() {
        DomctlAddressSize { size: 64 } => Ok(0),
        DomctlAddressSize { .. } => Err(Errno::EINVAL.into()),
    }
}

/// `XEN_DOMCTL_get_address_size`.
pub fn address_size(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    call.op.set_arm(&DomctlAddressSize { size: 64 });
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_set_virq_handler`: who is told of a virtual interrupt that the machine has once.
/// Errors: `EINVAL` for others.
pub fn virq_handler(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let DomctlSetVirqHandler { virq } = call.op.arm();
    let each = matches!(virq, VIRQ_TIMER | VIRQ_DEBUG | VIRQ_XENOPROF | VIRQ_XENPMU);
    if virq >= NR_VIRQS || each {
        return Err(Errno::EINVAL.into());
    }
    if let Some(handler) = cx.hv.virq_handlers.lock().get_mut(virq as usize) {
        *handler = dom.id;
    }
    Ok(0)
}
