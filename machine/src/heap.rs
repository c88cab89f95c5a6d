//! The heap of frames: a binary buddy allocator over the frame table.
//!
//! Owns every frame whose state says FREE. Its caller holds it in a lock. Frames come out as
//! they went in: whoever hands one to a new owner asks [`Block::stamp`] for a TLB flush and
//! clears it when [`Block::dirty`] says so.

use crate::addr::Mfn;
use crate::frame::{DIRTY, FREE, Mem, ORDER_SHIFT, Page, PageList};
use core::sync::atomic::Ordering::Relaxed;

/// Largest block: 2^18 frames, 1 GiB.
pub const MAX_ORDER: u32 = 18;

/// The level of the lock that it stands in: the last of all, because whoever holds a lock may
/// need memory of the hypervisor's own, which comes from here. Under it nothing is allocated.
pub const LEVEL: u8 = u8::MAX;

/// Free frames, by power of two.
#[derive(Debug)]
pub struct Heap {
    mem: Mem,
    lists: [PageList; MAX_ORDER as usize + 1],
    free: u64,
    /// Frames of these that only the hypervisor's own data may take.
    kept: u64,
}

/// A block fresh from the heap: 2^order frames, each with one general reference and no owner.
#[derive(Debug)]
#[must_use]
pub struct Block {
    mem: Mem,
    first: Mfn,
    order: u32,
}

impl Heap {
    /// A heap without frames.
    pub fn new(mem: Mem) -> Heap {
        Heap {
            mem,
            lists: [const { PageList::new() }; MAX_ORDER as usize + 1],
            free: 0,
            kept: 0,
        }
    }

    /// Frames that are free, without those that are kept for the hypervisor itself.
    pub fn free_frames(&self) -> u64 {
        self.free.saturating_sub(self.kept)
    }

    /// Keeps the last `frames` free ones for the hypervisor's own data, so that guests that have
    /// all the rest do not leave it without.
    pub fn keep_back(&mut self, frames: u64) {
        self.kept = frames;
    }

    /// Gives the heap the frames from `start` to `end` at boot.
    pub fn add_range(&mut self, start: Mfn, end: Mfn) {
        let mut at = start.0;
        while at < end.0 {
            let align = if at == 0 {
                MAX_ORDER
            } else {
                at.trailing_zeros()
            };
            let mut order = align.min(MAX_ORDER);
            while at + (1 << order) > end.0 {
                order -= 1;
            }
            for mfn in at..at + (1 << order) {
                if let Some(info) = self.mem.frame(Mfn(mfn)) {
                    info.state.store(DIRTY, Relaxed);
                    info.set_owner(crate::frame::NO_OWNER);
                }
            }
            self.insert(Mfn(at), order);
            at += 1 << order;
        }
    }

    fn insert(&mut self, mfn: Mfn, order: u32) {
        let Some(info) = self.mem.frame(mfn) else {
            return;
        };
        let dirty = info.state.load(Relaxed) & DIRTY;
        info.state
            .store(dirty | FREE | (order as u64) << ORDER_SHIFT, Relaxed);
        if let Some(list) = self.lists.get_mut(order as usize) {
            list.push_front(self.mem, mfn);
            self.free += 1 << order;
        }
    }

    fn take(&mut self, mfn: Mfn, order: u32) {
        if let (Some(info), Some(list)) = (self.mem.frame(mfn), self.lists.get_mut(order as usize))
        {
            list.remove(self.mem, mfn);
            info.state.fetch_and(DIRTY, Relaxed);
            self.free -= 1 << order;
        }
    }

    /// Takes a block of 2^`order` frames, aligned to its size. `None` when there is none.
    pub fn alloc(&mut self, order: u32) -> Option<Block> {
        self.alloc_below(order, u64::MAX)
    }

    /// As [`Heap::alloc`], all of it below frame `limit` (for devices that reach 32 bits only).
    pub fn alloc_below(&mut self, order: u32, limit: u64) -> Option<Block> {
        if self.free_frames() < 1u64.checked_shl(order)? {
            return None;
        }
        self.alloc_any(order, limit)
    }

    /// As [`Heap::alloc`], for the hypervisor's own data: also of what is kept back for it.
    pub fn alloc_own(&mut self, order: u32) -> Option<Block> {
        self.alloc_any(order, u64::MAX)
    }

    fn alloc_any(&mut self, order: u32, limit: u64) -> Option<Block> {
        let (mfn, mut have) = self.find(order, limit)?;
        self.take(mfn, have);
        while have > order {
            have -= 1;
            self.insert(Mfn(mfn.0 + (1 << have)), have);
        }
        for i in 0..1u64 << order {
            if let Some(info) = self.mem.frame(Mfn(mfn.0 + i)) {
                let dirty = info.state.load(Relaxed) & DIRTY;
                info.typ.store(0, Relaxed);
                info.unlink();
                info.state.store(dirty | 1, Relaxed);
            }
        }
        Some(Block {
            mem: self.mem,
            first: mfn,
            order,
        })
    }

    fn find(&self, order: u32, limit: u64) -> Option<(Mfn, u32)> {
        for have in order..=MAX_ORDER {
            let list = self.lists.get(have as usize)?;
            let mut at = list.first();
            // With a limit the list is searched, but not for ever.
            for _ in 0..4096 {
                let Some(mfn) = at else { break };
                if mfn
                    .0
                    .checked_add(1 << order)
                    .is_some_and(|end| end <= limit)
                {
                    return Some((mfn, have));
                }
                at = list.next(self.mem, mfn);
            }
        }
        None
    }

    /// Takes back a frame whose last reference went (see [`Mem::take_dead`]), or one that was the
    /// hypervisor's own ([`Block::into_own`]).
    pub fn free(&mut self, mfn: Mfn) {
        let Some(info) = self.mem.frame(mfn) else {
            return;
        };
        info.set_owner(crate::frame::NO_OWNER);
        info.state.store(DIRTY, Relaxed);
        let mut mfn = mfn;
        let mut order = 0;
        while order < MAX_ORDER {
            let buddy = Mfn(mfn.0 ^ (1 << order));
            let whole = self
                .mem
                .frame(buddy)
                .map(|b| b.state.load(Relaxed) & !DIRTY == FREE | (order as u64) << ORDER_SHIFT);
            if whole != Some(true) {
                break;
            }
            self.take(buddy, order);
            mfn = Mfn(mfn.0 & !(1 << order));
            order += 1;
        }
        self.insert(mfn, order);
    }
}

impl Block {
    /// Number of its first frame.
    pub fn first(&self) -> Mfn {
        self.first
    }

    /// Number of frames.
    pub fn len(&self) -> u64 {
        1 << self.order
    }

    /// Never: a block has at least one frame.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The frame's TLB clock stamps that still matter: the youngest of the block, measured
    /// against `now`.
    pub fn stamp(&self, now: u32) -> u32 {
        let mut age = u32::MAX;
        for i in 0..self.len() {
            if let Some(info) = self.mem.frame(Mfn(self.first.0 + i)) {
                age = age.min(now.wrapping_sub(info.stamp()));
            }
        }
        now.wrapping_sub(age)
    }

    /// Makes its frames the hypervisor's own, as they are: until each is given back by
    /// [`Heap::free`] nobody can take a reference to one, as to what is no RAM. Returns the first.
    pub fn into_own(self) -> Mfn {
        for i in 0..self.len() {
            if let Some(info) = self.mem.frame(Mfn(self.first.0 + i)) {
                info.state.store(0, Relaxed);
                info.set_owner(crate::frame::NO_OWNER);
            }
        }
        self.first
    }

    /// The block's frames as tokens. Frames with old data are cleared when `scrub` says so.
    pub fn into_pages(self, scrub: bool) -> impl Iterator<Item = Page> {
        let Block { mem, first, order } = self;
        // All of a block's frames are in the table.
        (0..1u64 << order).filter_map(move |i| {
            let mfn = Mfn(first.0 + i);
            let page = Page::from_counted(mem, mfn, mem.frame(mfn)?);
            let old = page.info().state.fetch_and(!DIRTY, Relaxed);
            if scrub && old & DIRTY != 0 {
                page.clear();
            }
            Some(page)
        })
    }

    /// The only frame of a block of order 0.
    pub fn into_page(self, scrub: bool) -> Option<Page> {
        self.into_pages(scrub).next()
    }
}
