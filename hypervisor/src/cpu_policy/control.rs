//! What the tools ask and set: `XEN_SYSCTL_get_cpu_policy`, `_featureset`, `_levelling_caps`,
//! `XEN_DOMCTL_get_cpu_policy` and `set_cpu_policy`.
#![allow(
    non_upper_case_globals,
    reason = "numbers are named as in Xen's headers"
)]

use super::wire::{self, Culprit};
use super::{Policy, WORDS, build};
use crate::control::{domctl, sysctl};
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use xen_abi::Errno;
use xen_abi::domctl::DomctlCpuPolicy;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// `XEN_SYSCTL_get_cpu_levelling_caps`: what can be hidden from guests' own CPUID instruction.
/// Everything where it can fault; what they ask the hypervisor for is answered from their policy
/// anyway.
pub fn levelling_caps(cx: &mut Cx, call: &mut sysctl::Call) -> HyperResult {
    let caps = if build::has_faults(&cx.hv.policies.host) {
        XEN_SYSCTL_CPU_LEVELCAP_faulting
    } else {
        0
    };
    call.op.set_arm(&SysctlCpuLevellingCaps { caps });
    call.changed = true;
    Ok(0)
}

/// The policy with this number of `XEN_SYSCTL_cpu_policy_*`. Errors: `EINVAL`; `EOPNOTSUPP` for
/// hardware-virtualised guests where there are none.
fn system(cx: &Cx, index: u32) -> Result<Arc<Policy>, Fail> {
    let all = &cx.hv.policies;
    let hvm = all.hvm.as_ref();
    let policy = match index {
        XEN_SYSCTL_cpu_policy_raw => Some(&all.raw),
        XEN_SYSCTL_cpu_policy_host => Some(&all.host),
        XEN_SYSCTL_cpu_policy_pv_max => Some(&all.pv_max),
        XEN_SYSCTL_cpu_policy_hvm_max => hvm.map(|hvm| &hvm.max),
        XEN_SYSCTL_cpu_policy_pv_default => Some(&all.pv_default),
        XEN_SYSCTL_cpu_policy_hvm_default => hvm.map(|hvm| &hvm.default),
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(policy.ok_or(Errno::EOPNOTSUPP)?.clone())
}

/// `XEN_SYSCTL_get_cpu_featureset`. Errors: `EINVAL`, `EOPNOTSUPP`, `EFAULT`; `ENOBUFS` when
/// there are more words than room, after those that fit.
pub fn featureset(cx: &mut Cx, call: &mut sysctl::Call) -> HyperResult {
    let mut arm: SysctlCpuFeatureset = call.op.arm();
    let policy = match arm.index {
        XEN_SYSCTL_cpu_featureset_raw => XEN_SYSCTL_cpu_policy_raw,
        XEN_SYSCTL_cpu_featureset_host => XEN_SYSCTL_cpu_policy_host,
        XEN_SYSCTL_cpu_featureset_pv => XEN_SYSCTL_cpu_policy_pv_default,
        XEN_SYSCTL_cpu_featureset_hvm => XEN_SYSCTL_cpu_policy_hvm_default,
        XEN_SYSCTL_cpu_featureset_pv_max => XEN_SYSCTL_cpu_policy_pv_max,
        XEN_SYSCTL_cpu_featureset_hvm_max => XEN_SYSCTL_cpu_policy_hvm_max,
        _ => return Err(Errno::EINVAL.into()),
    };
    let to = GuestPtr::<u32>::new(arm.features);
    // Their number is known without any policy.
    let room = if to.is_null() {
        WORDS
    } else {
        let features = system(cx, policy)?.features();
        let room = (arm.nr_features as usize).min(WORDS);
        for (n, word) in (0..).zip(features.0.iter().take(room)) {
            cx.copy_out(to.add(n), word)?;
        }
        room
    };
    arm.nr_features = room as u32;
    call.op.set_arm(&arm);
    call.changed = true;
    if room < WORDS {
        return Err(Errno::ENOBUFS.into());
    }
    Ok(0)
}

/// `XEN_SYSCTL_get_cpu_policy`. Errors: `EINVAL`, `EOPNOTSUPP`, `ENOBUFS`, `EFAULT`.
pub fn system_policy(cx: &mut Cx, call: &mut sysctl::Call) -> HyperResult {
    let mut arm: SysctlCpuPolicy = call.op.arm();
    if arm._rsvd != 0 {
        return Err(Errno::EINVAL.into());
    }
    let policy = system(cx, arm.index)?;
    arm.nr_leaves = wire::write_leaves(cx, &policy, GuestPtr::new(arm.leaves), arm.nr_leaves)?;
    arm.nr_msrs = wire::write_msrs(cx, &policy, GuestPtr::new(arm.msrs), arm.nr_msrs)?;
    call.op.set_arm(&arm);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_get_cpu_policy`. Errors: `ESRCH`, `ENOBUFS`, `EFAULT`.
pub fn get_policy(cx: &mut Cx, call: &mut domctl::Call) -> HyperResult {
    let dom = call.target(cx)?;
    let mut arm: DomctlCpuPolicy = call.op.arm();
    let policy = dom.chosen_cpu_policy(cx.hv);
    arm.nr_leaves = wire::write_leaves(cx, &policy, GuestPtr::new(arm.leaves), arm.nr_leaves)?;
    arm.nr_msrs = wire::write_msrs(cx, &policy, GuestPtr::new(arm.msrs), arm.nr_msrs)?;
    call.op.set_arm(&arm);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_set_cpu_policy`: what is passed replaces part or all of what the domain has.
/// Errors: `ESRCH`; `EINVAL` for the caller's own domain; `EEXIST` when the domain ran already;
/// those of reading it, and `EINVAL` when it is more than there can be, with the culprit.
pub fn set_policy(cx: &mut Cx, call: &mut domctl::Call) -> HyperResult {
    let dom = call.target(cx)?;
    if Arc::ptr_eq(&dom, cx.dom) {
        return Err(Errno::EINVAL.into());
    }
    if dom.cpu_policy_is_fixed() {
        return Err(Errno::EEXIST.into());
    }
    let mut arm: DomctlCpuPolicy = call.op.arm();
    let base = dom.chosen_cpu_policy(cx.hv);
    let max = dom.most_cpu_policy(cx.hv);
    match read(cx, &base, max, &arm) {
        Ok(policy) => {
            let done = dom.choose_cpu_policy(Arc::new(policy));
            Ok(done.then_some(0).ok_or(Errno::EEXIST)?)
        }
        Err((errno, culprit)) => {
            [arm.err_leaf, arm.err_subleaf, arm.err_msr] = culprit;
            call.op.set_arm(&arm);
            call.changed = true;
            Err(errno.into())
        }
    }
}

fn read(
    cx: &mut Cx,
    base: &Policy,
    max: &Policy,
    arm: &DomctlCpuPolicy,
) -> Result<Policy, (Errno, Culprit)> {
    let mut policy = base.clone();
    wire::read_leaves(cx, &mut policy, GuestPtr::new(arm.leaves), arm.nr_leaves)?;
    wire::read_msrs(cx, &mut policy, GuestPtr::new(arm.msrs), arm.nr_msrs)?;
    build::check(&policy, max).map_err(|culprit| (Errno::EINVAL, culprit))?;
    build::constrain(&mut policy, &cx.hv.policies.raw, max);
    Ok(policy)
}
