//! What a domain is entitled to: `XEN_DOMCTL_scheduler_op`.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

use super::Call;
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::sched::policy::RealTime;
use alloc::sync::Arc;
use machine::CpuApi;
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
        XEN_SCHEDULER_RTDS => rtds(cx, &dom, &mut arg)?,
        // There is nothing to set, and nothing to tell.
        XEN_SCHEDULER_NULL if arg.cmd <= XEN_DOMCTL_SCHEDOP_getvcpuinfo => {}
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

/// Least period and budget, microseconds.
const SHORTEST_US: u32 = 10;
/// Longest period, microseconds.
const LONGEST_US: u32 = 10_000_000;

/// Periods and budgets: of all vCPUs at once, or of those named. The number of those that were
/// served is told: it may be less than asked for. Errors: `EINVAL`, `EFAULT`.
fn rtds(cx: &mut Cx, dom: &Domain, arg: &mut DomctlSchedulerOp) -> Result<(), Fail> {
    match arg.cmd {
        XEN_DOMCTL_SCHEDOP_getinfo => {
            arg.set_arm(&told(RealTime::default()));
            Ok(())
        }
        XEN_DOMCTL_SCHEDOP_putinfo => {
            let wanted: DomctlSchedRtds = arg.arm();
            for vcpu in dom.all_vcpus() {
                let extra = vcpu.sched.real_time().extra;
                let to = checked(wanted, extra)?;
                cx.hv.sched.set_real_time(cx.cpu, vcpu, to);
            }
            Ok(())
        }
        cmd @ (XEN_DOMCTL_SCHEDOP_getvcpuinfo | XEN_DOMCTL_SCHEDOP_putvcpuinfo) => {
            let mut list: DomctlSchedulerOpV = arg.arm();
            let mut done = 0u32;
            while done < list.nr_vcpus {
                let at = GuestPtr::<DomctlSchedparamVcpu>::new(list.vcpus).add(done.into());
                one_vcpu(cx, dom, cmd, at)?;
                done = done.saturating_add(1);
                if done >= 64 && cx.cpu.work_pending() {
                    break;
                }
            }
            list.nr_vcpus = done;
            arg.set_arm(&list);
            Ok(())
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn one_vcpu(
    cx: &mut Cx,
    dom: &Domain,
    cmd: u32,
    at: GuestPtr<DomctlSchedparamVcpu>,
) -> Result<(), Errno> {
    let mut entry = cx.copy_in(at)?;
    let vcpu: &Arc<Vcpu> = dom.vcpu(entry.vcpuid).ok_or(Errno::EINVAL)?;
    if cmd == XEN_DOMCTL_SCHEDOP_getvcpuinfo {
        entry.set_arm(&told(vcpu.sched.real_time()));
        return cx.copy_out(at, &entry);
    }
    let wanted: DomctlSchedRtds = entry.arm();
    let to = checked(wanted, wanted.flags & XEN_DOMCTL_SCHEDRT_extra != 0)?;
    cx.hv.sched.set_real_time(cx.cpu, vcpu, to);
    Ok(())
}

fn told(real_time: RealTime) -> DomctlSchedRtds {
    let us = |ns: u64| u32::try_from(ns / 1000).unwrap_or(u32::MAX);
    DomctlSchedRtds {
        period: us(real_time.period_ns),
        budget: us(real_time.budget_ns),
        flags: if real_time.extra {
            XEN_DOMCTL_SCHEDRT_extra
        } else {
            0
        },
    }
}

fn checked(wanted: DomctlSchedRtds, extra: bool) -> Result<RealTime, Errno> {
    let DomctlSchedRtds { period, budget, .. } = wanted;
    if !(SHORTEST_US..=LONGEST_US).contains(&period) || !(SHORTEST_US..=period).contains(&budget) {
        return Err(Errno::EINVAL);
    }
    Ok(RealTime {
        period_ns: u64::from(period).saturating_mul(1000),
        budget_ns: u64::from(budget).saturating_mul(1000),
        extra,
    })
}
