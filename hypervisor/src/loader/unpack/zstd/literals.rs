//! A block's literals: raw, one byte repeated, or Huffman-coded in one or four streams.

use super::huffman::Huffman;
use super::{BLOCK, corrupt, size};
use crate::loader::LoadError;
use crate::loader::reader::Reader;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes after the literals that may be read, so that short ones are copied in one go.
pub(super) const SLACK: usize = 32;

/// The state of literals in a frame, and room for a block's.
#[derive(Debug)]
pub(super) struct Literals {
    table: Box<Huffman>,
    buffer: Vec<u8>,
}

/// Literals to be used by a block: `bytes` may go on behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    /// The literals and perhaps some bytes of no meaning.
    pub bytes: &'a [u8],
    /// How many were used.
    pub used: usize,
    /// How many there are; not more than `bytes` has.
    pub length: usize,
}

impl Literals {
    pub(super) fn new() -> Self {
        Self {
            table: Box::new(Huffman::new()),
            buffer: vec![0; BLOCK + SLACK],
        }
    }

    /// Begins a frame.
    pub(super) fn reset(&mut self) {
        self.table.reset();
    }

    /// Reads a block's literals section.
    pub(super) fn decode<'a>(&'a mut self, block: &mut Reader<'a>) -> Result<Run<'a>, LoadError> {
        let first = block.u8()?;
        let (kind, format) = (first & 3, first >> 2 & 3);
        if kind < 2 {
            // One, two or three bytes: the length above three or four bits.
            let length = match format {
                0 | 2 => usize::from(first >> 3),
                1 => usize::from(u16::from_le_bytes([first, block.u8()?]) >> 4),
                _ => {
                    let [second, third] = block.array()?;
                    size(u32::from_le_bytes([first, second, third, 0]) >> 4)?
                }
            };
            if kind == 0 {
                let bytes = block.rest();
                block.bytes(length)?;
                return Ok(Run {
                    bytes,
                    used: 0,
                    length,
                });
            }
            let byte = block.u8()?;
            self.room(length)?.fill(byte);
            return Ok(Run {
                bytes: &self.buffer,
                used: 0,
                length,
            });
        }
        let (length, packed) = sizes(first, format, block)?;
        let mut data = block.bytes(packed)?;
        if kind == 2 {
            data = self.table.read(data)?;
        }
        let Self { table, buffer } = self;
        let Some(out) = buffer.get_mut(..length).filter(|_| length <= BLOCK) else {
            return corrupt("too many literals");
        };
        if format == 0 {
            table.stream(data, out)?;
        } else {
            four_streams(table, data, out)?;
        }
        Ok(Run {
            bytes: &self.buffer,
            used: 0,
            length,
        })
    }

    fn room(&mut self, length: usize) -> Result<&mut [u8], LoadError> {
        match self.buffer.get_mut(..length) {
            Some(room) if length <= BLOCK => Ok(room),
            _ => corrupt("too many literals"),
        }
    }
}

/// The lengths of coded literals, unpacked and packed: 10, 14 or 18 bits each.
fn sizes(first: u8, format: u8, block: &mut Reader<'_>) -> Result<(usize, usize), LoadError> {
    let mut bytes = [0; 8];
    let (count, width) = match format {
        0 | 1 => (2, 10),
        2 => (3, 14),
        _ => (4, 18),
    };
    let more = block.bytes(count)?;
    for (to, from) in bytes.iter_mut().zip([first].iter().chain(more)) {
        *to = *from;
    }
    let word = u64::from_le_bytes(bytes) >> 4;
    let mask = (1u64 << width) - 1;
    // 18 bits fit.
    Ok(((word & mask) as usize, (word >> width & mask) as usize))
}

/// Decodes four streams, each but the last for a quarter of `out`.
fn four_streams(table: &Huffman, data: &[u8], out: &mut [u8]) -> Result<(), LoadError> {
    let mut input = Reader::new(data, "zstd literals");
    let lengths = [input.le16()?, input.le16()?, input.le16()?];
    let quarter = out.len().div_ceil(4);
    let mut out = out;
    for length in lengths {
        let stream = input.bytes(length.into())?;
        let Some((head, tail)) = out.split_at_mut_checked(quarter) else {
            return corrupt("four streams for too few literals");
        };
        table.stream(stream, head)?;
        out = tail;
    }
    table.stream(input.rest(), out)
}
