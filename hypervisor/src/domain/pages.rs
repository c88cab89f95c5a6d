//! A domain's memory account: which frames are its own, and how many it may have.
//!
//! Invariant: a frame stands in the list from its assignment until its last reference went,
//! so a domain's count falls to zero only when nothing refers to its memory any more.

use crate::locks;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::{Lock, Mem, Mfn, Page, PageList};
use xen_abi::Errno;

/// The account.
pub struct DomainPages {
    list: Lock<PageList>,
    total: AtomicU64,
    max: AtomicU64,
    /// Frames promised to it beyond `total`; see [`crate::mem::Claims`], whose lock it is
    /// changed under.
    pub(crate) claim: AtomicU64,
}

impl DomainPages {
    /// No frame yet, at most `max`.
    pub fn new(max: u64) -> DomainPages {
        DomainPages {
            list: Lock::new(locks::PAGES, PageList::new()),
            total: AtomicU64::new(0),
            max: AtomicU64::new(max),
            claim: AtomicU64::new(0),
        }
    }

    /// Frames in the account.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Most frames it may have.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Sets the limit.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Books `n` frames more. Errors: `ENOMEM` over the limit.
    pub fn reserve(&self, n: u64) -> Result<(), Errno> {
        let max = self.max();
        self.total
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| {
                total.checked_add(n).filter(|&sum| sum <= max)
            })
            .map(|_| ())
            .map_err(|_| Errno::ENOMEM)
    }

    /// Books `n` frames whatever the limit, in place of frames that were given up just now.
    pub fn book(&self, n: u64) {
        self.total.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes back a booking of [`DomainPages::reserve`] that was not used.
    pub fn unreserve(&self, n: u64) {
        self.total.fetch_sub(n, Ordering::Relaxed);
    }

    /// Makes a booked, fresh frame the domain's own; its one reference stands for that.
    pub fn assign(&self, mem: Mem, owner: u32, page: Page) -> Mfn {
        page.info().set_owner(owner);
        let mfn = page.into_allocation();
        self.list.lock().push_back(mem, mfn);
        mfn
    }

    /// Takes a frame whose last reference went off the account. Pages that the domain shares
    /// with the hypervisor are its own but never stood on it.
    pub fn forget(&self, mem: Mem, mfn: Mfn) {
        if self.list.lock().remove(mem, mfn) {
            self.total.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The first frame in the account.
    pub fn first(&self) -> Option<Mfn> {
        self.list.lock().first()
    }

    /// The frame after `mfn`; the caller holds the domain still.
    pub fn next(&self, mem: Mem, mfn: Mfn) -> Option<Mfn> {
        self.list.lock().next(mem, mfn)
    }
}
