//! IVRS, AMD's table of IOMMUs (specification 48882, chapter 5): the units, and the memory that
//! devices must go on reaching. Which device is behind which unit does not matter here.

use super::{IommuEntry, Platform};
use crate::boot::{u16_at, u64_at};

/// Where its blocks begin.
const BLOCKS: usize = 48;

/// Adds what the table lists; `None` where it ends too early.
pub fn parse(table: &[u8], out: &mut Platform) -> Option<()> {
    let mut rest = table.get(BLOCKS..)?;
    while rest.len() >= 4 {
        let len = usize::from(u16_at(rest, 2)?);
        let block = rest.get(..len).filter(|block| block.len() >= 4)?;
        let _ = one(block, out);
        rest = rest.get(len..)?;
    }
    Some(())
}

fn one(block: &[u8], out: &mut Platform) -> Option<()> {
    match block.first()? {
        // A unit; it may be described three times, by older and newer kinds of block.
        0x10 | 0x11 | 0x40 => {
            let entry = IommuEntry {
                addr: u64_at(block, 8)?,
                segment: u16_at(block, 16)?,
                device: u16_at(block, 4)?,
                flags: *block.get(1)?,
            };
            if !out.iommus.iter().any(|known| known.addr == entry.addr) {
                let _ = out.iommus.try_push(entry);
            }
        }
        // Memory: for all devices, for one, for a range.
        0x20..=0x22 => {
            let (start, len) = (u64_at(block, 16)?, u64_at(block, 24)?);
            let last = start.checked_add(len.checked_sub(1)?)?;
            let _ = out.device_memory.try_push((start, last));
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_once_and_memory() {
        let mut table = [0u8; BLOCKS + 24 + 40 + 32];
        let unit = |at: usize, kind: u8, len: u8, table: &mut [u8]| {
            table[at..at + 4].copy_from_slice(&[kind, 0xb0, len, 0]);
            table[at + 4..at + 6].copy_from_slice(&[0x20, 0]);
            table[at + 8..at + 12].copy_from_slice(&0xfed8_0000u32.to_le_bytes());
        };
        unit(BLOCKS, 0x10, 24, &mut table);
        unit(BLOCKS + 24, 0x11, 40, &mut table);
        let at = BLOCKS + 64;
        table[at..at + 4].copy_from_slice(&[0x20, 0, 32, 0]);
        table[at + 17] = 0x10;
        table[at + 25] = 0x20;
        let mut platform = Platform::default();
        assert_eq!(parse(&table, &mut platform), Some(()));
        let unit = IommuEntry {
            addr: 0xfed8_0000,
            segment: 0,
            device: 0x20,
            flags: 0xb0,
        };
        assert_eq!(platform.iommus[..], [unit]);
        assert_eq!(platform.device_memory[..], [(0x1000, 0x2fff)]);
        for end in 0..table.len() {
            let _ = parse(&table[..end], &mut Platform::default());
        }
    }

    #[test]
    fn a_block_of_no_length_ends_it() {
        let table = [0u8; BLOCKS + 8];
        assert_eq!(parse(&table, &mut Platform::default()), None);
    }
}
