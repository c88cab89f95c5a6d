//! One entry of a nested table, in the form of x86's page tables, as AMD-V walks them.
//!
//! Bits 9 to 11, which the processor ignores, hold the [`Kind`]. A table for another processor
//! (Intel's EPT) needs this file anew and nothing else.

use crate::addr::Mfn;

const P: u64 = 1;
const RW: u64 = 1 << 1;
/// Walks of nested tables count as the user's.
const US: u64 = 1 << 2;
/// Uncached, unless the guest says write-combining.
const PCD: u64 = 1 << 4;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const NX: u64 = 1 << 63;
const KIND_SHIFT: u32 = 9;
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// What a guest frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Memory of the guest's own.
    Ram = 0,
    /// A device's memory, of which nobody keeps count.
    Mmio = 1,
    /// Another domain's frame by its grant, which is counted apart.
    Grant = 2,
    /// Another domain's frame, by the right of who runs that domain.
    Foreign = 3,
}

impl Kind {
    /// Whether the entry holds references to the frames that it names.
    pub fn is_counted(self) -> bool {
        self != Kind::Mmio
    }
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub u64);

impl Entry {
    /// Nothing there.
    pub const NONE: Entry = Entry(0);

    /// An entry that names a lower table.
    pub fn table(mfn: Mfn) -> Entry {
        Entry(mfn.addr() | P | RW | US | A)
    }

    /// An entry at `level` (1 to 3) that maps memory from `mfn` on.
    pub fn leaf(mfn: Mfn, level: u32, kind: Kind, writable: bool) -> Entry {
        let mut bits = mfn.addr() | P | US | A | D | (kind as u64) << KIND_SHIFT;
        if writable {
            bits |= RW;
        }
        if level > 1 {
            bits |= PS;
        }
        if kind == Kind::Mmio {
            bits |= PCD;
        }
        // Code runs from a guest's own memory.
        if kind != Kind::Ram {
            bits |= NX;
        }
        Entry(bits)
    }

    /// Whether it maps or leads anywhere.
    pub fn is_present(self) -> bool {
        self.0 & P != 0
    }

    /// Whether it maps memory, at `level`.
    pub fn is_leaf(self, level: u32) -> bool {
        self.is_present() && (level == 1 || self.0 & PS != 0)
    }

    /// Whether it may be written through.
    pub fn is_writable(self) -> bool {
        self.0 & RW != 0
    }

    /// Whether code may run from it.
    pub fn is_executable(self) -> bool {
        self.0 & NX == 0
    }

    /// The frame named.
    pub fn mfn(self) -> Mfn {
        Mfn::of(self.0 & FRAME)
    }

    /// The kind of a leaf.
    pub fn kind(self) -> Kind {
        match self.0 >> KIND_SHIFT & 7 {
            0 => Kind::Ram,
            2 => Kind::Grant,
            3 => Kind::Foreign,
            _ => Kind::Mmio,
        }
    }

    /// Whether the entry holds a type reference, too, which keeps the frame writable memory: no
    /// grant does that for it.
    pub fn is_typed(self) -> bool {
        self.kind() == Kind::Foreign && self.is_writable()
    }

    /// Part `index` of this leaf of `level`, as a leaf of the level below.
    pub fn part(self, level: u32, index: u64) -> Entry {
        let frames = 1u64 << (9 * (level - 2));
        let bits = self.0 & !FRAME & if level == 2 { !PS } else { !0 };
        Entry(bits | Mfn(self.mfn().0 + index * frames).addr())
    }
}
