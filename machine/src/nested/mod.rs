//! Nested page tables: what a hardware-virtualised guest's physical addresses are.
//!
//! Four levels; entries of 4 KiB, 2 MiB and 1 GiB, split on demand and never joined. A leaf of
//! counted kind ([`Kind::is_counted`]) owns one general reference to each frame it covers;
//! setting an entry gives the old one's back as a [`Stale`]. Tables live as long as the whole
//! does: whoever reads them needs no lock, while writers go through one ([`Nested::lock`]).
//!
//! Invariant: every frame that the processor can reach through these tables is either held by
//! them or a device's. Processors may use an old translation until they flush; a frame whose
//! last reference went is stamped, and nobody gets it before they have ([`crate::tlb`]).

mod entry;
mod walk;

pub use entry::{Entry, Kind};
pub use walk::Found;

use crate::addr::{Gfn, Mfn};
use crate::frame::{Mem, Page};
use crate::lock::{Guard, Lock};
use core::sync::atomic::{AtomicU64, Ordering};

/// Levels of tables.
pub const LEVELS: u32 = 4;
/// Guest frames from here on cannot be mapped.
pub const MAX_GFN: u64 = 1 << (9 * LEVELS);

/// What a guest frame is to become.
#[derive(Debug)]
pub enum Leaf {
    /// Nothing.
    None,
    /// The frame of a page, which the entry then holds.
    Ram(Page),
    /// Memory of a device.
    Mmio(Mfn),
}

/// What an entry held. Other CPUs may still write there until they have flushed.
#[derive(Debug)]
#[must_use]
pub struct Stale {
    /// The reference that the entry held.
    pub page: Option<Page>,
    /// Whether there was anything: translations to flush.
    pub was_mapped: bool,
}

/// Why an entry was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NestedError {
    /// No frame for a table.
    NoMemory,
    /// A guest frame beyond the tables, or not aligned.
    Range,
}

/// Gives cleared frames for tables.
pub type Frames<'a> = &'a mut dyn FnMut() -> Option<Page>;

/// The tables of one guest.
pub struct Nested {
    mem: Mem,
    root: Page,
    writer: Lock<()>,
    tables: AtomicU64,
    changes: AtomicU64,
}

/// The right to change the tables.
pub struct NestedGuard<'a> {
    nested: &'a Nested,
    _held: Guard<'a, ()>,
}

impl Nested {
    /// Empty tables on a cleared `root` that nobody else has. `level` is the lock's.
    pub fn new(root: Page, level: u8) -> Nested {
        Nested {
            mem: root.mem(),
            root,
            writer: Lock::new(level, ()),
            tables: AtomicU64::new(1),
            changes: AtomicU64::new(0),
        }
    }

    /// Machine frame of the root table.
    pub fn root(&self) -> Mfn {
        self.root.mfn()
    }

    /// Frames that the tables take.
    pub fn tables(&self) -> u64 {
        self.tables.load(Ordering::Relaxed)
    }

    /// How often something mapped became something else: translations of then are old.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Takes the right to change them.
    pub fn lock(&self) -> NestedGuard<'_> {
        NestedGuard {
            nested: self,
            _held: self.writer.lock(),
        }
    }

    fn slot(&self, table: Mfn, gfn: Gfn, level: u32) -> Option<&AtomicU64> {
        let index = (gfn.0 >> (9 * (level - 1))) & 511;
        // Tables are frames of RAM that this holds.
        self.mem.words(table).get(index as usize)
    }
}

fn load(slot: &AtomicU64) -> Entry {
    Entry(slot.load(Ordering::Acquire))
}

impl NestedGuard<'_> {
    /// Makes `gfn` what `leaf` says; gives back what it was. Errors leave all as it was.
    pub fn set(&mut self, gfn: Gfn, leaf: Leaf, frames: Frames<'_>) -> Result<Stale, NestedError> {
        let kind = match &leaf {
            Leaf::None => None,
            Leaf::Ram(page) => Some((page.mfn(), Kind::Ram)),
            Leaf::Mmio(mfn) => Some((*mfn, Kind::Mmio)),
        };
        let make = kind.is_some();
        let Some(slot) = self.descend(gfn, 1, make, frames)? else {
            return Ok(Stale {
                page: None,
                was_mapped: false,
            });
        };
        let new = kind.map_or(Entry::NONE, |(mfn, kind)| Entry::leaf(mfn, 1, kind, true));
        let old = Entry(slot.swap(new.0, Ordering::AcqRel));
        if let Leaf::Ram(page) = leaf {
            let _ = page.into_entry();
        }
        Ok(self.take(old))
    }

    /// Maps 512 frames (`level` 2) or 512 times that (`level` 3), which lie together and begin
    /// at a multiple of their size, where nothing is mapped yet. `pages` yields them in order;
    /// `first` is the first. Errors: `Range` also where something is, and for other pages.
    pub fn set_run(
        &mut self,
        gfn: Gfn,
        level: u32,
        first: Mfn,
        pages: impl Iterator<Item = Page>,
        frames: Frames<'_>,
    ) -> Result<(), NestedError> {
        let count = 1u64 << (9 * (level.clamp(2, 3) - 1));
        if !gfn.0.is_multiple_of(count) || !first.0.is_multiple_of(count) {
            return Err(NestedError::Range);
        }
        let slot = self
            .descend(gfn, level.clamp(2, 3), true, frames)?
            .ok_or(NestedError::Range)?;
        if load(slot).is_present() {
            return Err(NestedError::Range);
        }
        let mut held = 0;
        for page in pages {
            if page.mfn().0 != first.0 + held {
                break;
            }
            let _ = page.into_entry();
            held += 1;
            if held == count {
                let entry = Entry::leaf(first, level, Kind::Ram, true);
                slot.store(entry.0, Ordering::Release);
                return Ok(());
            }
        }
        for mfn in first.0..first.0 + held {
            drop(Page::from_entry(self.nested.mem, Mfn(mfn)));
        }
        Err(NestedError::Range)
    }

    /// Takes the first leaf at `from` or after out, whatever its size, and gives its frames
    /// back. The guest frame after it; `None` when there was none. For a guest that does not run
    /// any more: nothing is flushed.
    pub fn remove_leaf(&mut self, from: Gfn) -> Option<Gfn> {
        let (slot, gfn, level) = self.nested.first_leaf(from)?;
        let old = Entry(slot.swap(Entry::NONE.0, Ordering::AcqRel));
        self.nested.changes.fetch_add(1, Ordering::AcqRel);
        let count = 1u64 << (9 * (level - 1));
        if old.kind().is_counted() {
            for mfn in old.mfn().0..old.mfn().0 + count {
                drop(Page::from_entry(self.nested.mem, Mfn(mfn)));
            }
        }
        Some(Gfn(gfn.0 + count))
    }

    fn take(&self, old: Entry) -> Stale {
        if old.is_present() {
            self.nested.changes.fetch_add(1, Ordering::AcqRel);
        }
        let held = old.is_present() && old.kind().is_counted();
        Stale {
            page: held
                .then(|| Page::from_entry(self.nested.mem, old.mfn()))
                .flatten(),
            was_mapped: old.is_present(),
        }
    }

    /// The slot for `gfn` in its table of `level`. Tables on the way are made when `make` says
    /// so (else `None`); larger leaves are split.
    fn descend(
        &self,
        gfn: Gfn,
        level: u32,
        make: bool,
        frames: Frames<'_>,
    ) -> Result<Option<&AtomicU64>, NestedError> {
        if gfn.0 >= MAX_GFN {
            return Err(NestedError::Range);
        }
        let mut table = self.nested.root();
        for at in (level + 1..=LEVELS).rev() {
            let slot = self.nested.slot(table, gfn, at).ok_or(NestedError::Range)?;
            let entry = load(slot);
            if !entry.is_present() && !make {
                return Ok(None);
            }
            if entry.is_present() && !entry.is_leaf(at) {
                table = entry.mfn();
                continue;
            }
            let page = frames().ok_or(NestedError::NoMemory)?;
            if entry.is_present() {
                // The references go along, one by one.
                for (index, word) in page.words().iter().enumerate() {
                    word.store(entry.part(at, index as u64).0, Ordering::Relaxed);
                }
            }
            table = page.into_entry();
            self.nested.tables.fetch_add(1, Ordering::Relaxed);
            slot.store(Entry::table(table).0, Ordering::Release);
        }
        Ok(self.nested.slot(table, gfn, level))
    }
}

impl Drop for Nested {
    /// Gives everything back. Whoever has much mapped takes it out before, in pieces.
    fn drop(&mut self) {
        self.free(self.root.mfn(), LEVELS);
    }
}

impl Nested {
    fn free(&self, table: Mfn, level: u32) {
        for word in self.mem.words(table) {
            let entry = Entry(word.swap(0, Ordering::AcqRel));
            if !entry.is_present() {
                continue;
            }
            if !entry.is_leaf(level) {
                self.free(entry.mfn(), level - 1);
                drop(Page::from_entry(self.mem, entry.mfn()));
            } else if entry.kind().is_counted() {
                let count = 1u64 << (9 * (level - 1));
                for mfn in entry.mfn().0..entry.mfn().0 + count {
                    drop(Page::from_entry(self.mem, Mfn(mfn)));
                }
            }
        }
    }
}
