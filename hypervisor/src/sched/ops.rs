//! The `sched_op` hypercall: `sched.h`.
#![allow(non_upper_case_globals)]

use super::poll::poll;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::time::{NEVER, Timer};
use core::sync::atomic::Ordering;
use machine::CpuApi;
use xen_abi::Errno;
use xen_abi::sched::*;

/// The `sched_op` hypercall. Errors: `ENOSYS`, and each operation's own.
#[inline]
pub fn sched_op(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        SCHEDOP_yield => {
            cx.vcpu.sched.yields.store(true, Ordering::Relaxed);
            cx.reschedule();
            Ok(0)
        }
        SCHEDOP_block => {
            // Others may wait for a table that this vCPU left half put: not while it sleeps.
            cx.tables().finish_old()?;
            block(cx);
            Ok(0)
        }
        SCHEDOP_poll => poll(cx, arg),
        SCHEDOP_shutdown => {
            let SchedShutdown { reason } = cx.copy_in(GuestPtr::new(arg))?;
            cx.dom.shut_down(cx.hv, cx.cpu, reason & 0xff);
            cx.reschedule();
            Ok(0)
        }
        SCHEDOP_shutdown_code => {
            let SchedShutdown { reason } = cx.copy_in(GuestPtr::new(arg))?;
            cx.dom.shutdown_code.store(reason & 0xff, Ordering::Relaxed);
            Ok(0)
        }
        SCHEDOP_remote_shutdown => remote_shutdown(cx, arg),
        SCHEDOP_watchdog => watchdog(cx, arg),
        SCHEDOP_pin_override => pin_override(cx, arg),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Waits for an event, with upcalls open.
#[inline]
fn block(cx: &mut Cx) {
    cx.vcpu.set_upcall_mask(false);
    if cx.vcpu.upcall_pending() {
        return;
    }
    cx.hv.sched.block(cx.vcpu);
    // An event that came between the look and the mark found nobody to wake.
    if cx.vcpu.upcall_pending() {
        cx.hv.sched.unblock_self(cx.vcpu);
    } else {
        cx.reschedule();
    }
}

/// Shuts another domain down. Errors: `ESRCH`, `EPERM`.
fn remote_shutdown(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: SchedRemoteShutdown = cx.copy_in(GuestPtr::new(arg))?;
    let dom = cx.hv.domain(arg.domain_id).ok_or(Errno::ESRCH)?;
    cx.dom.require_privilege()?;
    dom.shut_down(cx.hv, cx.cpu, arg.reason & 0xff);
    if dom.id == cx.dom.id {
        cx.reschedule();
    }
    Ok(0)
}

/// Arms, pokes or disarms one of the domain's two watchdogs. Errors: `EINVAL` for one that is
/// not armed, `ENOSPC` when both are.
fn watchdog(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: SchedWatchdog = cx.copy_in(GuestPtr::new(arg))?;
    let first = cx.dom.vcpu(0).ok_or(Errno::EINVAL)?;
    let in_use = &first.time.watchdogs;
    let due = cx
        .cpu
        .now()
        .saturating_add(u64::from(arg.timeout) * 1_000_000_000);
    let bit = match arg.id {
        0 => {
            let taken = in_use.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |bits| {
                (bits & 3 != 3).then_some(bits | (bits + 1))
            });
            taken.map_err(|_| Errno::ENOSPC)?.trailing_ones()
        }
        id @ (1 | 2) if in_use.load(Ordering::Acquire) >> (id - 1) & 1 != 0 => id - 1,
        _ => return Err(Errno::EINVAL.into()),
    };
    let timer = if bit == 0 {
        Timer::Watchdog0
    } else {
        Timer::Watchdog1
    };
    if arg.id != 0 && arg.timeout == 0 {
        cx.hv.clocks.timers.set(cx.cpu, first, timer, NEVER)?;
        in_use.fetch_and(!(1 << bit), Ordering::AcqRel);
        return Ok(0);
    }
    cx.hv.clocks.timers.set(cx.cpu, first, timer, due)?;
    Ok(if arg.id == 0 { i64::from(bit) + 1 } else { 0 })
}

/// Runs the calling vCPU on one CPU only, or ends that with a negative number. Errors: `EPERM`
/// for any but the control domain, `EINVAL` without such a CPU.
fn pin_override(cx: &mut Cx, arg: u64) -> HyperResult {
    cx.dom.require_privilege()?;
    let SchedPinOverride { pcpu } = cx.copy_in(GuestPtr::new(arg))?;
    let pin = u32::try_from(pcpu).ok();
    if pin.is_some_and(|cpu| cpu >= cx.hv.cpus) {
        return Err(Errno::EINVAL.into());
    }
    cx.hv.sched.pin_override(cx.cpu, cx.dom, cx.vcpu, pin)?;
    cx.reschedule();
    Ok(0)
}
