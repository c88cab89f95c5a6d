//! Delivery in the two-level form: a pending and a mask bit for each port in the page that the
//! domain shares with the hypervisor, and for each vCPU a selector of words to look at.
//!
//! Words have 32 or 64 bits, as the domain's kernel has it. Where in the page a bit is depends on
//! its number alone, so they are all taken for arrays of 32-bit words here; how many there are,
//! and what a selector's bit stands for, depends on the width.
//!
//! No lock: every word is changed by atomic bit operations, by the guest as well.

use super::send::{Raised, raise_upcall};
use crate::domain::{Domain, Vcpu};
use core::sync::atomic::{AtomicU32, Ordering};
use xen_abi::compat::SharedOffsets;
use xen_abi::event_channel::EvtchnPort;

/// Where the 32-bit word of bit `index` of an array is, bytes from its start; and the bit in it.
#[inline(always)]
fn place(index: u32) -> (usize, u32) {
    (index as usize / 32 * 4, 1 << (index % 32))
}

/// The word of `port` in the pending or the mask bits of the shared page, and its bit.
#[inline(always)]
fn bit(
    dom: &Domain,
    base: impl Fn(&SharedOffsets) -> usize,
    port: EvtchnPort,
) -> Option<(&AtomicU32, u32)> {
    let offsets = dom.shared_offsets();
    if port >= offsets.ports() {
        return None;
    }
    let (at, bit) = place(port);
    Some((dom.shared_info.u32_at(base(offsets) + at)?, bit))
}

fn pending(offsets: &SharedOffsets) -> usize {
    offsets.pending
}

fn mask(offsets: &SharedOffsets) -> usize {
    offsets.mask
}

/// Sets the vCPU's selector bit for `port` and, when that is new, its upcall flag.
#[inline]
fn select(dom: &Domain, vcpu: &Vcpu, port: EvtchnPort) -> bool {
    let offsets = dom.shared_offsets();
    let (at, which) = place(port / offsets.word_bits);
    // A vCPU without a place for its selector looks at all words once it has one.
    let selector = vcpu.info();
    let Some(selector) = selector.and_then(|info| info.u32(offsets.pending_sel + at)) else {
        return false;
    };
    selector.fetch_or(which, Ordering::SeqCst) & which == 0 && raise_upcall(vcpu)
}

/// Makes `port` pending for `vcpu`.
#[inline]
pub fn set_pending(dom: &Domain, vcpu: &Vcpu, port: EvtchnPort) -> Raised {
    let Some((word, bit)) = bit(dom, pending, port) else {
        return Raised::NOTHING;
    };
    if word.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
        return Raised::NOTHING;
    }
    Raised {
        fresh: true,
        upcall: !is_masked(dom, port) && select(dom, vcpu, port),
    }
}

/// Unmasks `port`.
pub fn unmask(dom: &Domain, vcpu: &Vcpu, port: EvtchnPort) -> Raised {
    let Some((word, bit)) = bit(dom, mask, port) else {
        return Raised::NOTHING;
    };
    let was_masked = word.fetch_and(!bit, Ordering::SeqCst) & bit != 0;
    Raised {
        fresh: false,
        upcall: was_masked && is_pending(dom, port) && select(dom, vcpu, port),
    }
}

/// Forgets that `port` is pending.
pub fn clear_pending(dom: &Domain, port: EvtchnPort) {
    if let Some((word, bit)) = bit(dom, pending, port) {
        word.fetch_and(!bit, Ordering::SeqCst);
    }
}

/// Whether `port` is pending.
pub fn is_pending(dom: &Domain, port: EvtchnPort) -> bool {
    bit(dom, pending, port).is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
}

#[inline]
fn is_masked(dom: &Domain, port: EvtchnPort) -> bool {
    bit(dom, mask, port).is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
}
