//! Event channels, by a callback vector and by a vector of the vCPU's own.

use core::sync::atomic::Ordering;
use guest_rt::harness::Outcome;
use guest_rt::pvh::traps as irq;
use guest_rt::time::{MS, now};
use guest_rt::{check, events, hypercall, local, ok, refused, same};
use xen_abi::event_channel::*;
use xen_abi::hvm::*;
use xen_abi::hypercall as nr;
use xen_abi::sched::{SCHEDOP_poll, SchedPoll};
use xen_abi::vcpu::*;
use xen_abi::xen::{DOMID_SELF, VIRQ_TIMER};

const VECTOR: u8 = 0xf3;

fn set_param(index: u32, value: u64) -> hypercall::HyperResult {
    let mut arg = HvmParam {
        domid: DOMID_SELF,
        pad: 0,
        index,
        value,
    };
    hypercall::op(nr::HVM_OP, HVMOP_set_param, &mut arg)
}

fn by_callback() -> hypercall::HyperResult {
    irq::set_event_vector(VECTOR);
    set_param(
        HVM_PARAM_CALLBACK_IRQ,
        HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | u64::from(VECTOR),
    )
}

fn upcalls() -> u64 {
    local::this().upcalls.load(Ordering::SeqCst)
}

fn ipi_port() -> Result<u32, i64> {
    let mut bind = EvtchnBindIpi { vcpu: 0, port: 0 };
    hypercall::evtchn(EVTCHNOP_bind_ipi, &mut bind)?;
    Ok(bind.port)
}

fn arrives(port: u32, before: u64) -> bool {
    irq::with_interrupts(|| {
        (0..10_000_000).any(|_| {
            core::hint::spin_loop();
            upcalls() > before && events::pending(port)
        })
    })
}

pub fn callback_vector() -> Outcome {
    ok!(by_callback());
    let port = ok!(ipi_port());
    events::set_mask(port, false);
    let before = upcalls();
    ok!(hypercall::send(port));
    // Interrupts are off: nothing yet.
    same!(upcalls(), before);
    check!(arrives(port, before), "no upcall");
    events::settle(port);
    // Masked ports make no upcall.
    events::set_mask(port, true);
    let before = upcalls();
    ok!(hypercall::send(port));
    check!(!arrives_soon(before), "upcall of a masked port");
    events::settle(port);
    refused!(set_param(HVM_NR_PARAMS, 0), EINVAL);
    Ok(())
}

fn arrives_soon(before: u64) -> bool {
    irq::with_interrupts(|| {
        (0..10_000).any(|_| {
            core::hint::spin_loop();
            upcalls() > before
        })
    })
}

pub fn timer() -> Outcome {
    ok!(by_callback());
    let mut bind = EvtchnBindVirq {
        virq: VIRQ_TIMER,
        vcpu: 0,
        port: 0,
    };
    ok!(hypercall::evtchn(EVTCHNOP_bind_virq, &mut bind));
    events::set_mask(bind.port, false);
    events::settle(bind.port);
    let start = now();
    let mut set = VcpuSetSingleshotTimer {
        timeout_abs_ns: start + 2 * MS,
        ..Default::default()
    };
    let before = upcalls();
    ok!(hypercall::vcpu(VCPUOP_set_singleshot_timer, 0, &mut set));
    for _ in 0..100 {
        if upcalls() > before && events::pending(bind.port) {
            break;
        }
        irq::halt();
    }
    check!(events::pending(bind.port), "the timer did not fire");
    check!(now() >= start + 2 * MS, "too early");
    events::settle(bind.port);
    Ok(())
}

pub fn poll() -> Outcome {
    let port = ok!(ipi_port());
    events::set_mask(port, true);
    events::settle(port);
    let ports = [port];
    let start = now();
    let mut arg = SchedPoll {
        ports: ports.as_ptr() as u64,
        nr_ports: 1,
        timeout: start + 3 * MS,
        ..Default::default()
    };
    ok!(hypercall::op(nr::SCHED_OP, SCHEDOP_poll, &mut arg));
    check!(now() >= start + 3 * MS, "it did not wait");
    ok!(hypercall::send(port));
    ok!(hypercall::op(nr::SCHED_OP, SCHEDOP_poll, &mut arg));
    events::settle(port);
    Ok(())
}
