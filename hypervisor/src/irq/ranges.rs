//! A set of numbers as ranges: what a domain may use.
//!
//! Invariant: ranges are ascending, disjoint and not adjacent; there are at most
//! [`MAX_RANGES`].

use alloc::vec::Vec;
use xen_abi::Errno;

/// Most ranges in a set.
pub const MAX_RANGES: usize = 1024;

/// A set of numbers.
#[derive(Debug, Default)]
pub struct RangeSet {
    /// First and last.
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> RangeSet {
        RangeSet { ranges: Vec::new() }
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether all of `first` to `last` is in the set.
    pub fn contains(&self, first: u64, last: u64) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < first);
        self.ranges
            .get(at)
            .is_some_and(|&(start, end)| start <= first && last <= end)
    }

    /// Whether any of `first` to `last` is in the set.
    pub fn intersects(&self, first: u64, last: u64) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < first);
        self.ranges.get(at).is_some_and(|&(start, _)| start <= last)
    }

    /// The first range, within `first` to `last`, of what is not in the set.
    pub fn gap(&self, first: u64, last: u64) -> Option<(u64, u64)> {
        let at = self.ranges.partition_point(|&(_, end)| end < first);
        let mut rest = self.ranges.get(at..)?.iter().copied().peekable();
        let start = match rest.next_if(|&(start, _)| start <= first) {
            Some((_, end)) => end.checked_add(1)?,
            None => first,
        };
        let end = rest
            .peek()
            .map_or(last, |&(next, _)| last.min(next.saturating_sub(1)));
        (start <= end).then_some((start, end))
    }

    /// The ranges, first and last.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().copied()
    }

    /// Puts `first` to `last` into the set. Errors: `EINVAL` when `last` is less than `first`;
    /// `ENOMEM`; `ENOSPC` when the set is too ragged.
    pub fn add(&mut self, first: u64, last: u64) -> Result<(), Errno> {
        if last < first {
            return Err(Errno::EINVAL);
        }
        let (mut start, mut end) = (first, last);
        // All that overlap or touch the new one become part of it.
        let from = self
            .ranges
            .partition_point(|&(_, e)| e.saturating_add(1) < first);
        let to = self
            .ranges
            .partition_point(|&(s, _)| s <= last.saturating_add(1));
        if from == to {
            return self.insert(from, (first, last));
        }
        for &(s, e) in self.ranges.get(from..to).unwrap_or(&[]) {
            (start, end) = (start.min(s), end.max(e));
        }
        self.ranges.drain(from.saturating_add(1)..to);
        if let Some(range) = self.ranges.get_mut(from) {
            *range = (start, end);
        }
        Ok(())
    }

    /// Takes `first` to `last` out of the set. Errors: as [`RangeSet::add`].
    pub fn remove(&mut self, first: u64, last: u64) -> Result<(), Errno> {
        if last < first {
            return Err(Errno::EINVAL);
        }
        let from = self.ranges.partition_point(|&(_, e)| e < first);
        let to = self.ranges.partition_point(|&(s, _)| s <= last);
        let Some(&(start, _)) = self.ranges.get(from).filter(|_| from < to) else {
            return Ok(());
        };
        let (_, end) = self
            .ranges
            .get(to.saturating_sub(1))
            .copied()
            .unwrap_or((0, 0));
        let before = (start < first).then(|| (start, first.saturating_sub(1)));
        let after = (end > last).then(|| (last.saturating_add(1), end));
        if to - from == 1 && before.is_some() && after.is_some() {
            // One range becomes two: room for the second first, so that nothing is half done.
            if let Some(after) = after {
                self.insert(to, after)?;
            }
            if let (Some(range), Some(before)) = (self.ranges.get_mut(from), before) {
                *range = before;
            }
            return Ok(());
        }
        self.ranges.drain(from..to);
        // The drain left room for at least as many as are put back.
        for range in after.into_iter().chain(before) {
            self.insert(from, range)?;
        }
        Ok(())
    }

    fn insert(&mut self, at: usize, range: (u64, u64)) -> Result<(), Errno> {
        if self.ranges.len() >= MAX_RANGES {
            return Err(Errno::ENOSPC);
        }
        self.ranges.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.ranges.insert(at, range);
        Ok(())
    }
}
