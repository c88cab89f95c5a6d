//! Looking guest frames up, without a lock.

use super::{Entry, Kind, LEVELS, MAX_GFN, Nested, load};
use crate::addr::{Gfn, Mfn};
use crate::frame::Page;
use core::sync::atomic::{AtomicU64, Ordering};

/// How often a lookup is made when the entry changes under it.
const TRIES: u32 = 4;

/// What a guest frame is. A hint by the time it is used, unless a reference is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The machine frame.
    pub mfn: Mfn,
    /// What it is.
    pub kind: Kind,
    /// Whether the guest may write it.
    pub writable: bool,
    /// Level of the entry: 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB.
    pub level: u32,
}

impl Nested {
    /// The leaf that maps `gfn`: where it stands, what it is, its level. Tables are never freed
    /// while this lives, so the slot may be looked at again.
    #[inline]
    fn leaf_at(&self, gfn: Gfn) -> Option<(&AtomicU64, Entry, u32)> {
        let (_, slot, entry, level) = self.leaf_in(gfn)?;
        Some((slot, entry, level))
    }

    /// The same, with the table that the leaf stands in.
    #[inline]
    pub(super) fn leaf_in(&self, gfn: Gfn) -> Option<(Mfn, &AtomicU64, Entry, u32)> {
        if gfn.0 >= MAX_GFN {
            return None;
        }
        let mut table = self.root();
        for level in (1..=LEVELS).rev() {
            let slot = self.slot(table, gfn, level)?;
            let entry = load(slot);
            if !entry.is_present() {
                return None;
            }
            if entry.is_leaf(level) {
                return Some((table, slot, entry, level));
            }
            table = entry.mfn();
        }
        None
    }

    /// The leaf that maps `gfn`, and its level.
    pub(crate) fn leaf(&self, gfn: Gfn) -> Option<(Entry, u32)> {
        let (_, entry, level) = self.leaf_at(gfn)?;
        Some((entry, level))
    }

    /// The slot of the first leaf at `from` or after, its frame, and its level. After `work`
    /// empty entries, or at the end, the frame to go on at.
    pub(super) fn next_leaf(
        &self,
        from: Gfn,
        work: &mut u64,
    ) -> Result<(&AtomicU64, Gfn, u32), Gfn> {
        let mut at = from.0;
        // Each round ends at a leaf or moves on past one empty entry.
        while at < MAX_GFN && *work > 0 {
            let mut table = self.root();
            for level in (1..=LEVELS).rev() {
                let slot = self.slot(table, Gfn(at), level).ok_or(Gfn(MAX_GFN))?;
                let (entry, span) = (load(slot), 1u64 << (9 * (level - 1)));
                if !entry.is_present() {
                    at = (at | (span - 1)) + 1;
                    *work -= 1;
                    break;
                }
                if entry.is_leaf(level) {
                    return Ok((slot, Gfn(at & !(span - 1)), level));
                }
                table = entry.mfn();
            }
        }
        Err(Gfn(at))
    }

    /// What `gfn` is; `None` for nothing.
    pub fn lookup(&self, gfn: Gfn) -> Option<Found> {
        let (entry, level) = self.leaf(gfn)?;
        Some(Found {
            mfn: frame_of(entry, level, gfn),
            kind: entry.kind(),
            writable: entry.is_writable(),
            level,
        })
    }

    /// A reference to the frame of `gfn`, if it is counted memory, and whether the guest may
    /// write it.
    pub fn page(&self, gfn: Gfn) -> Option<(Page, bool)> {
        for _ in 0..TRIES {
            let (slot, entry, level) = self.leaf_at(gfn)?;
            if !entry.kind().is_counted() {
                return None;
            }
            // Taken, then looked at again: only then was it the entry's frame all the time.
            if let Some(page) = self.mem.get_any_page(frame_of(entry, level, gfn))
                && load(slot) == entry
            {
                return Some((page, entry.is_writable()));
            }
        }
        None
    }

    /// As [`Nested::page`], of memory that is the guest's own.
    pub fn own_page(&self, gfn: Gfn) -> Option<Page> {
        for _ in 0..TRIES {
            let (slot, entry, level) = self.leaf_at(gfn)?;
            if entry.kind() != Kind::Ram {
                return None;
            }
            if let Some(page) = self.mem.get_any_page(frame_of(entry, level, gfn))
                && load(slot) == entry
            {
                return Some(page);
            }
        }
        None
    }

    /// The aligned 64-bit word of counted memory at guest-physical address `gpa`, as it was at
    /// one instant in which the address meant that memory.
    #[inline]
    pub fn read_word(&self, gpa: u64) -> Option<u64> {
        let gfn = Gfn(gpa >> 12);
        for _ in 0..TRIES {
            let (slot, entry, level) = self.leaf_at(gfn)?;
            if !entry.kind().is_counted() {
                return None;
            }
            // A counted frame is RAM, and stays RAM whatever becomes of it meanwhile.
            let words = self.mem.words(frame_of(entry, level, gfn));
            let word = words
                .get((gpa & 0xfff) as usize / 8)?
                .load(Ordering::Acquire);
            if load(slot) == entry {
                return Some(word);
            }
        }
        None
    }
}

/// The frame of `gfn` in the leaf that maps it.
#[inline(always)]
fn frame_of(entry: Entry, level: u32, gfn: Gfn) -> Mfn {
    Mfn(entry.mfn().0 + (gfn.0 & ((1 << (9 * (level - 1))) - 1)))
}
