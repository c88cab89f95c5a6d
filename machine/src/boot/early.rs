//! The boot code's frames: which RAM is still free, before there is a heap.
//!
//! Owned by the boot CPU. Invariant: ranges are page-aligned, ascending and disjoint, and a
//! range once taken or reserved is never given out.

use arrayvec::ArrayVec;

use super::memmap::{MAX_RANGES, MemoryKind, MemoryMap, MemoryRange};

const PAGE: u64 = 4096;

/// Free RAM.
#[derive(Debug)]
pub struct EarlyFrames {
    free: ArrayVec<MemoryRange, MAX_RANGES>,
}

impl EarlyFrames {
    /// All whole pages of ordinary memory between `start` and `end`.
    pub fn new(map: &MemoryMap, start: u64, end: u64) -> Self {
        let mut free = ArrayVec::new();
        for r in map.ranges().iter().filter(|r| r.kind == MemoryKind::Ram) {
            let base = r.base.max(start).checked_next_multiple_of(PAGE);
            let top = r.end().min(end) & !(PAGE - 1);
            if let Some(base) = base.filter(|b| *b < top) {
                let _ = free.try_push(MemoryRange {
                    base,
                    len: top - base,
                    kind: r.kind,
                });
            }
        }
        EarlyFrames { free }
    }

    /// Takes the bytes from `start` to `end` (rounded out to pages) away.
    pub fn reserve(&mut self, start: u64, end: u64) {
        let start = start & !(PAGE - 1);
        let end = end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        let mut i = 0;
        while let Some(r) = self.free.get(i).copied() {
            let (left, right) = (start.min(r.end()), end.max(r.base));
            if left <= r.base && right >= r.end() {
                self.free.remove(i);
                continue;
            }
            if start < r.end() && end > r.base {
                let tail = MemoryRange {
                    base: right,
                    len: r.end() - right.min(r.end()),
                    ..r
                };
                let head = MemoryRange {
                    len: left.max(r.base) - r.base,
                    ..r
                };
                let mut parts = [head, tail].into_iter().filter(|p| p.len != 0);
                if let (Some(slot), Some(first)) = (self.free.get_mut(i), parts.next()) {
                    *slot = first;
                }
                if let Some(second) = parts.next() {
                    // With no room for the second part its memory is lost, which is safe.
                    let _ = self.free.try_insert(i + 1, second);
                    i += 1;
                }
            }
            i += 1;
        }
    }

    /// Takes `len` bytes aligned to `align` (a power of two, at least a page), all below
    /// `below`: the highest there are.
    pub fn take(&mut self, len: u64, align: u64, below: u64) -> Option<u64> {
        let fits = |r: &MemoryRange| {
            let base = r.end().min(below).checked_sub(len)? & !(align - 1);
            (base >= r.base).then_some(base)
        };
        let base = self.free.iter().rev().find_map(fits)?;
        self.reserve(base, base.checked_add(len)?);
        Some(base)
    }

    /// What is free.
    pub fn ranges(&self) -> &[MemoryRange] {
        &self.free
    }

    /// Number of free bytes.
    pub fn bytes(&self) -> u64 {
        self.free.iter().map(|r| r.len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> EarlyFrames {
        let mut map = MemoryMap::default();
        map.push(0, 0x9fc00, MemoryKind::Ram);
        map.push(0x10_0000, 0x10_0000, MemoryKind::Ram);
        map.push(0x1_0000_0000, 0x20_0000, MemoryKind::Ram);
        EarlyFrames::new(&map, 0, u64::MAX)
    }

    fn ends(f: &EarlyFrames) -> ArrayVec<(u64, u64), 8> {
        f.ranges().iter().map(|r| (r.base, r.end())).collect()
    }

    #[test]
    fn reserving_cuts_heads_tails_middles_and_wholes() {
        let mut f = frames();
        f.reserve(0, 0x1001);
        f.reserve(0x9_e000, 0x10_0800);
        f.reserve(0x14_0000, 0x15_0000);
        f.reserve(0x1_0000_0000, 0x1_0020_0000);
        assert_eq!(
            ends(&f)[..],
            [
                (0x2000, 0x9_e000),
                (0x10_1000, 0x14_0000),
                (0x15_0000, 0x20_0000)
            ]
        );
        f.reserve(0x30_0000, 0x40_0000);
        f.reserve(0, u64::MAX);
        assert_eq!(f.bytes(), 0);
    }

    #[test]
    fn takes_the_highest_that_fits() {
        let mut f = frames();
        assert_eq!(f.take(0x1000, 0x1000, 0x1_0000_0000), Some(0x1f_f000));
        assert_eq!(f.take(0x20_0000, 0x20_0000, u64::MAX), Some(0x1_0000_0000));
        assert_eq!(f.take(0x20_0000, 0x20_0000, u64::MAX), None);
        assert_eq!(f.take(0x1_0000, 0x1_0000, u64::MAX), Some(0x1e_0000));
        assert_eq!(
            ends(&f)[..],
            [
                (0, 0x9_f000),
                (0x10_0000, 0x1e_0000),
                (0x1f_0000, 0x1f_f000)
            ]
        );
        assert_eq!(f.take(u64::MAX, 0x1000, u64::MAX), None);
    }
}
