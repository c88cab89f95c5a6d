//! The memory map: sorted, merged, without overlaps.
//!
//! Invariant of [`MemoryMap::sanitised`]'s result: ranges are non-empty, ascending, disjoint,
//! and where the firmware contradicts itself the more careful kind holds.

use arrayvec::ArrayVec;

/// Most ranges kept.
pub const MAX_RANGES: usize = 256;

/// What a range of machine addresses holds; numbers as in E820.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum MemoryKind {
    /// Ordinary memory.
    Ram = 1,
    /// ACPI tables, memory once they have been read.
    Acpi = 3,
    /// Kept by firmware over sleep.
    Nvs = 4,
    /// Not to be touched by an operating system.
    Reserved = 2,
    /// Broken.
    Unusable = 5,
}

impl MemoryKind {
    /// From an E820 number; unknown ones are reserved.
    pub fn from_e820(number: u32) -> Self {
        match number {
            1 => MemoryKind::Ram,
            3 => MemoryKind::Acpi,
            4 => MemoryKind::Nvs,
            5 => MemoryKind::Unusable,
            _ => MemoryKind::Reserved,
        }
    }

    /// From an EFI memory type, after boot services have ended (UEFI 2.10, 7.2).
    pub fn from_efi(number: u32) -> Self {
        match number {
            1..=4 | 7 => MemoryKind::Ram,
            8 => MemoryKind::Unusable,
            9 => MemoryKind::Acpi,
            10 => MemoryKind::Nvs,
            _ => MemoryKind::Reserved,
        }
    }

    /// Which of two claims on one address wins: the higher.
    fn weight(self) -> u8 {
        match self {
            MemoryKind::Ram => 0,
            MemoryKind::Acpi => 1,
            MemoryKind::Nvs => 2,
            MemoryKind::Reserved => 3,
            MemoryKind::Unusable => 4,
        }
    }
}

/// A range of machine addresses, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// First address.
    pub base: u64,
    /// Length in bytes.
    pub len: u64,
    /// What is there.
    pub kind: MemoryKind,
}

impl MemoryRange {
    /// One past the last address; saturates.
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.len)
    }
}

/// A list of ranges.
#[derive(Clone, Debug, Default)]
pub struct MemoryMap {
    ranges: ArrayVec<MemoryRange, MAX_RANGES>,
    /// Ranges that did not fit.
    pub dropped: usize,
}

impl MemoryMap {
    /// No range.
    pub const fn new() -> Self {
        MemoryMap {
            ranges: ArrayVec::new_const(),
            dropped: 0,
        }
    }

    /// Adds a range as the firmware says it. Empty and wrapping ranges are cut.
    pub fn push(&mut self, base: u64, len: u64, kind: MemoryKind) {
        let len = len.min(u64::MAX - base);
        if len == 0 {
            return;
        }
        if self
            .ranges
            .try_push(MemoryRange { base, len, kind })
            .is_err()
        {
            self.dropped += 1;
        }
    }

    /// The ranges.
    pub fn ranges(&self) -> &[MemoryRange] {
        &self.ranges
    }

    /// Bytes of ordinary memory.
    pub fn ram_bytes(&self) -> u64 {
        let ram = self.ranges.iter().filter(|r| r.kind == MemoryKind::Ram);
        ram.fold(0u64, |sum, r| sum.saturating_add(r.len))
    }

    /// One past the highest address of ordinary memory.
    pub fn ram_end(&self) -> u64 {
        let ram = self.ranges.iter().filter(|r| r.kind == MemoryKind::Ram);
        ram.map(MemoryRange::end).max().unwrap_or(0)
    }

    /// Takes out ordinary memory at and above address `end`, and then from the top down what
    /// goes beyond `bytes` bytes of it. The map must be a [`MemoryMap::sanitised`] one.
    pub fn limit(&mut self, end: u64, bytes: u64) {
        let mut left = bytes;
        self.ranges.retain(|r| {
            if r.kind == MemoryKind::Ram {
                r.len = r.len.min(end.saturating_sub(r.base)).min(left);
                left -= r.len;
            }
            r.len != 0
        });
    }

    /// The same map sorted, without overlaps, neighbours of a kind joined.
    pub fn sanitised(&self) -> MemoryMap {
        let mut edges: ArrayVec<u64, { 2 * MAX_RANGES }> = ArrayVec::new();
        for r in &self.ranges {
            let _ = edges.try_push(r.base);
            let _ = edges.try_push(r.end());
        }
        edges.sort_unstable();
        let mut out = MemoryMap {
            ranges: ArrayVec::new(),
            dropped: self.dropped,
        };
        for pair in edges.windows(2) {
            let &[base, end] = pair else { continue };
            if base == end {
                continue;
            }
            let covers = self
                .ranges
                .iter()
                .filter(|r| r.base <= base && r.end() >= end);
            let Some(kind) = covers.map(|r| r.kind).max_by_key(|k| k.weight()) else {
                continue;
            };
            match out.ranges.last_mut() {
                Some(last) if last.end() == base && last.kind == kind => last.len += end - base,
                _ => out.push(base, end - base, kind),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ranges: &[(u64, u64, MemoryKind)]) -> MemoryMap {
        let mut m = MemoryMap::default();
        for &(base, len, kind) in ranges {
            m.push(base, len, kind);
        }
        m
    }

    fn flat(m: &MemoryMap) -> ArrayVec<(u64, u64, MemoryKind), 16> {
        m.ranges()
            .iter()
            .map(|r| (r.base, r.end(), r.kind))
            .collect()
    }

    #[test]
    fn sorts_and_joins() {
        use MemoryKind::*;
        let m = map(&[
            (0x3000, 0x1000, Ram),
            (0, 0x1000, Ram),
            (0x1000, 0x2000, Ram),
        ]);
        assert_eq!(flat(&m.sanitised())[..], [(0, 0x4000, Ram)]);
    }

    #[test]
    fn the_careful_kind_wins_an_overlap() {
        use MemoryKind::*;
        let m = map(&[
            (0, 0x10000, Ram),
            (0x4000, 0x2000, Reserved),
            (0x5000, 0x3000, Acpi),
        ]);
        let want = [
            (0, 0x4000, Ram),
            (0x4000, 0x6000, Reserved),
            (0x6000, 0x8000, Acpi),
            (0x8000, 0x10000, Ram),
        ];
        assert_eq!(flat(&m.sanitised())[..], want);
    }

    #[test]
    fn limits_cut_ordinary_memory_alone() {
        use MemoryKind::*;
        let whole = map(&[
            (0, 0x4000, Ram),
            (0x4000, 0x1000, Reserved),
            (0x5000, 0x3000, Ram),
            (0x9000, 0x1000, Acpi),
        ]);
        let cut = |end, bytes| {
            let mut m = whole.clone();
            m.limit(end, bytes);
            flat(&m)
        };
        assert_eq!(cut(u64::MAX, u64::MAX)[..], flat(&whole)[..]);
        let want = [
            (0, 0x4000, Ram),
            (0x4000, 0x5000, Reserved),
            (0x5000, 0x6000, Ram),
            (0x9000, 0xa000, Acpi),
        ];
        assert_eq!(cut(0x6000, u64::MAX)[..], want);
        assert_eq!(cut(u64::MAX, 0x5000)[..], want);
        assert_eq!(
            cut(0x2000, 0x1000)[..],
            [(0, 0x1000, Ram), want[1], want[3]]
        );
    }

    #[test]
    fn wrapping_and_empty_ranges_are_cut() {
        use MemoryKind::*;
        let m = map(&[(0x1000, 0, Ram), (u64::MAX - 0xfff, u64::MAX, Reserved)]);
        assert_eq!(
            flat(&m.sanitised())[..],
            [(u64::MAX - 0xfff, u64::MAX, Reserved)]
        );
    }

    #[test]
    fn too_many_ranges_are_counted() {
        let mut m = MemoryMap::default();
        for i in 0..300u64 {
            m.push(i * 0x2000, 0x1000, MemoryKind::Ram);
        }
        assert_eq!(
            (m.sanitised().ranges().len(), m.sanitised().dropped),
            (256, 44)
        );
    }
}
