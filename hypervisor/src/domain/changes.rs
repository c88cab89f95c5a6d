//! Which domains changed their state (came, shut down, died, went) since the Xenstore asked.
//!
//! One bit for each id, as `XEN_DOMCTL_get_domain_state` tells of them one by one. No lock: a
//! bit is set before the event is raised that makes somebody ask, and cleared before the state
//! is read, so that a change while it is read is told of once more.

use super::{Domain, DomainList};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use xen_abi::xen::DOMID_FIRST_RESERVED;
use xen_abi::{DomId, Errno};

const WORDS: usize = (DOMID_FIRST_RESERVED as usize).div_ceil(64);

/// The bits.
pub struct Changes(Box<[AtomicU64]>);

impl Changes {
    /// No domain changed. Errors: `ENOMEM`.
    pub fn new() -> Result<Changes, Errno> {
        let mut words = Vec::new();
        words.try_reserve_exact(WORDS).map_err(|_| Errno::ENOMEM)?;
        words.resize_with(WORDS, AtomicU64::default);
        Ok(Changes(words.into_boxed_slice()))
    }

    /// Notes that domain `id` changed.
    pub fn note(&self, id: DomId) {
        if let Some(word) = self.0.get(usize::from(id) / 64) {
            word.fetch_or(1 << (id % 64), Ordering::SeqCst);
        }
    }

    /// Takes the lowest of those that changed.
    pub fn take(&self) -> Option<DomId> {
        for (base, word) in (0u16..).step_by(64).zip(&self.0) {
            let bits = word.load(Ordering::SeqCst);
            let lowest = bits & bits.wrapping_neg();
            // Another call may take the same one: then the next word's, or none, which that
            // call's asker looks for again.
            if lowest != 0 && word.fetch_and(!lowest, Ordering::SeqCst) & lowest != 0 {
                return Some(base + lowest.trailing_zeros() as DomId);
            }
        }
        None
    }

    /// For somebody who begins to ask: all domains there are have changed, no others.
    pub fn begin(&self, domains: &DomainList) {
        for word in &self.0 {
            word.store(0, Ordering::SeqCst);
        }
        let mut next = Some(0);
        while let Some(dom) = next.and_then(|id| domains.from(id)) {
            self.note(dom.id);
            next = dom.id.checked_add(1);
        }
    }
}

/// What `XEN_DOMCTL_get_domain_state` says of a domain that there is.
pub fn state(dom: &Domain) -> xen_abi::domctl::DomctlGetDomainState {
    use xen_abi::domctl::*;
    let dead = dom.dead.load(Ordering::Acquire);
    let dying = dom.dying.load(Ordering::Acquire) && !dead;
    let bits = |wanted: &[(bool, u16)]| {
        let set = wanted.iter().filter(|(set, _)| *set);
        set.fold(0, |bits, (_, bit)| bits | bit)
    };
    DomctlGetDomainState {
        state: bits(&[
            (true, XEN_DOMCTL_GETDOMSTATE_STATE_EXIST),
            (dom.is_shut_down(), XEN_DOMCTL_GETDOMSTATE_STATE_SHUTDOWN),
            (dying, XEN_DOMCTL_GETDOMSTATE_STATE_DYING),
            (dead, XEN_DOMCTL_GETDOMSTATE_STATE_DEAD),
        ]),
        caps: bits(&[
            (dom.privileged, XEN_DOMCTL_GETDOMSTATE_CAP_CONTROL),
            (dom.privileged, XEN_DOMCTL_GETDOMSTATE_CAP_HARDWARE),
            (
                dom.xenstore.load(Ordering::Relaxed),
                XEN_DOMCTL_GETDOMSTATE_CAP_XENSTORE,
            ),
        ]),
        pad0: 0,
        unique_id: dom.unique_id.load(Ordering::Relaxed),
    }
}
