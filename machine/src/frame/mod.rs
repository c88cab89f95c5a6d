//! The frame table: one [`PageInfo`] for each frame of RAM, and the tokens that count its uses.
//!
//! Two counts stand on every frame. The *general* count says how many hold the frame at all;
//! at zero it goes back to the heap. The *type* count says how many rely on what the frame is
//! now: writable memory, a page table of one level, a descriptor table. A frame has one type
//! at a time and changes it only while nobody relies on it: that is what keeps a guest from
//! writing to a page table that the processor walks.
//!
//! No lock: both words change by compare-and-swap.

#[cfg(test)]
mod interleave;
mod linear;
mod list;
mod page;
mod types;

pub use list::PageList;
pub use page::{DomainPage, Page, Stolen};
#[cfg(target_os = "none")]
pub(crate) use types::VALIDATED_L4;
pub use types::{PageType, TypeGet, TypePut};

use crate::addr::Mfn;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The owner of frames that belong to nobody.
pub const NO_OWNER: u32 = u32::MAX;
/// "No frame" in the 32-bit links between frames.
pub(crate) const NIL: u32 = u32::MAX;

/// The frame belongs to a domain's allocation (one general reference stands for that).
pub(crate) const ALLOCATED: u64 = 1 << 63;
/// The frame heads a free block of the heap; its order is in [`ORDER_SHIFT`].
pub(crate) const FREE: u64 = 1 << 62;
/// The frame's contents are somebody's old data.
pub(crate) const DIRTY: u64 = 1 << 61;
pub(crate) const ORDER_SHIFT: u32 = 48;
pub(crate) const COUNT_MASK: u64 = (1 << 48) - 1;

/// What is known of one frame of RAM. 32 bytes; all-zero means "not RAM, or the hypervisor's".
#[repr(C, align(32))]
#[derive(Default)]
pub struct PageInfo {
    pub(crate) state: AtomicU64,
    pub(crate) typ: AtomicU64,
    /// Domain id, or [`NO_OWNER`].
    owner: AtomicU32,
    /// TLB clock when the last type or general reference went; while a table is partly
    /// validated, how many entries are.
    pub(crate) stamp: AtomicU32,
    pub(crate) prev: AtomicU32,
    pub(crate) next: AtomicU32,
}

impl PageInfo {
    /// The domain that owns the frame, or [`NO_OWNER`]. Stable only while a reference is held.
    #[inline]
    pub fn owner(&self) -> u32 {
        self.owner.load(Ordering::Relaxed)
    }

    /// Sets the owner; the caller holds the only reference.
    pub fn set_owner(&self, owner: u32) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// General references held now.
    pub fn count(&self) -> u64 {
        self.state.load(Ordering::Relaxed) & COUNT_MASK
    }

    /// Whether the frame stands in its domain's allocation.
    pub fn is_allocated(&self) -> bool {
        self.state.load(Ordering::Relaxed) & ALLOCATED != 0
    }

    /// TLB clock at which the frame was last let go.
    pub fn stamp(&self) -> u32 {
        self.stamp.load(Ordering::Relaxed)
    }

    /// Notes that the frame stands in no list.
    pub(crate) fn unlink(&self) {
        self.prev.store(NIL, Ordering::Relaxed);
        self.next.store(NIL, Ordering::Relaxed);
    }

    /// Takes a general reference if the frame is in use by anybody.
    #[inline]
    pub(crate) fn get_any(&self) -> bool {
        let mut old = self.state.load(Ordering::Relaxed);
        loop {
            // Zero is free or not RAM; a count near the limit would run over.
            if old & COUNT_MASK == 0 || old & COUNT_MASK == COUNT_MASK {
                return false;
            }
            match self.state.compare_exchange_weak(
                old,
                old + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => old = now,
            }
        }
    }

    /// Gives a general reference back; `true` when it was the last.
    #[inline]
    pub(crate) fn put(&self) -> bool {
        let old = self.state.fetch_sub(1, Ordering::Release);
        debug_assert!(
            old & COUNT_MASK != 0 || crate::arch::imp::unwinding(),
            "reference count below zero"
        );
        old & COUNT_MASK == 1
    }
}

/// Where frames and their table are found. Implemented by each machine.
pub(crate) trait MemOps: Copy {
    /// The table's entry for `mfn`, if there is one.
    fn frame(self, mfn: Mfn) -> Option<&'static PageInfo>;
    /// The frame's contents as 512 words. `mfn` is a frame of RAM.
    fn words(self, mfn: Mfn) -> &'static [AtomicU64; 512];
    /// Head of the list of frames whose last reference went.
    fn dead(self) -> &'static AtomicU32;
    /// The machine-to-phys entry of `mfn`.
    fn m2p(self, mfn: Mfn) -> Option<&'static AtomicU64>;
    /// The frame that begins extent `index` of the machine-to-phys table, 2 MiB each; the first
    /// extent's where there is no RAM to tell of, `None` past the table's end and where there is
    /// no such table in memory.
    fn m2p_extent(self, index: u64) -> Option<Mfn> {
        let _ = index;
        None
    }
    /// One past the last frame of the table.
    fn max_mfn(self) -> u64;
    /// The TLB clock, see [`crate::tlb`].
    fn tlb_clock(self) -> u32;
    /// A frame became a root table, or the hypervisor changed an entry of one.
    fn root_changed(self) {}
    /// The hypervisor's entry for L4 slot `slot`.
    fn host_slot(self, slot: usize) -> u64 {
        let _ = slot;
        0
    }
}

/// L4 slots that belong to the hypervisor in every address space.
pub const HOST_SLOTS: core::ops::Range<usize> = 256..272;

/// Handle on the machine's memory. Copying it is free.
#[derive(Clone, Copy)]
pub struct Mem(pub(crate) crate::arch::imp::MemArch);

impl core::fmt::Debug for Mem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Mem")
    }
}

impl Mem {
    /// One past the highest frame number of RAM.
    #[inline]
    pub fn max_mfn(self) -> Mfn {
        Mfn(self.0.max_mfn())
    }

    /// What is known of `mfn`; `None` when it is beyond RAM.
    #[inline]
    pub fn frame(self, mfn: Mfn) -> Option<&'static PageInfo> {
        self.0.frame(mfn)
    }

    /// Takes a reference to a frame that `owner` owns.
    #[inline]
    pub fn get_page(self, mfn: Mfn, owner: u32) -> Option<Page> {
        let info = self.0.frame(mfn)?;
        if !info.get_any() {
            return None;
        }
        let page = Page::from_counted(self, mfn, info);
        if info.owner() == owner {
            Some(page)
        } else {
            None
        }
    }

    /// Takes a reference to a frame, whoever owns it.
    pub fn get_any_page(self, mfn: Mfn) -> Option<Page> {
        let info = self.0.frame(mfn)?;
        if info.get_any() {
            Some(Page::from_counted(self, mfn, info))
        } else {
            None
        }
    }

    /// What guest frame `mfn` is, as guests read it in the machine-to-phys table.
    pub fn m2p(self, mfn: Mfn) -> Option<u64> {
        Some(self.0.m2p(mfn)?.load(Ordering::Relaxed))
    }

    /// Sets the machine-to-phys entry; beyond RAM nothing happens.
    pub fn set_m2p(self, mfn: Mfn, gfn: u64) {
        if let Some(entry) = self.0.m2p(mfn) {
            entry.store(gfn, Ordering::Relaxed);
        }
    }

    /// The frame that begins extent `index` (2 MiB each) of the machine-to-phys table, the first
    /// extent's where there is no RAM to tell of; `None` past its end.
    pub fn m2p_extent(self, index: u64) -> Option<Mfn> {
        self.0.m2p_extent(index)
    }

    /// Whether `mfn` is a frame of the machine-to-phys table.
    pub fn is_m2p_frame(self, mfn: Mfn) -> bool {
        (0..)
            .map_while(|index| self.m2p_extent(index))
            .any(|first| (first.0..first.0 + 512).contains(&mfn.0))
    }

    /// Entry `index` of the page table in `mfn`, if that is a validated table of type `t`.
    /// What is read may be old by the time it is used: it is a hint, to be checked again.
    #[inline]
    pub fn table_entry(self, mfn: Mfn, t: PageType, index: usize) -> Option<u64> {
        if !self.0.frame(mfn)?.is_validated(t) {
            return None;
        }
        // A validated table is a frame of RAM, and stays one whatever becomes of it.
        Some(self.0.words(mfn).get(index)?.load(Ordering::Relaxed))
    }

    /// The words of a frame of RAM that the caller holds.
    pub(crate) fn words(self, mfn: Mfn) -> &'static [AtomicU64; 512] {
        self.0.words(mfn)
    }

    /// Makes the hypervisor's slots of an L4 the hypervisor's own.
    pub fn install_host_slots(self, l4: &Page) {
        for slot in HOST_SLOTS {
            if let Some(entry) = l4.words().get(slot) {
                entry.store(self.0.host_slot(slot), Ordering::Relaxed);
            }
        }
        self.0.root_changed();
    }

    /// Shows or hides the machine-to-phys table in an L4's address space.
    pub fn show_m2p(self, l4: &Page, show: bool) {
        if let Some(entry) = l4.words().get(HOST_SLOTS.start) {
            let value = if show {
                self.0.host_slot(HOST_SLOTS.start)
            } else {
                0
            };
            if entry.swap(value, Ordering::Relaxed) != value {
                self.0.root_changed();
            }
        }
    }

    /// Takes all frames whose last reference went, for the heap to free.
    pub fn take_dead(self) -> DeadFrames {
        DeadFrames {
            mem: self,
            next: self.0.dead().swap(NIL, Ordering::Acquire),
        }
    }

    /// Whether [`Mem::take_dead`] would yield something.
    #[inline]
    pub fn has_dead(self) -> bool {
        self.0.dead().load(Ordering::Relaxed) != NIL
    }

    /// The TLB clock now.
    #[inline]
    pub fn tlb_clock(self) -> u32 {
        self.0.tlb_clock()
    }

    fn bury(self, mfn: Mfn) {
        let Some(info) = self.0.frame(mfn) else {
            return;
        };
        let dead = self.0.dead();
        let mut head = dead.load(Ordering::Relaxed);
        info.stamp.store(self.tlb_clock(), Ordering::Relaxed);
        // A dead frame still stands in its domain's list (prev/next), so the chain of the
        // dead runs through the type word, which means nothing any more.
        loop {
            info.typ.store(head as u64, Ordering::Relaxed);
            match dead.compare_exchange_weak(
                head,
                mfn.0 as u32,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

/// Frames with no reference left, in no order.
pub struct DeadFrames {
    mem: Mem,
    next: u32,
}

impl Iterator for DeadFrames {
    type Item = Mfn;

    fn next(&mut self) -> Option<Mfn> {
        if self.next == NIL {
            return None;
        }
        let mfn = Mfn(self.next as u64);
        let info = self.mem.frame(mfn)?;
        self.next = info.typ.swap(0, Ordering::Relaxed) as u32;
        Some(mfn)
    }
}
