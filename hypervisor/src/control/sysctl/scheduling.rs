//! Schedulers and their settings.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;
use xen_abi::domctl::XEN_SCHEDULER_CREDIT2;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_sched_id`: the scheduler of new pools, chosen at boot.
pub fn id(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let sched_id = cx.hv.sched.default_id();
    call.op.set_arm(&SysctlSchedId { sched_id });
    call.changed = true;
    Ok(0)
}

/// `XEN_SYSCTL_scheduler_op`: settings of a pool's scheduler. Errors: `ESRCH` without such a
/// pool; `EINVAL` when it has another scheduler, one without settings, or for a value out of
/// range.
pub fn settings(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlSchedulerOp = call.op.arm();
    let known = [XEN_SYSCTL_SCHEDOP_putinfo, XEN_SYSCTL_SCHEDOP_getinfo];
    if !known.contains(&arg.cmd) {
        return Err(Errno::EINVAL.into());
    }
    let pool = cx.hv.sched.pool(arg.cpupool_id).ok_or(Errno::ESRCH)?;
    if arg.sched_id != pool.sched_id || arg.sched_id != XEN_SCHEDULER_CREDIT2 {
        return Err(Errno::EINVAL.into());
    }
    if arg.cmd == XEN_SYSCTL_SCHEDOP_putinfo {
        let SysctlCredit2Schedule { ratelimit_us } = arg.arm();
        let range = XEN_SYSCTL_SCHED_RATELIMIT_MIN..=XEN_SYSCTL_SCHED_RATELIMIT_MAX;
        if ratelimit_us != 0 && !range.contains(&ratelimit_us) {
            return Err(Errno::EINVAL.into());
        }
        cx.hv.sched.set_rate_limit(pool.id, ratelimit_us)?;
    }
    let ratelimit_us = cx.hv.sched.rate_limit(pool.id).ok_or(Errno::ESRCH)?;
    arg.set_arm(&SysctlCredit2Schedule { ratelimit_us });
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}
