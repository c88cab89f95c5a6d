//! Pausing, resuming, destroying and describing a domain.

use super::Call;
use crate::cx::Cx;
use crate::domain::{self, Domain};
use crate::event;
use crate::fail::{Fail, HyperResult};
use xen_abi::Errno;
use xen_abi::domctl::DomctlGetDomainState;
use xen_abi::forms::Payload;
use xen_abi::xen::{DOMID_INVALID, VIRQ_DOM_EXC};

/// `XEN_DOMCTL_pausedomain`: when it returns, none of the domain's vCPUs is on a CPU. Errors:
/// `EINVAL` for oneself, `EOVERFLOW`.
pub fn pause(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    dom.controller_pause(cx.hv, cx.cpu)?;
    if dom.wait_quiescent(cx.cpu) {
        return Ok(0);
    }
    // The call is made again and counts then.
    dom.controller_unpause(cx.hv, cx.cpu)?;
    Err(Fail::Restart)
}

/// `XEN_DOMCTL_unpausedomain`. Errors: `EINVAL` when it is not paused.
pub fn unpause(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    dom.controller_unpause(cx.hv, cx.cpu)?;
    Ok(0)
}

/// `XEN_DOMCTL_resumedomain`: takes a shutdown back. Errors: `EINVAL` for oneself.
pub fn resume(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.other_target(cx)?;
    dom.resume(cx.hv, cx.cpu);
    Ok(0)
}

/// `XEN_DOMCTL_destroydomain`: the end, in steps. Nothing happens to one that has come to it.
/// Errors: `EINVAL` for oneself.
pub fn destroy(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.any_target(cx)?;
    if dom.id == cx.dom.id || dom.privileged {
        return Err(Errno::EINVAL.into());
    }
    if Domain::destroy(cx.hv, cx.cpu, &dom) {
        Ok(0)
    } else {
        Err(Fail::Restart)
    }
}

/// `XEN_DOMCTL_getdomaininfo`: of dying domains too. Errors: `ESRCH`.
pub fn info(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.any_target(cx)?;
    let info = domain::info(cx.hv, cx.cpu, &dom);
    call.op.domain = info.domain;
    call.op.set_arm(&info);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_get_domain_state`: of one domain; for `DOMID_INVALID` of one that changed since
/// this was asked, which may be gone (all zeros). Errors: `EINVAL` when what has to be zero is
/// not; `ESRCH`; `EACCES` when somebody else is told of changes; `ENOENT` when nothing changed.
pub fn state(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlGetDomainState = call.op.arm();
    if arg.pad0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let state = if call.op.domain != DOMID_INVALID {
        let dom = call.any_target(cx)?;
        domain::state(&dom)
    } else if !event::handles(cx.hv, cx.dom, VIRQ_DOM_EXC) {
        return Err(Errno::EACCES.into());
    } else {
        call.op.domain = cx.hv.changes.take().ok_or(Errno::ENOENT)?;
        let found = cx.hv.domains.any(call.op.domain.into());
        found.map(|dom| domain::state(&dom)).unwrap_or_default()
    };
    call.op.set_arm(&state);
    call.changed = true;
    Ok(0)
}
