//! gzip (RFC 1952): the member header here, the deflate stream by `miniz_oxide`.
//!
//! The CRC is not computed: it would cost as much as the decoding, and the size is checked.

use crate::loader::LoadError;
use crate::loader::reader::Reader;
use alloc::boxed::Box;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Decodes one gzip member; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    let mut header = Reader::new(data, "gzip header");
    let [_, _, method, flags] = header.array()?;
    if method != 8 || flags & RESERVED != 0 {
        return Err(LoadError::Corrupt("gzip", "unknown method or flags"));
    }
    header.bytes(6)?;
    if flags & EXTRA != 0 {
        let length = header.le16()?;
        header.bytes(length.into())?;
    }
    if flags & NAME != 0 {
        header.skip_str()?;
    }
    if flags & COMMENT != 0 {
        header.skip_str()?;
    }
    if flags & HEADER_CRC != 0 {
        header.bytes(2)?;
    }
    let mut state = Box::<DecompressorOxide>::default();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    match decompress(&mut state, header.rest(), out, 0, flags) {
        (TINFLStatus::Done, _, written) => Ok(written),
        (TINFLStatus::HasMoreOutput, ..) => {
            Err(LoadError::Corrupt("gzip", "more data than stated"))
        }
        (TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress, ..) => {
            Err(LoadError::Truncated("gzip data"))
        }
        _ => Err(LoadError::Corrupt("gzip", "bad deflate stream")),
    }
}
