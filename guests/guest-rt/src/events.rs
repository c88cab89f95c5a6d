//! Event channels of the two-level form: ports, their bits in the shared page, the upcall.
//!
//! Owns nothing; the bits are shared with the hypervisor and used as atomics.

use crate::harness::Failure;
use crate::hypercall::{self, HyperResult};
use crate::mem::shared_info;
use crate::{local, traps};
use core::sync::atomic::{AtomicU64, Ordering};
use xen_abi::event_channel::*;
use xen_abi::shared_info::{SHARED_INFO_EVTCHN_MASK, SHARED_INFO_EVTCHN_PENDING};
use xen_abi::xen::DOMID_SELF;

fn word(offset: usize, port: u32) -> (&'static AtomicU64, u64) {
    (
        shared_info().word(offset / 8 + port as usize / 64),
        1 << (port % 64),
    )
}

/// Whether the port's pending bit is set.
pub fn pending(port: u32) -> bool {
    let (word, bit) = word(SHARED_INFO_EVTCHN_PENDING, port);
    word.load(Ordering::SeqCst) & bit != 0
}

/// Clears the port's pending bit; whether it was set.
pub fn take(port: u32) -> bool {
    let (word, bit) = word(SHARED_INFO_EVTCHN_PENDING, port);
    word.fetch_and(!bit, Ordering::SeqCst) & bit != 0
}

/// Sets or clears the port's mask bit, without asking for an event lost meanwhile.
pub fn set_mask(port: u32, masked: bool) {
    let (word, bit) = word(SHARED_INFO_EVTCHN_MASK, port);
    if masked {
        word.fetch_or(bit, Ordering::SeqCst);
    } else {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Whether the port's mask bit is set.
pub fn masked(port: u32) -> bool {
    let (word, bit) = word(SHARED_INFO_EVTCHN_MASK, port);
    word.load(Ordering::SeqCst) & bit != 0
}

/// This domain's number: the remote end of a port that it offers to itself.
pub fn own_domid() -> Result<u16, Failure> {
    let port = alloc_unbound()?;
    let status = crate::ok!(status(port));
    crate::ok!(hypercall::evtchn(EVTCHNOP_close, &mut EvtchnClose { port }));
    Ok(status.u[0] as u16)
}

/// The running vCPU's selector word.
pub fn selector() -> &'static AtomicU64 {
    traps::pending_selector()
}

/// Forgets what is pending for the running vCPU: bit, selector and upcall.
pub fn settle(port: u32) {
    take(port);
    selector().store(0, Ordering::SeqCst);
    traps::upcall_pending().store(0, Ordering::SeqCst);
}

/// Event callbacks taken by the running vCPU so far.
pub fn upcalls() -> u64 {
    local::this().upcalls.load(Ordering::SeqCst)
}

/// Opens the upcall mask for a moment, so that what is pending is delivered now.
pub fn deliver() {
    traps::upcall_mask().store(0, Ordering::SeqCst);
    if traps::upcall_pending().load(Ordering::SeqCst) != 0 {
        // Any hypercall gives the hypervisor the occasion to call back.
        let _ = hypercall::call(xen_abi::hypercall::XEN_VERSION, [0; 5]);
    }
    traps::upcall_mask().store(1, Ordering::SeqCst);
}

/// `EVTCHNOP_alloc_unbound` from this domain to itself.
pub fn alloc_unbound() -> Result<u32, Failure> {
    let mut arg = EvtchnAllocUnbound {
        dom: DOMID_SELF,
        remote_dom: DOMID_SELF,
        port: 0,
    };
    crate::ok!(hypercall::evtchn(EVTCHNOP_alloc_unbound, &mut arg));
    Ok(arg.port)
}

/// A pair of ports of this domain, bound to each other, with nothing pending on either:
/// (listener, connector).
pub fn pair() -> Result<(u32, u32), Failure> {
    let listener = alloc_unbound()?;
    let mut arg = EvtchnBindInterdomain {
        remote_dom: DOMID_SELF,
        remote_port: listener,
        ..Default::default()
    };
    crate::ok!(hypercall::evtchn(EVTCHNOP_bind_interdomain, &mut arg));
    settle(arg.local_port);
    Ok((listener, arg.local_port))
}

/// `EVTCHNOP_bind_ipi`.
pub fn bind_ipi(vcpu: u32) -> Result<u32, i64> {
    let mut arg = EvtchnBindIpi { vcpu, port: 0 };
    hypercall::evtchn(EVTCHNOP_bind_ipi, &mut arg).map(|_| arg.port)
}

/// `EVTCHNOP_bind_virq`.
pub fn bind_virq(virq: u32, vcpu: u32) -> Result<u32, i64> {
    let mut arg = EvtchnBindVirq {
        virq,
        vcpu,
        port: 0,
    };
    hypercall::evtchn(EVTCHNOP_bind_virq, &mut arg).map(|_| arg.port)
}

/// `EVTCHNOP_close`.
pub fn close(port: u32) -> HyperResult {
    hypercall::evtchn(EVTCHNOP_close, &mut EvtchnClose { port })
}

/// `EVTCHNOP_unmask`.
pub fn unmask(port: u32) -> HyperResult {
    hypercall::evtchn(EVTCHNOP_unmask, &mut EvtchnUnmask { port })
}

/// `EVTCHNOP_status` of a port of this domain.
pub fn status(port: u32) -> Result<EvtchnStatus, i64> {
    let mut arg = EvtchnStatus {
        dom: DOMID_SELF,
        port,
        ..Default::default()
    };
    hypercall::evtchn(EVTCHNOP_status, &mut arg).map(|_| arg)
}
