//! Finite-state entropy tables: their descriptions and what they decode to.

use super::bits::Forward;
use super::corrupt;
use crate::loader::LoadError;

/// The most symbols of any table: those of Huffman weights.
pub(super) const SYMBOLS: usize = 256;

/// How often each symbol occurs among `1 << log`; -1 for "less than once".
#[derive(Clone, Copy, Debug)]
pub(super) struct Distribution {
    counts: [i16; SYMBOLS],
    symbols: usize,
    /// Logarithm of the table's size.
    pub log: u32,
}

/// One state, before a symbol's meaning is added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// What the state stands for.
    pub symbol: u8,
    /// How many bits lead to the next state.
    pub bits: u8,
    /// The next state when those bits are zero.
    pub next: u16,
}

impl Distribution {
    /// A distribution from a list of counts that fill a table of `1 << log` states.
    pub(super) fn fixed(list: &[i16], log: u32) -> Self {
        let mut counts = [0; SYMBOLS];
        for (to, from) in counts.iter_mut().zip(list) {
            *to = *from;
        }
        Self {
            counts,
            symbols: list.len(),
            log,
        }
    }

    /// Reads a description from the start of `data`; returns its length in bytes too.
    pub(super) fn read(
        data: &[u8],
        symbols: usize,
        max_log: u32,
    ) -> Result<(Self, usize), LoadError> {
        let mut bits = Forward::new(data);
        let log = bits.peek(4).wrapping_add(5);
        bits.skip(4);
        if log > max_log {
            return corrupt("a table is too large");
        }
        let mut counts = [0; SYMBOLS];
        let mut left = 1i32 << log;
        let mut symbol = 0;
        while left > 0 {
            let Some(count) = counts.get_mut(symbol).filter(|_| symbol < symbols) else {
                return corrupt("a table has too many symbols");
            };
            *count = probability(&mut bits, left);
            left = left.wrapping_sub(i32::from(*count).abs());
            symbol = symbol.wrapping_add(1);
            // After a zero, two-bit numbers say how many more follow; a three goes on.
            let mut repeat = if *count == 0 { 3 } else { 0 };
            while repeat == 3 {
                repeat = bits.peek(2);
                bits.skip(2);
                symbol = symbol.wrapping_add(repeat as usize);
                bits.bytes()?;
            }
        }
        if left != 0 || symbol > symbols {
            return corrupt("a table does not add up");
        }
        Ok((
            Self {
                counts,
                symbols: symbol,
                log,
            },
            bits.bytes()?,
        ))
    }

    /// Calls `set` for each state, in no particular order.
    pub(super) fn build(&self, states: &mut [State; 1 << 9]) -> Result<(), LoadError> {
        let size = 1usize.wrapping_shl(self.log);
        let mask = size.wrapping_sub(1);
        let mut next = [0u16; SYMBOLS];
        let mut high = size;
        let counts = self.counts.iter().take(self.symbols).zip(0u8..=255);
        for ((&count, symbol), next) in counts.clone().zip(&mut next) {
            *next = count.unsigned_abs();
            if count < 0 {
                high = high.wrapping_sub(1);
                if let Some(state) = states.get_mut(high) {
                    state.symbol = symbol;
                }
            }
        }
        // The others are spread over the rest in steps that meet each state once.
        let step = (size >> 1).wrapping_add(size >> 3).wrapping_add(3);
        let mut position = 0usize;
        for (&count, symbol) in counts {
            for _ in 0..count.max(0) {
                if let Some(state) = states.get_mut(position) {
                    state.symbol = symbol;
                }
                loop {
                    position = position.wrapping_add(step) & mask;
                    // When all are below, position returns to 0.
                    if position < high || high == 0 {
                        break;
                    }
                }
            }
        }
        if position != 0 {
            return corrupt("a table does not add up");
        }
        for state in states.iter_mut().take(size) {
            let Some(next) = next.get_mut(usize::from(state.symbol)) else {
                continue;
            };
            let Some(width) = next.checked_ilog2() else {
                return corrupt("a table is damaged");
            };
            let bits = self.log.saturating_sub(width);
            state.bits = bits as u8;
            state.next = next.wrapping_shl(bits).wrapping_sub(size as u16);
            *next = next.wrapping_add(1);
        }
        Ok(())
    }
}

/// Reads one probability when `left` states are without a symbol. Numbers from 0 to `left` + 1
/// are stored, the smaller ones in a bit less.
fn probability(bits: &mut Forward<'_>, left: i32) -> i16 {
    let most = left.unsigned_abs().wrapping_add(1);
    let width = most.ilog2().wrapping_add(1);
    let short = 1u32.wrapping_shl(width).wrapping_sub(1).wrapping_sub(most);
    let half = 1u32.wrapping_shl(width.wrapping_sub(1));
    let value = bits.peek(width);
    let low = value & half.wrapping_sub(1);
    let value = if low < short {
        bits.skip(width.wrapping_sub(1));
        low
    } else {
        bits.skip(width);
        if value >= half {
            value.wrapping_sub(short)
        } else {
            value
        }
    };
    (value as i16).wrapping_sub(1)
}
