//! Where things lie in the address space that instructions are executed in, and the segments
//! that 16- and 32-bit code has.
//!
//! Owns no state. Invariant: the page before the code, the page after it, the page before the
//! data and the page after it are not mapped, so that an access beyond an edge faults.

use x86_emulate::Segment;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Code: two pages that can be read and executed.
pub const CODE: u64 = 0x1_0000;
/// The end of the code.
pub const CODE_END: u64 = CODE + 2 * PAGE;
/// Data: three pages that can be read and written, and one that can be read.
pub const DATA: u64 = 0x2_0000;
/// The data that can be read only.
pub const READ_ONLY: u64 = DATA + 3 * PAGE;
/// The end of the data.
pub const DATA_END: u64 = READ_ONLY + PAGE;

/// The native process's selectors of 64-bit code, 32-bit code and data.
pub const CODE64: u16 = 0x33;
/// 32-bit code over all of the address space.
pub const CODE32: u16 = 0x23;
/// Data over all of the address space.
pub const FLAT: u16 = 0x2b;

/// What a descriptor of the local table is, besides its base and limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Data that can be written.
    Data,
    /// Data that can be read only.
    ReadOnly,
    /// Data above the limit.
    Down,
    /// Code that can be read.
    Code,
}

/// A descriptor of the local table.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Linear address of offset 0.
    pub base: u32,
    /// The limit in bytes.
    pub limit: u32,
    /// What it is.
    pub kind: Kind,
    /// Offsets have 32 bits.
    pub big: bool,
}

const fn descriptor(base: u32, limit: u32, kind: Kind, big: bool) -> Descriptor {
    Descriptor {
        base,
        limit,
        kind,
        big,
    }
}

/// The local descriptor table.
pub const LDT: [Descriptor; 9] = [
    descriptor(0x1_0000, 0x1fff, Kind::Code, false),
    descriptor(0x8000, u32::MAX, Kind::Code, true),
    descriptor(0x1_8000, 0xffff, Kind::Data, true),
    descriptor(0x1_f000, 0x2fff, Kind::Data, true),
    descriptor(0x1_8000, 0xffff, Kind::ReadOnly, true),
    descriptor(0x1_0000, 0x1_0fff, Kind::Down, true),
    descriptor(0x1_8000, 0x87ff, Kind::Down, false),
    descriptor(0x1_c000, 0x7802, Kind::Data, false),
    descriptor(0xc000, 0xf_ffff, Kind::Code, true),
];

/// The selector of an entry of the local table, for ring 3.
pub const fn local(index: usize) -> u16 {
    (index << 3 | 7) as u16
}

/// What a selector stands for; `None` for the null selector.
pub fn segment(selector: u16) -> Option<Segment> {
    let flat = Segment {
        base: 0,
        limit: u32::MAX,
        readable: true,
        writable: true,
        expand_down: false,
        big: true,
    };
    match selector {
        FLAT => return Some(flat),
        CODE32 | CODE64 => {
            return Some(Segment {
                writable: false,
                ..flat
            });
        }
        _ => {}
    }
    let found = LDT.get(usize::from(selector >> 3))?;
    (selector & 4 != 0).then(|| Segment {
        base: found.base.into(),
        limit: found.limit,
        readable: true,
        writable: matches!(found.kind, Kind::Data | Kind::Down),
        expand_down: found.kind == Kind::Down,
        big: found.big,
    })
}
