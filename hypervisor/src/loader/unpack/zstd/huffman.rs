//! Huffman-coded literals.

use super::bits::{Backward, Left};
use super::corrupt;
use super::fse::{Distribution, State};
use crate::loader::LoadError;

/// The longest code, in bits.
const LOG: u32 = 11;
const SIZE: usize = 1 << LOG;

/// A decoding table: for each value of the next `log` bits, the symbol in the upper byte and its
/// code's length in the lower one.
#[derive(Clone, Debug)]
pub(super) struct Huffman {
    table: [u16; SIZE],
    /// The longest code of this table; 0 when there is no table.
    log: u32,
}

impl Huffman {
    /// No table.
    pub(super) const fn new() -> Self {
        Self {
            table: [0; SIZE],
            log: 0,
        }
    }

    /// Forgets the table.
    pub(super) fn reset(&mut self) {
        self.log = 0;
    }

    /// Reads a description from the start of `data` and returns what follows it.
    pub(super) fn read<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], LoadError> {
        let mut weights = [0u8; 256];
        let Some((&header, data)) = data.split_first() else {
            return corrupt("no Huffman table");
        };
        let (count, rest) = if header >= 128 {
            direct(&mut weights, usize::from(header).wrapping_sub(127), data)?
        } else {
            let Some((coded, rest)) = data.split_at_checked(header.into()) else {
                return corrupt("a Huffman table is cut off");
            };
            (compressed(&mut weights, coded)?, rest)
        };
        self.build(&mut weights, count)?;
        Ok(rest)
    }

    /// Fills the table from the weights of `count` symbols; the last symbol's is implied.
    fn build(&mut self, weights: &mut [u8; 256], count: usize) -> Result<(), LoadError> {
        self.log = 0;
        let mut sum = 0u32;
        for &weight in weights.iter().take(count) {
            if u32::from(weight) > LOG {
                return corrupt("a Huffman code is too long");
            }
            // A weight stands for a share of 2^(weight - 1), zero for none.
            sum = sum.wrapping_add(1u32.wrapping_shl(weight.into()) >> 1);
        }
        let log = sum.checked_ilog2().map_or(0, |log| log.wrapping_add(1));
        let left = 1u32.wrapping_shl(log).wrapping_sub(sum);
        if log == 0 || log > LOG || !left.is_power_of_two() {
            return corrupt("Huffman weights do not add up");
        }
        let Some(last) = weights.get_mut(count) else {
            return corrupt("too many Huffman codes");
        };
        *last = left.ilog2().wrapping_add(1) as u8;
        // The longest codes come first, and equal ones in the order of their symbols.
        let mut at = 0usize;
        for weight in 1..=log {
            let share = 1usize.wrapping_shl(weight.wrapping_sub(1));
            let length = log.wrapping_add(1).wrapping_sub(weight);
            for (&other, symbol) in weights.iter().take(count.wrapping_add(1)).zip(0u16..) {
                if u32::from(other) == weight {
                    let end = at.wrapping_add(share);
                    let Some(slots) = self.table.get_mut(at..end) else {
                        return corrupt("Huffman weights do not add up");
                    };
                    slots.fill(symbol << 8 | length as u16);
                    at = end;
                }
            }
        }
        self.log = log;
        Ok(())
    }

    /// Decodes a stream that holds exactly as many symbols as `out` has bytes.
    pub(super) fn stream(&self, data: &[u8], out: &mut [u8]) -> Result<(), LoadError> {
        if self.log == 0 {
            return corrupt("literals refer to a missing Huffman table");
        }
        let shift = 64u32.wrapping_sub(self.log);
        let mut bits = Backward::new(data)?;
        // A refill gives 57 bits, enough for five codes.
        let (groups, rest) = out.as_chunks_mut::<5>();
        for group in groups {
            bits.refill();
            for byte in group {
                let index = bits.top().wrapping_shr(shift) as usize;
                let [length, symbol] = self.slot(index).to_le_bytes();
                bits.skip(length.into());
                *byte = symbol;
            }
        }
        bits.refill();
        for byte in rest {
            let [length, symbol] = self
                .slot(bits.top().wrapping_shr(shift) as usize)
                .to_le_bytes();
            bits.skip(length.into());
            *byte = symbol;
        }
        match bits.state() {
            Left::None => Ok(()),
            _ => corrupt("a Huffman stream has the wrong length"),
        }
    }

    #[inline(always)]
    fn slot(&self, index: usize) -> u16 {
        // The mask only tells the compiler that the index is in range.
        self.table.get(index & (SIZE - 1)).copied().unwrap_or(0)
    }
}

/// Weights of four bits each; returns their number and what follows.
fn direct<'a>(
    weights: &mut [u8; 256],
    count: usize,
    data: &'a [u8],
) -> Result<(usize, &'a [u8]), LoadError> {
    let Some((packed, rest)) = data.split_at_checked(count.div_ceil(2)) else {
        return corrupt("a Huffman table is cut off");
    };
    let (pairs, _) = weights.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(packed) {
        *pair = [byte >> 4, byte & 0xf];
    }
    Ok((count, rest))
}

/// Weights that are coded by two interleaved FSE states; returns their number.
fn compressed(weights: &mut [u8; 256], data: &[u8]) -> Result<usize, LoadError> {
    let (distribution, length) = Distribution::read(data, 256, 6)?;
    let mut states = [State::default(); 512];
    distribution.build(&mut states)?;
    let mut bits = Backward::new(data.get(length..).unwrap_or(&[]))?;
    let mut current = bits.take(distribution.log) as usize;
    bits.refill();
    let mut other = bits.take(distribution.log) as usize;
    for count in 0..weights.len().saturating_sub(1) {
        bits.refill();
        let (Some(weight), Some(state)) = (weights.get_mut(count), states.get(current)) else {
            break;
        };
        *weight = state.symbol;
        let next = usize::from(state.next).wrapping_add(bits.take(state.bits.into()) as usize);
        // When the bits run out, the other state's symbol is the last.
        if bits.state() == Left::Overrun {
            let (Some(weight), Some(state)) =
                (weights.get_mut(count.wrapping_add(1)), states.get(other))
            else {
                break;
            };
            *weight = state.symbol;
            return Ok(count.wrapping_add(2));
        }
        (current, other) = (other, next);
    }
    corrupt("too many Huffman weights")
}
