//! What a domain is entitled to: `XEN_DOMCTL_scheduler_op`.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// `XEN_DOMCTL_scheduler_op`. Errors: `EINVAL` when the domain's pool has another scheduler, for
/// an unknown command, or a value out of range.
pub fn call(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let mut arg: DomctlSchedulerOp = call.op.arm();
    if arg.sched_id != cx.hv.sched.pool_of(&dom).ok_or(Errno::EINVAL)?.sched_id {
        return Err(Errno::EINVAL.into());
    }
    match arg.sched_id {
        XEN_SCHEDULER_CREDIT2 => credit2(cx, &dom, &mut arg)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// Weight and cap. A weight of 0 leaves it as it is.
fn credit2(cx: &mut Cx, dom: &Domain, arg: &mut DomctlSchedulerOp) -> Result<(), Errno> {
    match arg.cmd {
        XEN_DOMCTL_SCHEDOP_getinfo => {
            arg.set_arm(&DomctlSchedCredit2 {
                weight: dom.share.weight() as u16,
                cap: dom.share.cap() as u16,
            });
            Ok(())
        }
        XEN_DOMCTL_SCHEDOP_putinfo => {
            let DomctlSchedCredit2 { weight, cap } = arg.arm();
            let most = (dom.all_vcpus().count() as u64).saturating_mul(100);
            if u64::from(cap) > most {
                return Err(Errno::EINVAL);
            }
            let weight = match weight {
                0 => dom.share.weight(),
                weight => weight.into(),
            };
            dom.share.set(weight, cap.into());
            cx.hv.sched.share_changed(cx.cpu, dom);
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}
