//! `sched_op` and the per-vCPU areas.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::events::{self, take};
use guest_rt::harness::Outcome;
use guest_rt::time::{MS, now};
use guest_rt::{check, hypercall, mem, ok, refused, same, traps};
use xen_abi::hypercall::SCHED_OP;
use xen_abi::sched::*;
use xen_abi::shared_info::{VCPU_INFO_SIZE, VCPU_INFO_TIME};
use xen_abi::vcpu::*;

pub fn yields() -> Outcome {
    for _ in 0..10 {
        same!(
            hypercall::call(SCHED_OP, [u64::from(SCHEDOP_yield), 0, 0, 0, 0]),
            Ok(0)
        );
    }
    Ok(())
}

fn poll_ports(ports: &[u32], timeout: u64) -> hypercall::HyperResult {
    let mut arg = SchedPoll {
        ports: ports.as_ptr() as u64,
        nr_ports: ports.len() as u32,
        _pad0: 0,
        timeout,
    };
    hypercall::op(SCHED_OP, SCHEDOP_poll, &mut arg)
}

pub fn poll() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, true);
    // Already pending: returns at once and leaves the bit.
    ok!(hypercall::send(b));
    same!(poll_ports(&[a], 0), Ok(0));
    check!(take(a), "poll took the pending bit");
    // Nothing pending: returns at the deadline.
    let deadline = now() + 10 * MS;
    same!(poll_ports(&[a, b], deadline), Ok(0));
    check!(now() >= deadline, "poll came back early");
    let timer = super::time::timer_port()?;
    events::set_mask(timer, true);
    ok!(hypercall::vcpu(
        VCPUOP_set_singleshot_timer,
        0,
        &mut VcpuSetSingleshotTimer {
            timeout_abs_ns: now() + 5 * MS,
            ..Default::default()
        }
    ));
    same!(poll_ports(&[timer, a], now() + 500 * MS), Ok(0));
    check!(take(timer), "poll did not wait for the timer");
    refused!(poll_ports(&[0x2_0000], now() + MS), EINVAL);
    events::settle(timer);
    for port in [a, b] {
        events::settle(port);
        ok!(events::close(port));
    }
    Ok(())
}

pub fn block() -> Outcome {
    let port = super::time::timer_port()?;
    let before = events::upcalls();
    let deadline = now() + 10 * MS;
    ok!(hypercall::vcpu(
        VCPUOP_set_singleshot_timer,
        0,
        &mut VcpuSetSingleshotTimer {
            timeout_abs_ns: deadline,
            ..Default::default()
        }
    ));
    // Blocking opens the upcall mask, and the event is delivered before block returns.
    ok!(hypercall::call(
        SCHED_OP,
        [u64::from(SCHEDOP_block), 0, 0, 0, 0]
    ));
    let mask = traps::upcall_mask().swap(1, SeqCst);
    check!(now() >= deadline, "woke early");
    same!(mask, 0);
    same!(events::upcalls(), before + 1);
    check!(take(port), "the timer is not pending");
    events::settle(port);
    Ok(())
}

pub fn runstate() -> Outcome {
    let mut info = VcpuRunstateInfo::default();
    ok!(hypercall::vcpu(VCPUOP_get_runstate_info, 0, &mut info));
    same!(info.state, RUNSTATE_running);
    let total: u64 = info.time.iter().sum();
    check!(total > 0 && info.time[0] > 0, "{info:?}");
    let page = mem::alloc();
    ok!(hypercall::vcpu(
        VCPUOP_register_runstate_memory_area,
        0,
        &mut VcpuRegisterRunstateMemoryArea { addr: page.va() }
    ));
    same!(page.dword(0).load(SeqCst) as i32, RUNSTATE_running);
    check!(page.get(1) != 0, "no entry time");
    // Sleeping adds to the blocked time.
    let blocked = page.get(2 + 2);
    same!(poll_ports(&[], now() + 10 * MS), Ok(0));
    let more = page.get(2 + 2).wrapping_sub(blocked);
    check!(
        more >= 5 * MS,
        "blocked time grew by {more} ns in a 10 ms sleep"
    );
    ok!(hypercall::vcpu(
        VCPUOP_register_runstate_memory_area,
        0,
        &mut VcpuRegisterRunstateMemoryArea { addr: 0 }
    ));
    Ok(())
}

pub fn time_area() -> Outcome {
    let page = mem::alloc();
    ok!(hypercall::vcpu(
        VCPUOP_register_vcpu_time_memory_area,
        0,
        &mut VcpuRegisterTimeMemoryArea { addr: page.va() }
    ));
    let info = guest_rt::time::clock();
    same!(page.dword(0).load(SeqCst) & 1, 0);
    same!(page.dword(6).load(SeqCst), info.tsc_to_system_mul);
    check!(page.get(2) != 0, "system_time is 0");
    ok!(hypercall::vcpu(
        VCPUOP_register_vcpu_time_memory_area,
        0,
        &mut VcpuRegisterTimeMemoryArea { addr: 0 }
    ));
    Ok(())
}

pub fn is_up() -> Outcome {
    same!(hypercall::vcpu_plain(VCPUOP_is_up, 0), Ok(1));
    same!(hypercall::vcpu_plain(VCPUOP_is_up, 1), Ok(0));
    refused!(hypercall::vcpu_plain(VCPUOP_is_up, 4096), ENOENT);
    Ok(())
}

pub fn register_vcpu_info() -> Outcome {
    let page = mem::alloc();
    let offset = 256;
    let mut arg = VcpuRegisterVcpuInfo {
        mfn: page.mfn(),
        offset,
        rsvd: 0,
    };
    // Not across the end of a page, not unaligned.
    arg.offset = 4096 - VCPU_INFO_SIZE as u32 + 8;
    refused!(
        hypercall::vcpu(VCPUOP_register_vcpu_info, 0, &mut arg),
        ENXIO
    );
    arg.offset = offset;
    ok!(hypercall::vcpu(VCPUOP_register_vcpu_info, 0, &mut arg));
    guest_rt::local::this()
        .vcpu_info
        .store(page.va() + u64::from(offset), SeqCst);
    check!(
        page.get(offset as usize / 8 + VCPU_INFO_TIME / 8 + 2) != 0,
        "the clock words did not move"
    );
    traps::upcall_mask().store(1, SeqCst);
    // Lest something be lost, everything looks pending at the new place.
    same!(traps::upcall_pending().load(SeqCst), 1);
    same!(events::selector().swap(0, SeqCst), u64::MAX);
    // Once only.
    check!(
        hypercall::vcpu(VCPUOP_register_vcpu_info, 0, &mut arg).is_err(),
        "registered twice"
    );
    // Events and faults now go through the new place.
    let fault = guest_rt::traps!(14, mem::read_uncaught(0x7_7777_7000));
    same!(fault.cr2, 0x7_7777_7000);
    let before = events::upcalls();
    let port = ok!(events::bind_ipi(0));
    events::set_mask(port, false);
    ok!(hypercall::send(port));
    events::deliver();
    check!(events::upcalls() > before, "no upcall");
    events::settle(port);
    ok!(events::close(port));
    Ok(())
}
