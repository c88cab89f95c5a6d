//! The output: bytes are appended, copied from literals, or copied from before.
//!
//! Invariant: everything before `position` is written, and nothing outside the slice ever is.

use super::corrupt;
use super::literals::Run;
use crate::loader::LoadError;

/// Bytes that are copied at a time. Bytes behind a copy are overwritten later, so a short copy
/// may be as long as this when there is room.
const STEP: usize = 16;

/// An output slice that is filled from its start.
#[derive(Debug)]
pub(super) struct Output<'a> {
    bytes: &'a mut [u8],
    position: usize,
}

/// For each offset below [`STEP`]: what the bytes are multiplied with to repeat them in eight, and
/// how many of the eight to go on by. From 8 up, the bytes are loaded each time.
const PATTERNS: [(u64, usize); STEP] = {
    let mut patterns = [(1, 8); STEP];
    let mut offset = 1;
    while offset < 8 {
        let (mut factor, mut at) = (0, 0);
        while at < 8 {
            factor |= 1 << (at * 8);
            at += offset;
        }
        patterns[offset] = (factor, 8 - 8 % offset);
        offset += 1;
    }
    patterns
};

const FULL: &str = "more data than stated";

impl<'a> Output<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How much was written.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next `length` bytes; they count as written.
    fn next(&mut self, length: usize) -> Result<&mut [u8], LoadError> {
        let end = self.position.saturating_add(length);
        let Some(next) = self.bytes.get_mut(self.position..end) else {
            return corrupt(FULL);
        };
        self.position = end;
        Ok(next)
    }

    /// Appends `bytes`.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.next(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends `byte`, `length` times.
    pub(super) fn fill(&mut self, byte: u8, length: usize) -> Result<(), LoadError> {
        self.next(length)?.fill(byte);
        Ok(())
    }

    /// Appends the next `length` literals of `run` and counts them as used.
    #[inline(always)]
    pub(super) fn literals(&mut self, run: &mut Run<'_>, length: usize) -> Result<(), LoadError> {
        let end = run.used.wrapping_add(length);
        if end > run.length {
            return corrupt("too few literals");
        }
        let from = run.bytes.get(run.used..run.used.wrapping_add(STEP));
        let to = self
            .bytes
            .get_mut(self.position..self.position.wrapping_add(STEP));
        match (from, to) {
            (Some(from), Some(to)) if length <= STEP => {
                to.copy_from_slice(from);
                self.position = self.position.wrapping_add(length);
            }
            _ => self.append(run.bytes.get(run.used..end).unwrap_or(&[]))?,
        }
        run.used = end;
        Ok(())
    }

    /// Appends `length` bytes from `offset` bytes before the end; the two may overlap.
    #[inline(always)]
    pub(super) fn repeat(&mut self, offset: usize, length: usize) -> Result<(), LoadError> {
        if let Some((before, after)) = self.bytes.split_at_mut_checked(self.position) {
            let from = self.position.wrapping_sub(offset);
            let from = before.get(from..from.wrapping_add(STEP));
            let to = after.get_mut(..STEP);
            // Most are short, and as far away at least.
            if let (Some(from), Some(to)) = (from, to)
                && length <= STEP
            {
                to.copy_from_slice(from);
                self.position = self.position.wrapping_add(length);
                return Ok(());
            }
        }
        self.repeat_long(offset, length)
    }

    /// What [`Output::repeat`] does not do at once.
    fn repeat_long(&mut self, offset: usize, length: usize) -> Result<(), LoadError> {
        let Some(from) = self.position.checked_sub(offset) else {
            return corrupt("an offset reaches before the start");
        };
        if offset < STEP {
            return self.repeat_near(from, offset, length);
        }
        // Whole steps, the last of which may go too far.
        let whole = length.checked_next_multiple_of(STEP).unwrap_or(usize::MAX);
        if offset >= whole
            && let Some((before, after)) = self.bytes.split_at_mut_checked(self.position)
            && let Some(from) = before.get(from..from.saturating_add(whole))
            && let Some(to) = after.get_mut(..whole)
        {
            let (from, to) = (from.as_chunks::<STEP>().0, to.as_chunks_mut::<STEP>().0);
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
            self.position = self.position.wrapping_add(length);
            return Ok(());
        }
        self.repeat_slowly(from, offset, length)
    }

    /// Close offsets: eight bytes at a time, of which a multiple of the offset counts.
    fn repeat_near(&mut self, from: usize, offset: usize, length: usize) -> Result<(), LoadError> {
        let end = self.position.wrapping_add(length);
        let word = self
            .bytes
            .get(from..)
            .and_then(|rest| rest.first_chunk::<8>())
            .copied();
        let (Some(word), true) = (word, end.wrapping_add(STEP) <= self.bytes.len()) else {
            return self.repeat_slowly(from, offset, length);
        };
        let Some(&(factor, advance)) = PATTERNS.get(offset).filter(|_| offset != 0) else {
            return self.repeat_slowly(from, offset, length);
        };
        let mut to = self.position;
        let mut word = u64::from_le_bytes(word);
        if offset < 8 {
            let unused = 64usize.wrapping_sub(offset.wrapping_mul(8)) as u32;
            word = word
                .wrapping_shl(unused)
                .wrapping_shr(unused)
                .wrapping_mul(factor);
        }
        self.position = end;
        while to < end {
            if let Some(slot) = self
                .bytes
                .get_mut(to..)
                .and_then(|rest| rest.first_chunk_mut())
            {
                *slot = word.to_le_bytes();
            }
            to = to.wrapping_add(advance);
            if offset >= 8 {
                let from = to.wrapping_sub(offset);
                let next = self.bytes.get(from..).and_then(|rest| rest.first_chunk());
                word = next.map_or(word, |next| u64::from_le_bytes(*next));
            }
        }
        Ok(())
    }

    /// Long overlapping ones, and the end of the output: copies what is there, and twice as much each
    /// time.
    fn repeat_slowly(
        &mut self,
        from: usize,
        offset: usize,
        length: usize,
    ) -> Result<(), LoadError> {
        if offset == 0 {
            return corrupt("an offset is zero");
        }
        let start = self.position;
        self.next(length)?;
        let mut done = 0usize;
        while done < length {
            let part = offset.saturating_add(done).min(length.saturating_sub(done));
            let to = start.wrapping_add(done);
            let Some(end) = from
                .checked_add(part)
                .filter(|_| to.saturating_add(part) <= self.position)
            else {
                return corrupt(FULL);
            };
            self.bytes.copy_within(from..end, to);
            done = done.wrapping_add(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn repeats_are_as_if_byte_by_byte() {
        for room in [0, 7, 100] {
            for offset in 1..40 {
                for length in 0..70 {
                    let mut expected: Vec<u8> = (0..40).collect();
                    (0..length).for_each(|i| expected.push(expected[40 + i - offset]));
                    let mut bytes = alloc::vec![0; 40 + length + room];
                    let mut out = Output::new(&mut bytes);
                    out.append(&expected[..40]).unwrap();
                    out.repeat(offset, length).unwrap();
                    assert_eq!(out.position(), 40 + length);
                    assert_eq!(bytes[..40 + length], expected, "{offset} {length}");
                }
            }
        }
    }

    #[test]
    fn nothing_goes_outside() {
        let mut bytes = [0; 20];
        let mut out = Output::new(&mut bytes);
        out.fill(1, 10).unwrap();
        assert!(out.repeat(11, 1).is_err() && out.repeat(0, 1).is_err());
        assert!(out.repeat(5, 11).is_err() && out.fill(0, 11).is_err());
        assert!(out.repeat(usize::MAX, usize::MAX).is_err());
        assert_eq!(out.position(), 10);
        let mut run = Run {
            bytes: &[7; 40],
            used: 0,
            length: 3,
        };
        assert!(out.literals(&mut run, 4).is_err());
        out.literals(&mut run, 3).unwrap();
        assert_eq!((run.used, out.position()), (3, 13));
    }
}
