//! A PVH dom0's physical memory: the machine's own map, with as much RAM as dom0 gets.
//!
//! Where the machine has RAM, dom0 has its own, from the bottom up. The rest of RAM is there, but
//! not usable, as on Xen: no device's memory is to be put at its addresses. Linux takes them for
//! the pages of others that it maps. All else is at its own address.

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
    // One range of RAM may become two parts.
    parts
        .try_reserve_exact(machine.ranges().len().saturating_add(1))
        .map_err(|_| Errno::ENOMEM)?;
    let mut push = |start, end, kind| {
        if start < end {
            parts.push(Part { start, end, kind });
        }
    };
    for range in machine.ranges() {
        if range.kind != MemoryKind::Ram {
            push(range.base, range.end(), range.kind);
            continue;
        }
        let start = range.base.max(4096).next_multiple_of(4096);
        let end = (range.end() & !4095).max(start);
        let given = end.min(start.saturating_add(left));
        left -= given - start;
        push(start, given, MemoryKind::Ram);
        push(given, end, MemoryKind::Unusable);
    }
    Ok(parts)
}

/// Sets the last `frames` of RAM below 4 GiB aside for ACPI's tables, which dom0 may use as RAM
/// when it has read them; their address. Errors: `ENOMEM` when there is no such part.
pub fn set_aside(parts: &mut Vec<Part>, frames: u64) -> Result<u64, Errno> {
    let len = frames << 12;
    let fits = |part: &Part| {
        part.kind == MemoryKind::Ram && part.end <= 1 << 32 && part.end - part.start > len
    };
    parts.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    let index = parts.iter().rposition(fits).ok_or(Errno::ENOMEM)?;
    let part = parts.get_mut(index).ok_or(Errno::ENOMEM)?;
    let (start, end) = (part.end - len, part.end);
    part.end = start;
    let tables = Part {
        start,
        end,
        kind: MemoryKind::Acpi,
    };
    parts.insert(index.saturating_add(1), tables);
    Ok(start)
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
        let rest = Unusable;
        assert_eq!(kinds, [Ram, Reserved, Ram, rest, Reserved, rest]);

        let mut parts = parts;
        let end = parts[2].end;
        assert_eq!(set_aside(&mut parts, 2), Ok(end - 0x2000));
        let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [Ram, Reserved, Ram, Acpi, rest, Reserved, rest]);
        let total: u64 = ram(&parts).map(|(_, count)| count).sum();
        assert_eq!(total, 0xffe);
        assert_eq!(set_aside(&mut parts, 0x1000), Err(Errno::ENOMEM));
    }
}
