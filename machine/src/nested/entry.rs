//! One entry of a nested table, in the form of x86's page tables, as AMD-V walks them, and
//! AMD's IOMMU besides (its specification 48882, 2.2.3): one set of tables serves both.
//!
//! What the processor ignores in bits 9 to 11 and 60 to 62 is the IOMMU's: the level of the table
//! named, and what devices may do. So the [`Kind`] is told by bits that mean the same to both or
//! nothing to either: devices' memory is uncached, only a guest's own memory is executable, and
//! bit 8 (*global*, which nested walks ignore) tells grants from other foreign frames. A table
//! for another processor (Intel's EPT) needs this file anew and nothing else.

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
/// A foreign frame that is no grant's.
const FOREIGN: u64 = 1 << 8;
const NX: u64 = 1 << 63;
/// The level of the table named; zero at a leaf.
const NEXT_SHIFT: u32 = 9;
/// Devices' accesses heed caches.
const COHERENT: u64 = 1 << 60;
/// Devices may read, and write.
const DEVICE_READ: u64 = 1 << 61;
const DEVICE_WRITE: u64 = 1 << 62;
const FRAME: u64 = 0x000f_ffff_ffff_f000;

/// What a guest frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Memory of the guest's own.
    Ram,
    /// A device's memory, of which nobody keeps count.
    Mmio,
    /// Another domain's frame by its grant, which is counted apart.
    Grant,
    /// Another domain's frame, by the right of who runs that domain.
    Foreign,
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

    /// An entry that names a table of `level`.
    pub fn table(mfn: Mfn, level: u32) -> Entry {
        let device = u64::from(level) << NEXT_SHIFT | DEVICE_READ | DEVICE_WRITE;
        Entry(mfn.addr() | P | RW | US | A | device)
    }

    /// An entry at `level` (1 to 3) that maps memory from `mfn` on.
    pub fn leaf(mfn: Mfn, level: u32, kind: Kind, writable: bool) -> Entry {
        let mut bits = mfn.addr() | P | US | A | D | DEVICE_READ;
        if writable {
            bits |= RW | DEVICE_WRITE;
        }
        if level > 1 {
            bits |= PS;
        }
        // Code runs from a guest's own memory.
        bits |= match kind {
            Kind::Ram => COHERENT,
            Kind::Mmio => PCD | NX,
            Kind::Grant => COHERENT | NX,
            Kind::Foreign => COHERENT | NX | FOREIGN,
        };
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
        match (self.0 & PCD != 0, self.0 & NX != 0, self.0 & FOREIGN != 0) {
            (true, _, _) => Kind::Mmio,
            (_, false, _) => Kind::Ram,
            (_, _, false) => Kind::Grant,
            (_, _, true) => Kind::Foreign,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What AMD's IOMMU sees: the level of the next table, and rights.
    fn for_devices(entry: Entry) -> (u64, bool, bool) {
        let Entry(bits) = entry;
        assert_eq!(bits >> 52 & 0x7f, 0, "reserved");
        (bits >> 9 & 7, bits >> 61 & 1 != 0, bits >> 62 & 1 != 0)
    }

    #[test]
    fn kinds_and_rights_come_back_for_processors_and_devices() {
        for kind in [Kind::Ram, Kind::Mmio, Kind::Grant, Kind::Foreign] {
            for (level, writable) in [(1, true), (1, false), (2, true)] {
                let entry = Entry::leaf(Mfn(0x1_2345_6000), level, kind, writable);
                assert_eq!((entry.kind(), entry.is_writable()), (kind, writable));
                assert_eq!(entry.is_executable(), kind == Kind::Ram);
                assert!(entry.is_leaf(level) && entry.mfn() == Mfn(0x1_2345_6000));
                assert_eq!(for_devices(entry), (0, true, writable));
            }
        }
        let part = Entry::leaf(Mfn(0x200), 2, Kind::Ram, true).part(2, 3);
        assert_eq!(part, Entry::leaf(Mfn(0x203), 1, Kind::Ram, true));
        assert_eq!(for_devices(Entry::table(Mfn(5), 3)), (3, true, true));
    }
}
