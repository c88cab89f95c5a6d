//! Delivery in the two-level form: a pending and a mask bit for each port in the page that the
//! domain shares with the hypervisor, and for each vCPU a selector of words to look at.
//!
//! No lock: every word is changed by atomic bit operations, by the guest as well.

use super::send::{Raised, raise_upcall};
use crate::domain::{Domain, Vcpu};
use core::sync::atomic::{AtomicU64, Ordering};
use xen_abi::event_channel::EvtchnPort;
use xen_abi::shared_info::{
    SHARED_INFO_EVTCHN_MASK, SHARED_INFO_EVTCHN_PENDING, VCPU_INFO_PENDING_SEL,
};
use xen_abi::xen::EVTCHN_2L_NR_CHANNELS;

/// The word of `port` in the array of bits at `base` of the shared page, and its bit.
#[inline(always)]
fn bit(dom: &Domain, base: usize, port: EvtchnPort) -> Option<(&AtomicU64, u64)> {
    if port >= EVTCHN_2L_NR_CHANNELS {
        return None;
    }
    let word = dom.shared_info.u64_at(base + port as usize / 64 * 8)?;
    Some((word, 1 << (port % 64)))
}

/// Sets the vCPU's selector bit for `port` and, when that is new, its upcall flag.
#[inline]
fn select(vcpu: &Vcpu, port: EvtchnPort) -> bool {
    // A vCPU without a place for its selector looks at all words once it has one.
    let selector = vcpu.info().and_then(|info| info.u64(VCPU_INFO_PENDING_SEL));
    let Some(selector) = selector else {
        return false;
    };
    let which = 1 << (port / 64);
    selector.fetch_or(which, Ordering::SeqCst) & which == 0 && raise_upcall(vcpu)
}

/// Makes `port` pending for `vcpu`.
#[inline]
pub fn set_pending(dom: &Domain, vcpu: &Vcpu, port: EvtchnPort) -> Raised {
    let Some((word, bit)) = bit(dom, SHARED_INFO_EVTCHN_PENDING, port) else {
        return Raised::NOTHING;
    };
    if word.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
        return Raised::NOTHING;
    }
    Raised {
        fresh: true,
        upcall: !is_masked(dom, port) && select(vcpu, port),
    }
}

/// Unmasks `port`.
pub fn unmask(dom: &Domain, vcpu: &Vcpu, port: EvtchnPort) -> Raised {
    let Some((word, bit)) = bit(dom, SHARED_INFO_EVTCHN_MASK, port) else {
        return Raised::NOTHING;
    };
    let was_masked = word.fetch_and(!bit, Ordering::SeqCst) & bit != 0;
    Raised {
        fresh: false,
        upcall: was_masked && is_pending(dom, port) && select(vcpu, port),
    }
}

/// Forgets that `port` is pending.
pub fn clear_pending(dom: &Domain, port: EvtchnPort) {
    if let Some((word, bit)) = bit(dom, SHARED_INFO_EVTCHN_PENDING, port) {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Whether `port` is pending.
pub fn is_pending(dom: &Domain, port: EvtchnPort) -> bool {
    bit(dom, SHARED_INFO_EVTCHN_PENDING, port)
        .is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
}

#[inline]
fn is_masked(dom: &Domain, port: EvtchnPort) -> bool {
    bit(dom, SHARED_INFO_EVTCHN_MASK, port)
        .is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
}
