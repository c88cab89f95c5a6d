//! Commands for what this hypervisor, or this kind of machine, does not have, where the tools
//! look for one error number and take others for a failure.

#![allow(
    non_upper_case_globals,
    reason = "commands are named as in Xen's headers"
)]

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// A command that is not served. Errors: `ESRCH` without the domain; what Xen answers about a PV
/// guest on a machine without what the command is for; `EPERM` and `EINVAL` for what no domain
/// does to itself; `ENOSYS`.
pub fn absent(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let own = call.target(cx)?.id == cx.dom.id;
    Err(match call.op.cmd {
        // For guests with hardware virtualisation.
        XEN_DOMCTL_set_broken_page_p2m => Errno::EINVAL,
        // Without an I/O MMU.
        XEN_DOMCTL_assign_device
        | XEN_DOMCTL_test_assign_device
        | XEN_DOMCTL_deassign_device
        | XEN_DOMCTL_get_device_group => Errno::EOPNOTSUPP,
        // Without division of caches.
        XEN_DOMCTL_psr_cmt_op | XEN_DOMCTL_psr_alloc => Errno::ENODEV,
        XEN_DOMCTL_monitor_op | XEN_DOMCTL_set_access_required if own => Errno::EPERM,
        XEN_DOMCTL_soft_reset
        | XEN_DOMCTL_soft_reset_cont
        | XEN_DOMCTL_debug_op
        | XEN_DOMCTL_vm_event_op
        | XEN_DOMCTL_vmtrace_op
        | XEN_DOMCTL_setvnumainfo
            if own =>
        {
            Errno::EINVAL
        }
        _ => Errno::ENOSYS,
    }
    .into())
}

/// `XEN_DOMCTL_set_target`: a device model serves guests with hardware virtualisation. Errors:
/// `ESRCH`; `EINVAL`.
pub fn set_target(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let DomctlSetTarget { target } = call.op.arm();
    if target != dom.id {
        cx.hv.domain(target).ok_or(Errno::ESRCH)?;
    }
    Err(Errno::EINVAL.into())
}

/// `XEN_DOMCTL_set_llc_colors`: the caches of x86 are not coloured. `EOPNOTSUPP`, which the
/// tools take for "there is no such thing".
pub fn set_llc_colors(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_ioport_mapping`: for guests with ports of their own numbering. `EOPNOTSUPP`.
pub fn ioport_mapping(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_bind_pt_irq`, `XEN_DOMCTL_unbind_pt_irq`: interrupts are passed through to
/// guests with hardware virtualisation only. `EINVAL`.
pub fn pt_irq(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EINVAL.into())
}
