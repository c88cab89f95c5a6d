//! Events and timers from one vCPU to the other.

use super::{PORT, STEP, TIMEOUT, VALUE, joined, on_other, reached};
use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::time::{MS, now, wait};
use guest_rt::{check, events, hypercall, local, ok, refused, same, traps};
use xen_abi::event_channel::{EVTCHNOP_bind_vcpu, EvtchnBindVcpu};
use xen_abi::sched::SchedPoll;
use xen_abi::vcpu::*;
use xen_abi::xen::{VIRQ_DEBUG, VIRQ_TIMER};

/// Ports for IPIs to vCPU 0 and 1, unmasked.
pub fn ipi_ports() -> Outcome {
    for (vcpu, slot) in PORT.iter().enumerate() {
        if slot.load(SeqCst) == 0 {
            let port = ok!(events::bind_ipi(vcpu as u32));
            slot.store(port, SeqCst);
            events::set_mask(port, false);
        }
        events::take(slot.load(SeqCst));
    }
    Ok(())
}

pub fn port(vcpu: usize) -> u32 {
    PORT[vcpu].load(SeqCst)
}

pub fn ipi_to_other() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || {
            traps::upcall_pending().load(SeqCst) != 0 && events::pending(port(1))
        }) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(1));
    })?;
    reached(1)?;
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

pub fn ping_pong() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        for _ in 0..200 {
            wait(TIMEOUT, || events::take(port(1)));
            let _ = hypercall::send(port(0));
        }
        events::settle(port(1));
    })?;
    for round in 0..200 {
        ok!(hypercall::send(port(1)));
        check!(
            wait(TIMEOUT, || events::take(port(0))),
            "no answer in round {round}"
        );
    }
    events::settle(port(0));
    joined()
}

pub fn wake_blocked() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        STEP.store(1, SeqCst);
        let before = events::upcalls();
        let _ = hypercall::call(xen_abi::hypercall::SCHED_OP, [1, 0, 0, 0, 0]);
        traps::upcall_mask().store(1, SeqCst);
        if events::upcalls() == before + 1 && events::take(port(1)) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(1));
    })?;
    reached(1)?;
    let mut info = VcpuRunstateInfo::default();
    check!(
        wait(TIMEOUT, || hypercall::vcpu(
            VCPUOP_get_runstate_info,
            1,
            &mut info
        )
        .is_ok()
            && info.state == RUNSTATE_blocked),
        "not blocked"
    );
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

pub fn wake_polling() -> Outcome {
    ipi_ports()?;
    events::set_mask(port(1), true);
    on_other(|| {
        STEP.store(1, SeqCst);
        let ports = [port(1)];
        let mut arg = SchedPoll {
            ports: ports.as_ptr() as u64,
            nr_ports: 1,
            _pad0: 0,
            timeout: 0,
        };
        let result = hypercall::op(xen_abi::hypercall::SCHED_OP, 3, &mut arg);
        if result == Ok(0) && events::take(port(1)) {
            STEP.store(2, SeqCst);
        }
    })?;
    reached(1)?;
    wait(5 * MS, || false);
    ok!(hypercall::send(port(1)));
    let woke = reached(2);
    events::set_mask(port(1), false);
    woke?;
    joined()
}

pub fn upcall_on_other() -> Outcome {
    ipi_ports()?;
    // The event interrupts vCPU 1 in the middle of its own work.
    on_other(|| {
        let before = events::upcalls();
        traps::upcall_mask().store(0, SeqCst);
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || events::upcalls() > before) {
            STEP.store(2, SeqCst);
        }
        traps::upcall_mask().store(1, SeqCst);
        events::settle(port(1));
    })?;
    reached(1)?;
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

pub fn move_port() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, false);
    PORT[0].store(a, SeqCst);
    ok!(hypercall::evtchn(
        EVTCHNOP_bind_vcpu,
        &mut EvtchnBindVcpu { port: a, vcpu: 1 }
    ));
    on_other(|| {
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || traps::upcall_pending().load(SeqCst) != 0) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(0));
    })?;
    reached(1)?;
    traps::upcall_pending().store(0, SeqCst);
    ok!(hypercall::send(b));
    reached(2)?;
    same!(traps::upcall_pending().load(SeqCst), 0);
    joined()?;
    PORT[0].store(0, SeqCst);
    ok!(events::close(a));
    ok!(events::close(b));
    Ok(())
}

pub fn virq_per_vcpu() -> Outcome {
    let zero = ok!(events::bind_virq(VIRQ_DEBUG, 0));
    let one = ok!(events::bind_virq(VIRQ_DEBUG, 1));
    check!(zero != one, "one port for both");
    ok!(events::close(zero));
    ok!(events::close(one));
    Ok(())
}

pub fn sleep_with_timer(port: u32) -> bool {
    let id = local::id() as u32;
    let deadline = now() + 20 * MS;
    let mut arg = VcpuSetSingleshotTimer {
        timeout_abs_ns: deadline,
        ..Default::default()
    };
    hypercall::vcpu(VCPUOP_set_singleshot_timer, id, &mut arg).is_ok()
        && wait(TIMEOUT, || events::take(port))
        && now() >= deadline
}

pub fn timers() -> Outcome {
    let ports = [
        ok!(events::bind_virq(VIRQ_TIMER, 0)),
        ok!(events::bind_virq(VIRQ_TIMER, 1)),
    ];
    let _ = hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 0);
    let _ = hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 1);
    for port in ports {
        events::set_mask(port, false);
        events::take(port);
    }
    VALUE.store(u64::from(ports[1]), SeqCst);
    on_other(|| {
        if sleep_with_timer(VALUE.load(SeqCst) as u32) {
            STEP.store(1, SeqCst);
        }
    })?;
    check!(sleep_with_timer(ports[0]), "vCPU 0's timer");
    reached(1)?;
    joined()?;
    // One vCPU may not set the other's.
    let mut arg = VcpuSetSingleshotTimer {
        timeout_abs_ns: now(),
        ..Default::default()
    };
    refused!(
        hypercall::vcpu(VCPUOP_set_singleshot_timer, 1, &mut arg),
        EINVAL
    );
    for port in ports {
        events::settle(port);
        ok!(events::close(port));
    }
    Ok(())
}
