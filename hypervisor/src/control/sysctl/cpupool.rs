//! Pools of CPUs: `XEN_SYSCTL_cpupool_op`.

use super::Call;
use crate::control::bitmap;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use xen_abi::Errno;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_cpupool_op`. Errors: `ENOENT` without such a pool, `ENOSYS`, the operation's own
/// (see [`crate::sched::Scheduler`]).
pub fn call(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: SysctlCpupoolOp = call.op.arm();
    let sched = &cx.hv.sched;
    match arg.op {
        XEN_SYSCTL_CPUPOOL_OP_CREATE => {
            arg.cpupool_id = sched.create_pool(arg.cpupool_id, arg.sched_id)?;
        }
        XEN_SYSCTL_CPUPOOL_OP_DESTROY => sched.destroy_pool(cx.hv, arg.cpupool_id)?,
        XEN_SYSCTL_CPUPOOL_OP_INFO => info(cx, &mut arg)?,
        XEN_SYSCTL_CPUPOOL_OP_ADDCPU => sched.add_cpu(cx.cpu, arg.cpupool_id, arg.cpu)?,
        XEN_SYSCTL_CPUPOOL_OP_RMCPU => {
            let done = sched.remove_cpu(cx.hv, cx.cpu, arg.cpupool_id, arg.cpu);
            if done == Err(Fail::Restart) {
                // It may be this CPU that has to be left.
                cx.reschedule();
            }
            done?;
        }
        XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN => move_domain(cx, &arg)?,
        XEN_SYSCTL_CPUPOOL_OP_FREEINFO => {
            let free = sched.free_cpus();
            bitmap::cpus_out(cx, &arg.cpumap, &free)?;
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// The first pool with at least this number.
fn info(cx: &mut Cx, arg: &mut SysctlCpupoolOp) -> Result<(), Errno> {
    let pool = cx.hv.sched.pool_from(arg.cpupool_id).ok_or(Errno::ENOENT)?;
    (arg.cpupool_id, arg.sched_id) = (pool.id, pool.sched_id);
    arg.n_dom = cx.hv.sched.pool_domains(cx.hv, pool.id);
    bitmap::cpus_out(cx, &arg.cpumap, &pool.cpus)
}

/// Errors: `ESRCH`; `EPERM` for the caller's own domain, which stays where it is.
fn move_domain(cx: &mut Cx, arg: &SysctlCpupoolOp) -> Result<(), Errno> {
    let id = u16::try_from(arg.domid).map_err(|_| Errno::ESRCH)?;
    let dom = cx.resolve_any(id)?;
    if dom.id == cx.dom.id {
        return Err(Errno::EPERM);
    }
    cx.hv.sched.move_domain(cx.cpu, &dom, arg.cpupool_id)
}
