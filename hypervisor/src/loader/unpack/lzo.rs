//! The container of `lzop`, which Linux uses for LZO: a header, then blocks with their sizes.
//!
//! Checksums are skipped; each block's size and the whole's are checked.

use crate::loader::LoadError;
use crate::loader::reader::Reader;

const MAGIC: &[u8] = b"\x89LZO\x00\x0d\x0a\x1a\x0a";
/// The version of `lzop` that added the fields "version needed", "level" and the upper time.
const EXTENDED: u16 = 0x0940;

const ADLER32_PLAIN: u32 = 1 << 0;
const ADLER32_PACKED: u32 = 1 << 1;
const EXTRA_FIELD: u32 = 1 << 6;
const CRC32_PLAIN: u32 = 1 << 8;
const CRC32_PACKED: u32 = 1 << 9;
const FILTER: u32 = 1 << 11;

/// Decodes all blocks; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    let mut input = Reader::new(data, "LZO data");
    let flags = header(&mut input)?;
    let count = |a: u32, b: u32| usize::from(flags & a != 0) + usize::from(flags & b != 0);
    let (plain_sums, packed_sums) = (
        count(ADLER32_PLAIN, CRC32_PLAIN),
        count(ADLER32_PACKED, CRC32_PACKED),
    );
    let bad = |what| LoadError::Corrupt("LZO", what);
    let mut written = 0usize;
    loop {
        let plain = usize::try_from(input.be32()?).map_err(|_| bad("block size"))?;
        if plain == 0 {
            return Ok(written);
        }
        let packed = usize::try_from(input.be32()?).map_err(|_| bad("block size"))?;
        input.bytes(plain_sums * 4)?;
        if packed < plain {
            input.bytes(packed_sums * 4)?;
        }
        let block = input.bytes(packed)?;
        let end = written.checked_add(plain).ok_or(bad("block size"))?;
        let room = out
            .get_mut(written..end)
            .ok_or(bad("more data than stated"))?;
        if packed == plain {
            room.copy_from_slice(block);
        } else if lzokay::decompress::decompress(block, room) != Ok(plain) {
            return Err(bad("bad block"));
        }
        written = end;
    }
}

/// Reads the header; returns its flags.
fn header(input: &mut Reader<'_>) -> Result<u32, LoadError> {
    if input.bytes(MAGIC.len())? != MAGIC {
        return Err(LoadError::Corrupt("LZO", "bad magic"));
    }
    let version = input.be16()?;
    input.be16()?; // the library's version
    let extended = version >= EXTENDED;
    if extended {
        input.be16()?; // the version needed to extract
    }
    input.u8()?; // the method
    if extended {
        input.u8()?; // the level
    }
    let flags = input.be32()?;
    if flags & FILTER != 0 {
        input.be32()?;
    }
    input.bytes(8)?; // file mode and time
    if extended {
        input.be32()?; // the upper half of the time
    }
    let name = input.u8()?;
    input.bytes(name.into())?;
    input.be32()?; // the header's checksum
    if flags & EXTRA_FIELD != 0 {
        let length = input.be32()?;
        let length = usize::try_from(length).map_err(|_| LoadError::Truncated("LZO data"))?;
        input.bytes(length)?;
        input.be32()?;
    }
    Ok(flags)
}
