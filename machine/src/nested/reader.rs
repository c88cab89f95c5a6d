//! One vCPU's lookups, which remember where the last ones ended.
//!
//! What is remembered is where a leaf stands and what it was. It is looked at again each time:
//! tables live as long as the whole and never move, so a leaf that still is what it was maps
//! what it mapped. There is nothing to flush.

use super::{Entry, Nested, load};
use crate::addr::{Gfn, Mfn};
use crate::frame::{MemOps, Page};
use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

/// How many are remembered, by the guest frame's lowest bits: a leaf of many frames may be there
/// several times. What another one drives out of its place goes to the place opposite.
const HINTS: usize = 16;
/// From a place to the one opposite.
const OPPOSITE: usize = HINTS / 2;

/// A leaf of memory.
#[derive(Clone, Copy)]
struct Hint {
    /// The first guest frame, and how many there are: none at first.
    first: u64,
    frames: u64,
    table: Mfn,
    index: usize,
    entry: Entry,
}

/// Looks frames of one guest up for one vCPU.
pub struct Reader {
    nested: Arc<Nested>,
    hints: [Cell<Hint>; HINTS],
}

impl Reader {
    /// One that remembers nothing.
    pub fn new(nested: Arc<Nested>) -> Reader {
        let none = Hint {
            first: 0,
            frames: 0,
            table: nested.root(),
            index: 0,
            entry: Entry::NONE,
        };
        Reader {
            nested,
            hints: core::array::from_fn(|_| Cell::new(none)),
        }
    }

    /// The tables.
    pub fn nested(&self) -> &Arc<Nested> {
        &self.nested
    }

    /// The leaf of counted memory that maps `gfn`: its slot, what it is, and the frame.
    #[inline]
    fn leaf(&self, gfn: u64) -> Option<(&AtomicU64, Entry, Mfn)> {
        let cell = self.hints.get(gfn as usize % HINTS)?;
        match self.known(cell, gfn) {
            None => self.other(gfn),
            known => known,
        }
    }

    /// The same, if it is remembered in `cell`.
    #[inline]
    fn known(&self, cell: &Cell<Hint>, gfn: u64) -> Option<(&AtomicU64, Entry, Mfn)> {
        let hint = cell.get();
        let within = gfn.wrapping_sub(hint.first);
        if within >= hint.frames {
            return None;
        }
        let slot = self.nested.mem.0.words(hint.table).get(hint.index)?;
        let mfn = Mfn(hint.entry.mfn().0 + within);
        (load(slot) == hint.entry).then_some((slot, hint.entry, mfn))
    }

    /// The same, if it is remembered in the place opposite, or by a look at the tables.
    #[cold]
    fn other(&self, gfn: u64) -> Option<(&AtomicU64, Entry, Mfn)> {
        let cell = self.hints.get(gfn as usize % HINTS)?;
        let opposite = self.hints.get((gfn as usize % HINTS) ^ OPPOSITE)?;
        if let Some(known) = self.known(opposite, gfn) {
            return Some(known);
        }
        let (table, slot, entry, level) = self.nested.leaf_in(Gfn(gfn))?;
        if !entry.kind().is_counted() {
            return None;
        }
        let frames = 1u64 << (9 * (level - 1));
        let within = gfn & (frames - 1);
        opposite.set(cell.get());
        cell.set(Hint {
            first: gfn - within,
            frames,
            table,
            index: (gfn >> (9 * (level - 1))) as usize & 511,
            entry,
        });
        Some((slot, entry, Mfn(entry.mfn().0 + within)))
    }

    /// Whether `gfn` is memory just now, whoever's.
    #[inline]
    pub fn is_memory(&self, gfn: Gfn) -> bool {
        self.leaf(gfn.0).is_some()
    }

    /// As [`Nested::page`].
    #[inline]
    pub fn page(&self, gfn: Gfn) -> Option<(Page, bool)> {
        let (slot, entry, mfn) = self.leaf(gfn.0)?;
        // Taken, then looked at again: only then was it the entry's frame all the time.
        if let Some(page) = self.nested.mem.get_any_page(mfn)
            && load(slot) == entry
        {
            return Some((page, entry.is_writable()));
        }
        self.nested.page(gfn)
    }

    /// As [`Nested::read_word`].
    #[inline]
    pub fn read_word(&self, gpa: u64) -> Option<u64> {
        let (slot, entry, mfn) = self.leaf(gpa >> 12)?;
        // A counted frame is RAM, and stays RAM whatever becomes of it meanwhile.
        let words = self.nested.mem.0.words(mfn);
        let word = words
            .get((gpa & 0xfff) as usize / 8)?
            .load(Ordering::Acquire);
        if load(slot) == entry {
            return Some(word);
        }
        self.nested.read_word(gpa)
    }
}
