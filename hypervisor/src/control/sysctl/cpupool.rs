//! Pools of CPUs: `XEN_SYSCTL_cpupool_op`.

use super::Call;
use crate::control::bitmap;
use crate::cx::Cx;
use crate::fail::HyperResult;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_cpupool_op`. Errors: `ENOENT` without such a pool, `ENOSYS`, the operation's own.
pub fn call(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlCpupoolOp = call.op.arm();
    match arg.op {
        XEN_SYSCTL_CPUPOOL_OP_INFO => info(cx, &mut arg)?,
        XEN_SYSCTL_CPUPOOL_OP_FREEINFO => {
            bitmap::cpus_out(cx, &arg.cpumap, &cx.hv.sched.free_cpus())?;
        }
        _ => return Err(Errno::EOPNOTSUPP.into()),
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// The first pool with at least this number.
fn info(cx: &mut Cx, arg: &mut SysctlCpupoolOp) -> Result<(), Errno> {
    let pool = cx.hv.sched.pool_from(arg.cpupool_id).ok_or(Errno::ENOENT)?;
    (arg.cpupool_id, arg.sched_id) = (pool.id, pool.sched_id);
    arg.n_dom = 0;
    let mut next = Some(0u16);
    while let Some(dom) = next.and_then(|id| cx.hv.domains.from(id)) {
        let member = dom.cpupool.load(Ordering::Acquire) == pool.id;
        arg.n_dom = arg.n_dom.saturating_add(member.into());
        next = dom.id.checked_add(1);
    }
    bitmap::cpus_out(cx, &arg.cpumap, &pool.cpus)
}
