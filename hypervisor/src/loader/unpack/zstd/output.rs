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

    /// Appends the first `length` literals of `run` and takes them off it.
    #[inline(always)]
    pub(super) fn literals(&mut self, run: &mut Run<'_>, length: usize) -> Result<(), LoadError> {
        let Some(left) = run.length.checked_sub(length) else {
            return corrupt("too few literals");
        };
        let from = run.bytes.first_chunk::<STEP>();
        let to = self
            .bytes
            .get_mut(self.position..)
            .and_then(|rest| rest.first_chunk_mut::<STEP>());
        match (from, to) {
            (Some(from), Some(to)) if length <= STEP => {
                *to = *from;
                self.position = self.position.wrapping_add(length);
            }
            _ => self.append(run.bytes.get(..length).unwrap_or(&[]))?,
        }
        run.bytes = run.bytes.get(length..).unwrap_or(&[]);
        run.length = left;
        Ok(())
    }

    /// Appends `length` bytes from `offset` bytes before the end; the two may overlap.
    #[inline(always)]
    pub(super) fn repeat(&mut self, offset: usize, length: usize) -> Result<(), LoadError> {
        let Some(from) = self.position.checked_sub(offset) else {
            return corrupt("an offset reaches before the start");
        };
        let end = self.position.wrapping_add(length);
        // Room for the last step, which may go too far.
        if offset >= STEP && end.wrapping_add(STEP) <= self.bytes.len() {
            let (mut from, mut to) = (from, self.position);
            self.position = end;
            while to < end {
                self.step(from, to);
                from = from.wrapping_add(STEP);
                to = to.wrapping_add(STEP);
            }
            return Ok(());
        }
        self.repeat_slowly(from, offset, length)
    }

    #[inline(always)]
    fn step(&mut self, from: usize, to: usize) {
        let chunk = self
            .bytes
            .get(from..)
            .and_then(|rest| rest.first_chunk::<STEP>())
            .copied();
        let slot = self
            .bytes
            .get_mut(to..)
            .and_then(|rest| rest.first_chunk_mut::<STEP>());
        if let (Some(chunk), Some(slot)) = (chunk, slot) {
            *slot = chunk;
        }
    }

    /// For close offsets and for the end of the output: copies what is there, and twice as much
    /// each time.
    #[cold]
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
            length: 3,
        };
        assert!(out.literals(&mut run, 4).is_err());
        out.literals(&mut run, 3).unwrap();
        assert_eq!((run.length, run.bytes.len(), out.position()), (0, 37, 13));
    }
}
