//! The `vcpu_op` hypercall: `vcpu.h`.
#![allow(non_upper_case_globals)]

use super::{NEVER, Timer, area, set_period};
use crate::cx::Cx;
use crate::domain::Vcpu;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::arch_x86::VcpuGuestContext;
use xen_abi::sched::SHUTDOWN_poweroff;
use xen_abi::vcpu::*;
use zerocopy::{FromZeros, IntoBytes};

/// Shortest period of a periodic timer, nanoseconds.
const MIN_PERIOD: u64 = 1_000_000;
/// Longest.
const MAX_PERIOD: u64 = i64::MAX as u64 >> 2;

/// The `vcpu_op` hypercall. Errors: `ENOENT` for a vCPU that there is not, `ENOSYS`, and each
/// operation's own.
pub fn vcpu_op(cx: &mut Cx, [cmd, id, arg]: [u64; 3]) -> HyperResult {
    let dom = cx.dom;
    let vcpu = dom.vcpu(id as u32).ok_or(Errno::ENOENT)?;
    match cmd as u32 {
        VCPUOP_set_singleshot_timer => set_singleshot(cx, vcpu, arg),
        VCPUOP_stop_singleshot_timer => {
            own(cx, vcpu)?;
            cx.hv.clocks.timers.stop(cx.cpu, vcpu, Timer::Singleshot);
            Ok(0)
        }
        VCPUOP_is_up => Ok(vcpu.sched.online().into()),
        VCPUOP_initialise => initialise(cx, vcpu, arg),
        VCPUOP_up => up(cx, vcpu),
        VCPUOP_down => down(cx, vcpu),
        VCPUOP_get_runstate_info => {
            let info = cx.hv.sched.account(cx.cpu, vcpu);
            cx.copy_out(GuestPtr::new(arg), &info)?;
            Ok(0)
        }
        VCPUOP_register_runstate_memory_area => area::register_runstate(cx, vcpu, arg),
        VCPUOP_set_periodic_timer => {
            let set: VcpuSetPeriodicTimer = cx.copy_in(GuestPtr::new(arg))?;
            if !(MIN_PERIOD..=MAX_PERIOD).contains(&set.period_ns) {
                return Err(Errno::EINVAL.into());
            }
            set_period(cx.hv, cx.cpu, vcpu, set.period_ns)?;
            Ok(0)
        }
        VCPUOP_stop_periodic_timer => {
            set_period(cx.hv, cx.cpu, vcpu, 0)?;
            Ok(0)
        }
        VCPUOP_register_vcpu_info => area::register_vcpu_info(cx, vcpu, arg),
        VCPUOP_send_nmi => send_nmi(cx, vcpu, arg),
        VCPUOP_get_physid => get_physid(cx, vcpu, arg),
        VCPUOP_register_vcpu_time_memory_area => area::register_time(cx, vcpu, arg),
        VCPUOP_register_runstate_phys_area => area::register_runstate_frame(cx, vcpu, arg),
        VCPUOP_register_vcpu_time_phys_area => area::register_time_frame(cx, vcpu, arg),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// `EINVAL` unless `vcpu` is the one that called.
#[inline]
fn own(cx: &Cx, vcpu: &Arc<Vcpu>) -> Result<(), Fail> {
    if Arc::ptr_eq(cx.vcpu, vcpu) {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// Arms the one-shot timer. `VCPU_SSHOTTMR_future` is without effect, as in Xen since 4.18: a
/// deadline that is past fires at once.
#[inline]
fn set_singleshot(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    own(cx, vcpu)?;
    let set: VcpuSetSingleshotTimer = cx.copy_in(GuestPtr::new(arg))?;
    // The last instant of all stands for "not armed".
    let due = set.timeout_abs_ns.min(NEVER - 1);
    cx.hv
        .clocks
        .timers
        .set(cx.cpu, vcpu, Timer::Singleshot, due)?;
    Ok(0)
}

/// Gives a vCPU that never ran its first state. Errors: `EINVAL` without a `vcpu_info`,
/// `EEXIST`, `EFAULT`, `ENOMEM`, and whatever is wrong with the context.
fn initialise(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    if cx.dom.hvm.get().is_some() {
        return crate::hvm::op::initialise(cx, vcpu, arg);
    }
    if vcpu.info().is_none() {
        return Err(Errno::EINVAL.into());
    }
    // The context is too large for the stack.
    let mut context: Vec<VcpuGuestContext> = Vec::new();
    context.try_reserve_exact(1).map_err(|_| Errno::ENOMEM)?;
    context.push(VcpuGuestContext::new_zeroed());
    cx.copy_in_bytes(GuestPtr::new(arg), context.as_mut_bytes())?;
    let context = context.first().ok_or(Errno::ENOMEM)?;
    if vcpu.sched.initialised.load(Ordering::Acquire) {
        return Err(Errno::EEXIST.into());
    }
    // Held only by another initialise of the same vCPU.
    let mut state = vcpu.state.try_lock().ok_or(Fail::Restart)?;
    if vcpu.sched.initialised.load(Ordering::Acquire) {
        return Err(Errno::EEXIST.into());
    }
    crate::pv::context::set(cx.hv, cx.cpu, cx.dom, &mut state, context)?;
    vcpu.sched.initialised.store(true, Ordering::Release);
    Ok(0)
}

/// Brings a vCPU up. Errors: `EINVAL` when it has no `vcpu_info` or no state yet.
fn up(cx: &mut Cx, vcpu: &Arc<Vcpu>) -> HyperResult {
    if vcpu.info().is_none() || !vcpu.sched.initialised.load(Ordering::Acquire) {
        return Err(Errno::EINVAL.into());
    }
    if !vcpu.sched.online() {
        cx.hv.sched.set_online(cx.cpu, cx.dom, vcpu, true);
    }
    Ok(0)
}

/// Takes a vCPU down; with the last one the domain powers off.
fn down(cx: &mut Cx, vcpu: &Arc<Vcpu>) -> HyperResult {
    let others = cx
        .dom
        .all_vcpus()
        .any(|other| other.id != vcpu.id && other.sched.online());
    if others {
        cx.hv.sched.set_online(cx.cpu, cx.dom, vcpu, false);
    } else {
        cx.dom.shut_down(cx.hv, cx.cpu, SHUTDOWN_poweroff);
    }
    cx.reschedule();
    Ok(0)
}

/// Sends an NMI. Errors: `EINVAL` with an argument.
fn send_nmi(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    if arg != 0 {
        return Err(Errno::EINVAL.into());
    }
    if !vcpu.nmi_pending.swap(true, Ordering::SeqCst) {
        cx.hv.sched.notify(cx.cpu, cx.dom, vcpu);
    }
    Ok(0)
}

/// The APIC and ACPI ids of the CPU under a vCPU of the control domain that is pinned to it.
/// Errors: `EINVAL` for any other.
fn get_physid(cx: &mut Cx, vcpu: &Arc<Vcpu>, arg: u64) -> HyperResult {
    let pinned = cx.dom.privileged && cx.hv.sched.is_pinned(vcpu);
    let cpu = vcpu.sched.cpu.load(Ordering::Relaxed);
    let found = cx
        .hv
        .platform
        .cpus
        .get(cpu as usize)
        .filter(|_| pinned)
        .ok_or(Errno::EINVAL)?;
    let phys_id = u64::from(found.apic_id) | u64::from(found.acpi_id) << 32;
    cx.copy_out(GuestPtr::new(arg), &VcpuGetPhysid { phys_id })?;
    Ok(0)
}
