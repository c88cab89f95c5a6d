//! The token that stands for one general reference, and access to a frame's contents.

use super::{ALLOCATED, COUNT_MASK, Mem, MemOps, PageInfo};
use crate::addr::{Mfn, PAGE_SIZE};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// One general reference to a frame. Dropping it gives the reference back; the frame goes to
/// the list of the dead with the last one.
pub struct Page {
    mem: Mem,
    mfn: Mfn,
    info: &'static PageInfo,
}

impl core::fmt::Debug for Page {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Page").field(&self.mfn).finish()
    }
}

/// The reference that stands for a frame's place in its domain's allocation.
#[derive(Debug)]
#[must_use]
pub struct DomainPage(pub Page);

/// A frame taken out of its domain's hands, with no reference left. Dropping it puts it on the
/// list of the dead.
#[derive(Debug)]
#[must_use]
pub struct Stolen {
    mem: Mem,
    mfn: Mfn,
}

impl Stolen {
    /// Puts the frame back into its domain's allocation.
    pub fn give_back(self) {
        if let Some(info) = self.mem.0.frame(self.mfn) {
            // Nobody else changes a word without references.
            info.state.fetch_or(ALLOCATED | 1, Ordering::Release);
        }
        core::mem::forget(self);
    }
}

impl Drop for Stolen {
    fn drop(&mut self) {
        self.mem.bury(self.mfn);
    }
}

impl Page {
    /// Wraps a reference that was already counted.
    #[inline]
    pub(crate) fn from_counted(mem: Mem, mfn: Mfn, info: &'static PageInfo) -> Page {
        Page { mem, mfn, info }
    }

    /// The token of a reference that [`Page::into_entry`] left behind in a page-table entry or
    /// another word. What it must uphold: each reference left behind is taken up at most once.
    #[inline]
    pub fn from_entry(mem: Mem, mfn: Mfn) -> Option<Page> {
        mem.frame(mfn).map(|info| Page { mem, mfn, info })
    }

    /// Leaves the reference to the entry that now names the frame.
    #[inline]
    pub fn into_entry(self) -> Mfn {
        let mfn = self.mfn;
        core::mem::forget(self);
        mfn
    }

    /// The frame's number.
    #[inline]
    pub fn mfn(&self) -> Mfn {
        self.mfn
    }

    /// Another reference to the same frame.
    pub fn another(&self) -> Page {
        self.info().get_any();
        Page {
            mem: self.mem,
            mfn: self.mfn,
            info: self.info,
        }
    }

    /// The memory this frame is of.
    pub fn mem(&self) -> Mem {
        self.mem
    }

    /// The frame's entry in the table.
    #[inline]
    pub fn info(&self) -> &'static PageInfo {
        self.info
    }

    /// The frame as 512 words. Guests may write them at any time, hence atomics.
    #[inline]
    pub fn words(&self) -> &[AtomicU64; 512] {
        self.mem.0.words(self.mfn)
    }

    /// The byte at `offset`, if it lies in the frame.
    #[inline]
    pub fn byte(&self, offset: usize) -> Option<&AtomicU8> {
        self.bytes().get(offset)
    }

    /// The aligned 32-bit word at byte `offset`.
    #[inline]
    pub fn u32_at(&self, offset: usize) -> Option<&AtomicU32> {
        self.halves()
            .get(offset / 4)
            .filter(|_| offset.is_multiple_of(4))
    }

    /// The aligned 64-bit word at byte `offset`.
    #[inline]
    pub fn u64_at(&self, offset: usize) -> Option<&AtomicU64> {
        self.words()
            .get(offset / 8)
            .filter(|_| offset.is_multiple_of(8))
    }

    /// The frame as 4096 bytes.
    #[inline]
    pub fn bytes(&self) -> &[AtomicU8; PAGE_SIZE] {
        super::super::words::as_bytes(self.words())
    }

    /// The frame as 1024 32-bit words.
    #[inline]
    pub fn halves(&self) -> &[AtomicU32; 1024] {
        super::super::words::as_halves(self.words())
    }

    /// Sets all of the frame to zero.
    pub fn clear(&self) {
        super::super::words::fill(self.words(), 0);
    }

    /// Copies all of `other` here.
    pub fn copy_from(&self, other: &Page) {
        super::super::words::copy_page(self.words(), other.words());
    }

    /// Copies `data` to byte `offset`; what does not fit is left out and `false` returned.
    pub fn write(&self, offset: usize, data: &[u8]) -> bool {
        super::super::words::write(self.words(), offset, data)
    }

    /// Copies from byte `offset` into `data`; `false` when it does not fit.
    pub fn read(&self, offset: usize, data: &mut [u8]) -> bool {
        super::super::words::read(self.words(), offset, data)
    }

    /// Marks the frame as standing in its owner's allocation, for which the reference stays.
    pub fn into_allocation(self) -> Mfn {
        self.info().state.fetch_or(ALLOCATED, Ordering::Relaxed);
        self.into_entry()
    }

    /// Takes the frame away from its owner, if nothing but this token and the owner's
    /// allocation refers to it; else the token comes back. Nobody can get a reference to it
    /// meanwhile.
    pub fn steal(self) -> Result<Stolen, Page> {
        let state = &self.info().state;
        let old = state.load(Ordering::Relaxed);
        if old & (COUNT_MASK | ALLOCATED) != ALLOCATED | 2 {
            return Err(self);
        }
        let new = old & !(COUNT_MASK | ALLOCATED);
        match state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => {
                let stolen = Stolen {
                    mem: self.mem,
                    mfn: self.mfn,
                };
                core::mem::forget(self);
                Ok(stolen)
            }
            Err(_) => Err(self),
        }
    }

    /// Ends the frame's place in its owner's allocation. Of all callers at a time exactly one
    /// gets the reference that stood for it.
    pub fn end_allocation(&self) -> Option<DomainPage> {
        let old = self.info().state.fetch_and(!ALLOCATED, Ordering::Relaxed);
        (old & ALLOCATED != 0).then(|| {
            DomainPage(Page {
                mem: self.mem,
                mfn: self.mfn,
                info: self.info,
            })
        })
    }
}

impl Drop for Page {
    #[inline]
    fn drop(&mut self) {
        if self.info().put() {
            self.mem.bury(self.mfn);
        }
    }
}
