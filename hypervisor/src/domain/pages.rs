//! A domain's memory account: which frames are its own, and how many it may have.
//!
//! Invariant: a frame stands in the list from its assignment until its last reference went,
//! so a domain's count falls to zero only when nothing refers to its memory any more.

use crate::locks;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::{Lock, Mem, Mfn, Page, PageList};
use xen_abi::Errno;

/// The frames of an account.
struct List {
    frames: PageList,
    /// No frame is taken in any more.
    closed: bool,
}

/// The account.
pub struct DomainPages {
    list: Lock<List>,
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
            list: Lock::new(
                locks::PAGES,
                List {
                    frames: PageList::new(),
                    closed: false,
                },
            ),
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

    /// Makes a booked, fresh frame the domain's own; its one reference stands for that. `None`
    /// when the domain is going away: the frame and its booking are given back.
    pub fn assign(&self, mem: Mem, owner: u32, page: Page) -> Option<Mfn> {
        let mut list = self.list.lock();
        if list.closed {
            drop(list);
            self.unreserve(1);
            return None;
        }
        page.info().set_owner(owner);
        let mfn = page.into_allocation();
        list.frames.push_back(mem, mfn);
        Some(mfn)
    }

    /// Lets no more frames in, for good; the number of those that there are.
    pub fn close(&self) -> u64 {
        let mut list = self.list.lock();
        list.closed = true;
        self.set_max(0);
        list.frames.len()
    }

    /// Takes the first frame to the end of the list.
    pub fn rotate(&self, mem: Mem) -> Option<Mfn> {
        let mut list = self.list.lock();
        let mfn = list.frames.pop_front(mem)?;
        list.frames.push_back(mem, mfn);
        Some(mfn)
    }

    /// Takes a frame whose last reference went off the account; whether it was the last one.
    /// Pages that the domain shares with the hypervisor are its own but never stood on it.
    pub fn forget(&self, mem: Mem, mfn: Mfn) -> bool {
        let mut list = self.list.lock();
        if list.frames.remove(mem, mfn) {
            self.total.fetch_sub(1, Ordering::Relaxed);
        }
        list.frames.is_empty()
    }

    /// Takes a frame that others hold from the domain: it is nobody's, and goes with its last
    /// reference.
    pub fn disown(&self, mem: Mem, page: &Page) {
        drop(page.end_allocation());
        page.info().set_owner(machine::frame::NO_OWNER);
        self.forget(mem, page.mfn());
    }

    /// Frames in the list, which are as many as [`DomainPages::total`] unless a call is adding
    /// some.
    pub fn listed(&self) -> u64 {
        self.list.lock().frames.len()
    }

    /// Whether there is no frame in the account.
    pub fn is_empty(&self) -> bool {
        self.list.lock().frames.is_empty()
    }

    /// The first frame in the account.
    pub fn first(&self) -> Option<Mfn> {
        self.list.lock().frames.first()
    }

    /// The frame after `mfn`; the caller holds the domain still.
    pub fn next(&self, mem: Mem, mfn: Mfn) -> Option<Mfn> {
        self.list.lock().frames.next(mem, mfn)
    }
}
