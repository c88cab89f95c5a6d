//! Where a domain's vCPUs may run, and where they are.

use super::Call;
use crate::control::bitmap;
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::fail::{Fail, HyperResult};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::CpuMask;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::vcpu::RUNSTATE_running;
use xen_abi::xen::XenctlBitmap;

/// vCPU `id` of the domain. Errors: `EINVAL` beyond what the domain may have, `ESRCH` for one
/// that was not made.
fn vcpu_of(dom: &Domain, id: u32) -> Result<&Arc<Vcpu>, Errno> {
    if id as usize >= dom.vcpus.len() {
        return Err(Errno::EINVAL);
    }
    dom.vcpu(id).ok_or(Errno::ESRCH)
}

fn affinity_args(call: &Call) -> Result<DomctlVcpuaffinity, Fail> {
    let arg: DomctlVcpuaffinity = call.op.arm();
    let lacks = |flag: u32, map: &XenctlBitmap| arg.flags & flag != 0 && map.bitmap == 0;
    if arg.flags == 0
        || lacks(XEN_VCPUAFFINITY_HARD, &arg.cpumap_hard)
        || lacks(XEN_VCPUAFFINITY_SOFT, &arg.cpumap_soft)
    {
        return Err(Errno::EINVAL.into());
    }
    Ok(arg)
}

/// `XEN_DOMCTL_setvcpuaffinity`: sets either or both, and returns what they come to among the
/// CPUs of the domain's pool. Errors: `EINVAL` without a map, for a vCPU number that is too
/// high, or when the vCPU could run nowhere; `ESRCH`; `EFAULT`; `EBUSY` while it is pinned for a
/// while, unless forced.
pub fn set_affinity(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let arg = affinity_args(call)?;
    let vcpu = vcpu_of(&dom, arg.vcpu)?;
    let (mut hard, mut soft) = vcpu.sched.affinity();
    if arg.flags & XEN_VCPUAFFINITY_HARD != 0 {
        hard = bitmap::cpus_in(cx, &arg.cpumap_hard)?;
    }
    if arg.flags & XEN_VCPUAFFINITY_SOFT != 0 {
        soft = bitmap::cpus_in(cx, &arg.cpumap_soft)?;
    }
    if arg.flags & XEN_VCPUAFFINITY_FORCE != 0 {
        // Not pinned is as well.
        let _ = cx.hv.sched.pin_override(cx.cpu, &dom, vcpu, None);
    }
    if arg.flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) == 0 {
        return Ok(0);
    }
    cx.hv.sched.set_affinity(cx.cpu, &dom, vcpu, &hard, &soft)?;
    let may = hard.intersect(&cx.hv.sched.cpus_of(&dom));
    let should = soft.intersect(&may);
    if arg.flags & XEN_VCPUAFFINITY_HARD != 0 {
        bitmap::cpus_out(cx, &arg.cpumap_hard, &may)?;
    }
    if arg.flags & XEN_VCPUAFFINITY_SOFT != 0 {
        bitmap::cpus_out(cx, &arg.cpumap_soft, &should)?;
    }
    Ok(0)
}

/// `XEN_DOMCTL_getvcpuaffinity`: as it was set. Errors: `EINVAL` without a map or for a vCPU
/// number that is too high; `ESRCH`; `EFAULT`.
pub fn affinity(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let arg = affinity_args(call)?;
    let (hard, soft) = vcpu_of(&dom, arg.vcpu)?.sched.affinity();
    let all = cx.hv.all_cpus();
    if arg.flags & XEN_VCPUAFFINITY_HARD != 0 {
        bitmap::cpus_out(cx, &arg.cpumap_hard, &hard.intersect(&all))?;
    }
    if arg.flags & XEN_VCPUAFFINITY_SOFT != 0 {
        bitmap::cpus_out(cx, &arg.cpumap_soft, &soft.intersect(&all))?;
    }
    Ok(0)
}

/// `XEN_DOMCTL_getvcpuinfo`. Errors: `EINVAL`, `ESRCH`.
pub fn vcpu_info(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let mut arg: DomctlGetvcpuinfo = call.op.arm();
    let vcpu = vcpu_of(&dom, arg.vcpu)?;
    let account = cx.hv.sched.account(cx.cpu, vcpu);
    arg.online = vcpu.sched.online().into();
    arg.blocked = vcpu.sched.is_blocked().into();
    arg.running = vcpu.sched.is_running().into();
    let running = account.time.get(RUNSTATE_running as usize);
    arg.cpu_time = running.copied().unwrap_or(0);
    arg.cpu = vcpu.sched.cpu.load(Ordering::Relaxed);
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_setnodeaffinity`: there is one node, so it is that or an error. Errors: `EINVAL`,
/// `EFAULT`.
pub fn set_node_affinity(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    let arg: DomctlNodeaffinity = call.op.arm();
    if bitmap::cpus_in(cx, &arg.nodemap)?.contains(0) {
        Ok(0)
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// `XEN_DOMCTL_getnodeaffinity`. Errors: `EFAULT`.
pub fn node_affinity(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    let arg: DomctlNodeaffinity = call.op.arm();
    bitmap::cpus_out(cx, &arg.nodemap, &CpuMask::one(0))?;
    Ok(0)
}
