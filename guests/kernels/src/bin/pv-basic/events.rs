//! Event channels of the two-level form.

use guest_rt::console::is_guest;
use guest_rt::events::{self, close, masked, pending, settle, take};
use guest_rt::harness::Outcome;
use guest_rt::hypercall;
use guest_rt::{check, ok, refused, same};
use xen_abi::event_channel::*;
use xen_abi::xen::{DOMID_SELF, VIRQ_DEBUG, VIRQ_TIMER};

pub fn loopback() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, false);
    ok!(hypercall::send(b));
    check!(
        pending(a) && !pending(b),
        "pending: listener {}, sender {}",
        pending(a),
        pending(b)
    );
    check!(
        events::selector().load(core::sync::atomic::Ordering::SeqCst) & 1 << (a / 64) != 0,
        "selector bit"
    );
    check!(
        guest_rt::traps::upcall_pending().load(core::sync::atomic::Ordering::SeqCst) != 0,
        "upcall_pending"
    );
    settle(a);
    ok!(hypercall::send(a));
    check!(take(b), "the other way");
    ok!(close(a));
    ok!(close(b));
    Ok(())
}

pub fn bind_sets_pending() -> Outcome {
    // What was sent before the binding may be lost, so binding raises the local end.
    let listener = events::alloc_unbound()?;
    let mut bind = EvtchnBindInterdomain {
        remote_dom: DOMID_SELF,
        remote_port: listener,
        ..Default::default()
    };
    ok!(hypercall::evtchn(EVTCHNOP_bind_interdomain, &mut bind));
    check!(
        pending(bind.local_port) && !pending(listener),
        "local {}, remote {}",
        pending(bind.local_port),
        pending(listener)
    );
    settle(bind.local_port);
    ok!(close(listener));
    ok!(close(bind.local_port));
    Ok(())
}

pub fn mask() -> Outcome {
    let (a, b) = events::pair()?;
    settle(a);
    events::set_mask(a, true);
    ok!(hypercall::send(b));
    check!(pending(a), "a masked port still becomes pending");
    same!(
        guest_rt::traps::upcall_pending().load(core::sync::atomic::Ordering::SeqCst),
        0
    );
    settle(a);
    ok!(close(a));
    ok!(close(b));
    Ok(())
}

pub fn unmask() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, true);
    ok!(hypercall::send(b));
    same!(
        guest_rt::traps::upcall_pending().load(core::sync::atomic::Ordering::SeqCst),
        0
    );
    ok!(events::unmask(a));
    check!(!masked(a), "still masked");
    check!(
        guest_rt::traps::upcall_pending().load(core::sync::atomic::Ordering::SeqCst) != 0,
        "no upcall after unmask"
    );
    settle(a);
    ok!(close(a));
    ok!(close(b));
    Ok(())
}

pub fn upcall() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, false);
    let before = events::upcalls();
    ok!(hypercall::send(b));
    same!(events::upcalls(), before);
    events::deliver();
    same!(events::upcalls(), before + 1);
    settle(a);
    // With the upcall mask open, sending to oneself calls back at once.
    guest_rt::traps::upcall_mask().store(0, core::sync::atomic::Ordering::SeqCst);
    let sent = hypercall::send(b);
    guest_rt::traps::upcall_mask().store(1, core::sync::atomic::Ordering::SeqCst);
    ok!(sent);
    same!(events::upcalls(), before + 2);
    settle(a);
    ok!(close(a));
    ok!(close(b));
    Ok(())
}

pub fn ipi() -> Outcome {
    let port = ok!(events::bind_ipi(0));
    events::set_mask(port, false);
    ok!(hypercall::send(port));
    check!(take(port), "the IPI is not pending");
    settle(port);
    let status = ok!(events::status(port));
    same!((status.status, status.vcpu), (EVTCHNSTAT_ipi, 0));
    ok!(close(port));
    Ok(())
}

pub fn virq() -> Outcome {
    let port = ok!(events::bind_virq(VIRQ_DEBUG, 0));
    let status = ok!(events::status(port));
    same!((status.status, status.u[0]), (EVTCHNSTAT_virq, VIRQ_DEBUG));
    refused!(events::bind_virq(VIRQ_DEBUG, 0), EEXIST);
    refused!(hypercall::send(port), EINVAL);
    ok!(close(port));
    let timer = ok!(events::bind_virq(VIRQ_TIMER, 0));
    ok!(close(timer));
    Ok(())
}

pub fn status() -> Outcome {
    let port = events::alloc_unbound()?;
    let own = events::own_domid()?;
    check!(is_guest() == (own != 0), "domain {own}");
    let status = ok!(events::status(port));
    same!(
        (status.status, status.u[0] as u16),
        (EVTCHNSTAT_unbound, own)
    );
    let mut bind = EvtchnBindInterdomain {
        remote_dom: DOMID_SELF,
        remote_port: port,
        ..Default::default()
    };
    ok!(hypercall::evtchn(EVTCHNOP_bind_interdomain, &mut bind));
    let status = ok!(events::status(port));
    same!(
        (status.status, status.u[0] as u16, status.u[1]),
        (EVTCHNSTAT_interdomain, own, bind.local_port)
    );
    ok!(close(port));
    same!(ok!(events::status(port)).status, EVTCHNSTAT_closed);
    ok!(close(bind.local_port));
    Ok(())
}

pub fn bind_vcpu() -> Outcome {
    let port = events::alloc_unbound()?;
    ok!(hypercall::evtchn(
        EVTCHNOP_bind_vcpu,
        &mut EvtchnBindVcpu { port, vcpu: 1 }
    ));
    same!(ok!(events::status(port)).vcpu, 1);
    ok!(hypercall::evtchn(
        EVTCHNOP_bind_vcpu,
        &mut EvtchnBindVcpu { port, vcpu: 0 }
    ));
    let ipi = ok!(events::bind_ipi(0));
    refused!(
        hypercall::evtchn(
            EVTCHNOP_bind_vcpu,
            &mut EvtchnBindVcpu { port: ipi, vcpu: 1 }
        ),
        EINVAL
    );
    ok!(close(port));
    ok!(close(ipi));
    Ok(())
}

pub fn close_peer() -> Outcome {
    let (a, b) = events::pair()?;
    ok!(close(a));
    // The other end becomes unbound again, and sending to it is dropped in silence.
    same!(ok!(events::status(b)).status, EVTCHNSTAT_unbound);
    same!(hypercall::send(b), Ok(0));
    ok!(close(b));
    refused!(close(b), EINVAL);
    refused!(hypercall::send(b), EINVAL);
    Ok(())
}
