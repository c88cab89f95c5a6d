//! Nested page tables: what a hardware-virtualised guest's physical addresses are.
//!
//! Four levels; entries of 4 KiB, 2 MiB and 1 GiB, split on demand and never joined. A leaf of
//! counted kind ([`Kind::is_counted`]) owns one general reference to each frame it covers;
//! setting an entry gives the old one's back as a [`Stale`]. Tables live as long as the whole
//! does: whoever reads them needs no lock, while writers go through one ([`Nested::lock`]).
//!
//! Invariant: every frame that the processor can reach through these tables is either held by
//! them or a device's. Processors may use an old translation until they flush; a frame whose
//! last reference went is stamped, and nobody gets it before they have ([`crate::tlb`]). Devices
//! that reach memory through these tables ([`crate::iommu`]) have forgotten an old translation
//! before what it led to is given out.

mod entry;
mod reader;
mod walk;

pub use entry::{Entry, Kind};
pub use reader::Reader;
pub use walk::Found;

use crate::addr::{Gfn, Mfn};
use crate::frame::{Mem, Page};
use crate::lock::{Guard, Lock};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Levels of tables.
pub const LEVELS: u32 = 4;
/// Guest frames from here on cannot be mapped.
pub const MAX_GFN: u64 = 1 << (9 * LEVELS);

/// Empty entries that [`NestedGuard::strip`] looks at in one go.
const STRIP: u64 = 512;
/// To give a frame back takes as long as looking at so many.
const LEAF: u64 = 16;

/// What a guest frame is to become.
#[derive(Debug)]
pub enum Leaf {
    /// Nothing.
    None,
    /// The frame of a page, which the entry then holds.
    Ram(Page),
    /// Memory of a device.
    Mmio(Mfn),
    /// Another domain's frame that is granted, which the entry then holds.
    Grant {
        /// The frame.
        page: Page,
        /// Whether the guest may write there.
        writable: bool,
    },
    /// Another domain's frame. The entry then holds it and, if it may be written, the caller's
    /// reference to its type, which is writable memory's.
    Foreign {
        /// The frame.
        page: Page,
        /// Whether the guest may write there.
        writable: bool,
    },
}

impl Leaf {
    fn entry(&self) -> Entry {
        let (mfn, kind, writable) = match self {
            Leaf::None => return Entry::NONE,
            Leaf::Ram(page) => (page.mfn(), Kind::Ram, true),
            Leaf::Mmio(mfn) => (*mfn, Kind::Mmio, true),
            Leaf::Grant { page, writable } => (page.mfn(), Kind::Grant, *writable),
            Leaf::Foreign { page, writable } => (page.mfn(), Kind::Foreign, *writable),
        };
        Entry::leaf(mfn, 1, kind, writable)
    }

    /// Leaves the reference to the entry.
    fn into_entry(self) {
        match self {
            Leaf::Ram(page) | Leaf::Grant { page, .. } | Leaf::Foreign { page, .. } => {
                let _ = page.into_entry();
            }
            Leaf::None | Leaf::Mmio(_) => {}
        }
    }
}

/// What an entry held. Other CPUs may still write there until they have flushed.
#[derive(Debug)]
#[must_use]
pub struct Stale {
    /// The reference that the entry held.
    pub page: Option<Page>,
    /// Whether there was anything: translations to flush.
    pub was_mapped: bool,
    /// Whether the entry held the page's type, too: the caller gives that back.
    pub typed: bool,
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
    /// Taken by who changes them. Holds how far [`NestedGuard::strip`] has come.
    writer: Lock<Gfn>,
    tables: AtomicU64,
    changes: AtomicU64,
    /// Devices reach memory through them, too.
    devices: AtomicBool,
}

/// The right to change the tables.
pub struct NestedGuard<'a> {
    nested: &'a Nested,
    stripped: Guard<'a, Gfn>,
}

impl Nested {
    /// Empty tables on a cleared `root` that nobody else has. `level` is the lock's.
    pub fn new(root: Page, level: u8) -> Nested {
        Nested {
            mem: root.mem(),
            root,
            writer: Lock::new(level, Gfn(0)),
            tables: AtomicU64::new(1),
            changes: AtomicU64::new(0),
            devices: AtomicBool::new(false),
        }
    }

    /// From now on devices are told of changes, too.
    pub(crate) fn tell_devices(&self) {
        self.devices.store(true, Ordering::SeqCst);
    }

    /// Something mapped became something else.
    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        if self.devices.load(Ordering::Relaxed) {
            crate::arch::imp::iommu::flush();
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
            stripped: self.writer.lock(),
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
        let new = leaf.entry();
        let Some(slot) = self.descend(gfn, 1, new.is_present(), frames)? else {
            return Ok(Stale {
                page: None,
                was_mapped: false,
                typed: false,
            });
        };
        let old = Entry(slot.swap(new.0, Ordering::AcqRel));
        leaf.into_entry();
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

    /// Takes leaves out, of whatever size, and gives their frames back, from where the last call
    /// ended on: for a guest that does not run any more and gets nothing new. Nothing is
    /// flushed. Looks at no more than a few hundred entries; `false` when nothing is left.
    pub fn strip(&mut self) -> bool {
        let mut work = STRIP;
        while work > 0 {
            let (slot, gfn, level) = match self.nested.next_leaf(*self.stripped, &mut work) {
                Ok(found) => found,
                Err(at) => {
                    *self.stripped = at;
                    return at.0 < MAX_GFN;
                }
            };
            let old = Entry(slot.swap(Entry::NONE.0, Ordering::AcqRel));
            self.nested.changed();
            self.nested.release(old, level);
            let frames = 1u64 << (9 * (level - 1));
            work = work.saturating_sub(LEAF * frames);
            *self.stripped = Gfn(gfn.0 + frames);
        }
        true
    }

    fn take(&self, old: Entry) -> Stale {
        if old.is_present() {
            self.nested.changed();
        }
        let held = old.is_present() && old.kind().is_counted();
        Stale {
            page: held
                .then(|| Page::from_entry(self.nested.mem, old.mfn()))
                .flatten(),
            was_mapped: old.is_present(),
            typed: held && old.is_typed(),
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
            slot.store(Entry::table(table, at - 1).0, Ordering::Release);
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
    /// Gives back what a leaf held that nobody can reach any more.
    fn release(&self, old: Entry, level: u32) {
        if !old.kind().is_counted() {
            return;
        }
        for mfn in old.mfn().0..old.mfn().0 + (1u64 << (9 * (level - 1))) {
            let page = Page::from_entry(self.mem, Mfn(mfn));
            if let Some(page) = page.filter(|_| old.is_typed()) {
                // Writable memory has nothing to put: this is done at once.
                let _ = page.put_type();
            }
        }
    }

    fn free(&self, table: Mfn, level: u32) {
        for word in self.mem.words(table) {
            let entry = Entry(word.swap(0, Ordering::AcqRel));
            if !entry.is_present() {
                continue;
            }
            if !entry.is_leaf(level) {
                self.free(entry.mfn(), level - 1);
                drop(Page::from_entry(self.mem, entry.mfn()));
            } else {
                self.release(entry, level);
            }
        }
    }
}
