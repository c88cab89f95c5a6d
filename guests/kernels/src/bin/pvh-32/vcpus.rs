//! `vcpu_op`, timers and polling in 32-bit form.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem;
use guest_rt::pvh::narrow::{self, call, low, op};
use guest_rt::time::{MS, now};
use guest_rt::{all_refused, check, events, ok, pvh, refused, same};
use xen_abi::event_channel::*;
use xen_abi::hvm::VcpuHvmX8632;
use xen_abi::hypercall as nr;
use xen_abi::sched::{SCHEDOP_poll, SchedPoll};
use xen_abi::vcpu::*;
use xen_abi::xen::VIRQ_TIMER;

pub fn vcpu(cmd: u32, id: u32, at: u32) -> HyperResult {
    call(nr::VCPU_OP, [cmd, id, at, 0, 0])
}

pub fn runstate() -> Outcome {
    let page = mem::alloc();
    page.set(5, u64::MAX);
    ok!(vcpu(VCPUOP_get_runstate_info, 0, low(page)));
    let info: VcpuRunstateInfo = narrow::take(page, 0);
    same!(info.state, RUNSTATE_running);
    check!(info.time[0] != 0 && info.time[0] < 1 << 50, "{info:x?}");
    check!(info.state_entry_time < 1 << 50, "{info:x?}");
    // It has 44 bytes.
    same!(page.get(5) >> 32, 0xffff_ffff);
    same!(ok!(vcpu(VCPUOP_is_up, 0, 0)), 1);
    same!(ok!(vcpu(VCPUOP_is_up, 1, 0)), 0);
    refused!(vcpu(VCPUOP_is_up, 500, 0), ENOENT);
    Ok(())
}

/// Areas by pointers of 32 bits.
pub fn areas() -> Outcome {
    let [page, area] = [mem::alloc(), mem::alloc()];
    for cmd in [
        VCPUOP_register_runstate_memory_area,
        VCPUOP_register_vcpu_time_memory_area,
    ] {
        area.set(1, 0);
        page.set(0, low(area).into());
        ok!(vcpu(cmd, 0, low(page)));
        check!(area.get(1) != 0, "{cmd}: nothing was written");
        page.set(0, 0);
        ok!(vcpu(cmd, 0, low(page)));
        refused!(vcpu(cmd, 0, 0xffff_fffc), EFAULT);
    }
    // The field's other half is not the pointer's.
    page.set(0, 1 << 32 | u64::from(low(area)));
    ok!(vcpu(VCPUOP_register_runstate_memory_area, 0, low(page)));
    page.set(0, 0);
    ok!(vcpu(VCPUOP_register_runstate_memory_area, 0, low(page)));
    Ok(())
}

pub fn timers() -> Outcome {
    let page = mem::alloc();
    let [high, low_half] = [now() >> 32, now() & 0xffff_ffff].map(|half| half as u32);
    ok!(call(nr::SET_TIMER_OP, [low_half, high + 1, 0, 0, 0]));
    ok!(call(nr::SET_TIMER_OP, [0, 0, 0, 0, 0]));
    let mut timer = VcpuSetSingleshotTimer {
        timeout_abs_ns: now() + 3_600_000 * MS,
        ..Default::default()
    };
    ok!(narrow_vcpu(VCPUOP_set_singleshot_timer, &timer));
    ok!(vcpu(VCPUOP_stop_singleshot_timer, 0, 0));
    timer.flags = 0;
    let mut period = VcpuSetPeriodicTimer { period_ns: 1 };
    let set = VCPUOP_set_periodic_timer;
    refused!(narrow_vcpu(set, &period), EINVAL);
    period.period_ns = 1000 * MS;
    ok!(narrow_vcpu(set, &period));
    ok!(vcpu(VCPUOP_stop_periodic_timer, 0, 0));
    // A structure of 12 bytes may end where memory does.
    let run = mem::alloc();
    let top = pvh::map_top(run, mem::pte::P | mem::pte::RW);
    timer.timeout_abs_ns = now() + 3_600_000 * MS;
    narrow::put(run, 4096 - 12, &timer);
    ok!(vcpu(VCPUOP_set_singleshot_timer, 0, top + 4096 - 12));
    ok!(vcpu(VCPUOP_stop_singleshot_timer, 0, 0));
    refused!(vcpu(VCPUOP_set_singleshot_timer, 0, top + 4096 - 8), EFAULT);
    pvh::map_top(run, 0);
    page.set(0, 0);
    Ok(())
}

fn narrow_vcpu<T: xen_abi::compat::Layout>(cmd: u32, arg: &T) -> HyperResult {
    let page = mem::alloc();
    narrow::put(page, 0, arg);
    vcpu(cmd, 0, low(page))
}

/// A poll for the timer's port, which 32-bit code arms, ends when it fires.
pub fn poll() -> Outcome {
    let [page, list] = [mem::alloc(), mem::alloc()];
    let mut bind = EvtchnBindVirq {
        virq: VIRQ_TIMER,
        ..Default::default()
    };
    ok!(op(
        page,
        nr::EVENT_CHANNEL_OP,
        EVTCHNOP_bind_virq,
        &mut bind
    ));
    list.dword(0).store(bind.port, SeqCst);
    let due = now() + 20 * MS;
    let args = [due as u32, (due >> 32) as u32, 0, 0, 0];
    ok!(call(nr::SET_TIMER_OP, args));
    let mut arg = SchedPoll {
        ports: low(list).into(),
        nr_ports: 1,
        timeout: now() + 2000 * MS,
        ..Default::default()
    };
    ok!(op(page, nr::SCHED_OP, SCHEDOP_poll, &mut arg));
    check!(now() >= due && now() < due + 1000 * MS, "at {}", now());
    check!(events::take(bind.port), "not pending");
    mem::shared_info().byte(0).store(0, SeqCst);
    // Nothing comes, but the time.
    arg.timeout = now() + 20 * MS;
    ok!(op(page, nr::SCHED_OP, SCHEDOP_poll, &mut arg));
    check!(now() >= arg.timeout, "early");
    arg.nr_ports = 129;
    refused!(op(page, nr::SCHED_OP, SCHEDOP_poll, &mut arg), EINVAL);
    (arg.nr_ports, arg.ports) = (1, 0xffff_fffe);
    refused!(op(page, nr::SCHED_OP, SCHEDOP_poll, &mut arg), EFAULT);
    ok!(events::close(bind.port));
    Ok(())
}

/// States that no processor begins in.
pub fn initialise_refused() -> Outcome {
    let [page, mailbox] = [mem::alloc(), mem::alloc()];
    let with = |change: fn(&mut VcpuHvmX8632)| {
        let mut state = narrow::state(mailbox);
        change(&mut state);
        narrow::initialise(page, &state)
    };
    all_refused! {
        with(|s| s.pad1 = 1) => EINVAL;
        with(|s| s.pad2[2] = 1) => EINVAL;
        with(|s| s.cs_ar = 0xc93) => EINVAL;
        with(|s| s.cs_ar = 0) => EINVAL;
        with(|s| s.cs_ar = 0xc1b) => EINVAL;
        with(|s| s.cs_ar |= 1 << 12) => EINVAL;
        with(|s| s.ss_ar = 0xc91) => EINVAL;
        with(|s| s.ss_ar = 0xc9b) => EINVAL;
        with(|s| s.ss_ar = 0) => EINVAL;
        with(|s| s.ss_ar |= 3 << 5) => EINVAL;
        with(|s| s.ds_ar = 0xc99) => EINVAL;
        with(|s| s.ds_ar |= 3 << 5) => EINVAL;
        with(|s| s.es_ar = 0x82) => EINVAL;
        with(|s| s.tr_ar = 0x81) => EINVAL;
        with(|s| s.tr_ar = 0x9b) => EINVAL;
        with(|s| (s.cs_ar, s.cs_limit) = (0x49b, 0xff)) => EINVAL;
        with(|s| s.efer = 1 << 10) => EINVAL;
        with(|s| s.efer = 1 << 13) => EINVAL;
        with(|s| s.cr4 = 1 << 30) => EINVAL;
        vcpu(VCPUOP_initialise, 500, low(page)) => ENOENT;
        vcpu(VCPUOP_initialise, 1, 0xffff_ff00) => EFAULT;
        vcpu(VCPUOP_up, 1, 0) => EINVAL;
    }
    page.set(0, 7);
    refused!(vcpu(VCPUOP_initialise, 1, low(page)), EINVAL);
    Ok(())
}
