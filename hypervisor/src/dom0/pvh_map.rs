//! A PVH dom0's physical memory: the machine's own map, with as much RAM as dom0 gets.
//!
//! Where the machine has RAM, dom0 has its own, from the bottom up; RAM that is not given out
//! is left out of the map. All else is at its own address.

use alloc::vec::Vec;
use machine::boot::{MemoryKind, MemoryMap};
use xen_abi::Errno;

/// A part of the map, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// As an E820 number.
    pub kind: MemoryKind,
}

/// The map for a domain of `pages` frames. The first page stays out of it, for what goes wrong
/// with null pointers. Errors: `ENOMEM`.
pub fn parts(machine: &MemoryMap, pages: u64) -> Result<Vec<Part>, Errno> {
    let mut left = pages << 12;
    let mut parts = Vec::new();
    parts
        .try_reserve_exact(machine.ranges().len())
        .map_err(|_| Errno::ENOMEM)?;
    for range in machine.ranges() {
        let (mut start, mut end) = (range.base, range.end());
        if range.kind == MemoryKind::Ram {
            start = start.max(4096).next_multiple_of(4096);
            end &= !4095;
            end = end.min(start.saturating_add(left));
            left -= end.saturating_sub(start);
        }
        if start < end {
            parts.push(Part {
                start,
                end,
                kind: range.kind,
            });
        }
    }
    Ok(parts)
}

/// Frames of RAM in a map.
pub fn ram(parts: &[Part]) -> impl Iterator<Item = (u64, u64)> + '_ {
    parts
        .iter()
        .filter(|part| part.kind == MemoryKind::Ram)
        .map(|part| (part.start >> 12, (part.end - part.start) >> 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ranges: &[(u64, u64, MemoryKind)]) -> MemoryMap {
        let mut map = MemoryMap::new();
        for &(base, len, kind) in ranges {
            map.push(base, len, kind);
        }
        map
    }

    #[test]
    fn ram_ends_where_the_domain_does() {
        use MemoryKind::*;
        let machine = map(&[
            (0, 0x9_fc00, Ram),
            (0xf_0000, 0x1_0000, Reserved),
            (0x10_0000, 0x4000_0000, Ram),
            (0xfeff_c000, 0x4000, Reserved),
            (0x1_0000_0000, 0x4000_0000, Ram),
        ]);
        let parts = parts(&machine, 0x1000).unwrap();
        let total: u64 = ram(&parts).map(|(_, count)| count).sum();
        assert_eq!(total, 0x1000);
        let first = ram(&parts).next();
        assert_eq!(first, Some((1, 0x9e)));
        let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [Ram, Reserved, Ram, Reserved]);
    }
}
