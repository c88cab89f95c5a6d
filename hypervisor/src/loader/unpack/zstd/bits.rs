//! Bit streams: backward ones for entropy-coded data, forward ones for table descriptions.

use super::corrupt;
use crate::loader::LoadError;

/// A bit stream that is read from its end to its start, after a 1 bit that marks the end.
///
/// Reading too far is not an error at once: it gives any value, and [`Backward::state`] tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backward<'a> {
    data: &'a [u8],
    /// Offset of the first of the eight bytes that `window` was loaded from.
    at: usize,
    /// Those bytes, rotated so that the next bit is the highest.
    window: u64,
    /// Bits of the eight bytes that were consumed, from the top.
    consumed: u32,
}

/// How much of a [`Backward`] stream is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Some bits.
    Some,
    /// None.
    None,
    /// More bits were read than there are.
    Overrun,
}

impl<'a> Backward<'a> {
    /// Starts at the end of `data`.
    pub(super) fn new(data: &'a [u8]) -> Result<Self, LoadError> {
        let Some(last) = data.last().filter(|&&last| last != 0) else {
            return corrupt("a bit stream has no end mark");
        };
        let padding = last.leading_zeros().wrapping_add(1);
        let (at, bytes, consumed) = match data.split_last_chunk::<8>() {
            Some((head, tail)) => (head.len(), *tail, padding),
            None => {
                // Short data is the low end; the bytes that are missing above it count as
                // consumed.
                let mut bytes = [0; 8];
                for (to, from) in bytes.iter_mut().zip(data) {
                    *to = *from;
                }
                let present = u32::try_from(data.len()).unwrap_or(8).wrapping_mul(8);
                (0, bytes, padding.wrapping_add(64u32.wrapping_sub(present)))
            }
        };
        let window = u64::from_le_bytes(bytes).rotate_left(consumed);
        Ok(Self {
            data,
            at,
            window,
            consumed,
        })
    }

    /// Makes at least 57 bits available, if there are so many.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let bytes = ((self.consumed >> 3) as usize).min(self.at);
        let at = self.at.wrapping_sub(bytes);
        if let Some(window) = self.data.get(at..).and_then(<[u8]>::first_chunk) {
            self.at = at;
            self.consumed = self.consumed.wrapping_sub((bytes as u32).wrapping_mul(8));
            self.window = u64::from_le_bytes(*window).rotate_left(self.consumed);
        }
    }

    /// Takes up to 57 bits that a refill made available.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u64 {
        self.skip(bits);
        self.window & 1u64.wrapping_shl(bits).wrapping_sub(1)
    }

    /// Takes bits without counting them, when the mask for so many is at hand; to be followed by
    /// [`Backward::count`].
    #[inline(always)]
    pub(super) fn take_uncounted(&mut self, bits: u32, mask: u64) -> u64 {
        self.window = self.window.rotate_left(bits);
        self.window & mask
    }

    /// Counts bits that were taken before.
    #[inline(always)]
    pub(super) fn count(&mut self, bits: u32) {
        self.consumed = self.consumed.wrapping_add(bits);
    }

    /// The next bits, from the highest one down.
    #[inline(always)]
    pub(super) fn top(&self) -> u64 {
        self.window
    }

    /// Consumes bits.
    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.window = self.window.rotate_left(bits);
        self.consumed = self.consumed.wrapping_add(bits);
    }

    /// Whether everything was read, or more.
    #[inline(always)]
    pub(super) fn state(&self) -> Left {
        let available = 64usize.wrapping_add(self.at.wrapping_mul(8));
        match available.cmp(&(self.consumed as usize)) {
            core::cmp::Ordering::Less => Left::Overrun,
            core::cmp::Ordering::Equal => Left::None,
            core::cmp::Ordering::Greater => Left::Some,
        }
    }
}

/// A bit stream that is read forward, from each byte's lowest bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forward<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Forward<'a> {
    /// Starts at the beginning of `data`.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    /// The next `bits` bits, at most 16, without taking them; zeros after the end.
    pub(super) fn peek(&self, bits: u32) -> u32 {
        let mut bytes = [0; 4];
        let rest = self.data.get(self.position >> 3..).unwrap_or(&[]);
        for (to, from) in bytes.iter_mut().zip(rest) {
            *to = *from;
        }
        let shift = (self.position & 7) as u32;
        (u32::from_le_bytes(bytes) >> shift) & 1u32.wrapping_shl(bits).wrapping_sub(1)
    }

    /// Takes bits.
    pub(super) fn skip(&mut self, bits: u32) {
        self.position = self.position.wrapping_add(bits as usize);
    }

    /// How many bytes were read, the last one perhaps in part.
    pub(super) fn bytes(&self) -> Result<usize, LoadError> {
        let bytes = self.position.div_ceil(8);
        if bytes > self.data.len() {
            corrupt("a table description is cut off")
        } else {
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backward_reads_from_the_end_mark() {
        for zeros in 0..12 {
            // Bits from the top of the last byte: 1 (mark), 101, 0011; then zeros below.
            let mut data = alloc::vec![0; zeros];
            data.push(0b1101_0011);
            let mut bits = Backward::new(&data).unwrap();
            assert_eq!((bits.take(3), bits.take(4)), (0b101, 0b0011));
            for _ in 0..zeros {
                assert_eq!(bits.state(), Left::Some);
                bits.refill();
                assert_eq!(bits.take(8), 0);
            }
            assert_eq!(bits.state(), Left::None);
            bits.skip(1);
            assert_eq!(bits.state(), Left::Overrun);
        }
    }

    #[test]
    fn a_stream_without_mark_is_refused() {
        assert!(Backward::new(&[]).is_err());
        assert!(Backward::new(&[1, 0]).is_err());
    }

    #[test]
    fn forward_reads_low_bits_first() {
        let mut bits = Forward::new(&[0b1010_0110, 0x01]);
        assert_eq!(bits.peek(4), 0b0110);
        bits.skip(4);
        assert_eq!(bits.peek(5), 0b1_1010);
        bits.skip(12);
        assert_eq!((bits.peek(8), bits.bytes()), (0, Ok(2)));
        bits.skip(1);
        assert!(bits.bytes().is_err());
    }
}
