//! Zstandard (RFC 8878), by `ruzstd`.

use crate::loader::LoadError;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::FrameDecoderError;

/// The largest window, in bytes, that a frame may ask for. Linux uses 128 MiB.
const WINDOW: u64 = 128 << 20;

/// Decodes all frames; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW);
    decoder.decode_all(data, out).map_err(|error| match error {
        FrameDecoderError::TargetTooSmall => LoadError::Corrupt("zstd", "more data than stated"),
        FrameDecoderError::WindowSizeTooBig { .. } => {
            LoadError::Unsupported("zstd with a window above 128 MiB")
        }
        _ => LoadError::Corrupt("zstd", "bad frame"),
    })
}
