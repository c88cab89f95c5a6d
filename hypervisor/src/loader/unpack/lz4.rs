//! LZ4's legacy frame format: a magic number, then independent blocks with a size before each.

use crate::loader::LoadError;
use crate::loader::reader::Reader;
use lz4_flex::block::decompress_into;

/// What a block unpacks to at most, in bytes.
const BLOCK: usize = 8 << 20;
const MAGIC: u32 = 0x184c_2102;

/// Decodes all blocks; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    let mut input = Reader::new(data, "LZ4 data");
    let mut written = 0usize;
    while !input.rest().is_empty() {
        let size = input.le32()?;
        // A frame may follow another.
        if size == MAGIC {
            continue;
        }
        let size = usize::try_from(size).map_err(|_| LoadError::Truncated("LZ4 data"))?;
        let block = input.bytes(size)?;
        let room = out.get_mut(written..).unwrap_or(&mut []);
        let room_len = room.len().min(BLOCK);
        let room = room.get_mut(..room_len).unwrap_or(&mut []);
        let n = decompress_into(block, room).map_err(|_| LoadError::Corrupt("LZ4", "bad block"))?;
        written = written.saturating_add(n);
    }
    Ok(written)
}
