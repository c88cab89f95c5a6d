//! The .xz container with LZMA2 and the x86 branch filter, by `xz4rust`.

use super::zeroed;
use crate::loader::LoadError;
use xz4rust::{XzDecoder, XzError};

/// Dictionary sizes to try, in bytes: what xz's own presets use. Linux takes 32 MiB.
const DICTIONARIES: [usize; 4] = [8 << 20, 16 << 20, 32 << 20, 64 << 20];

/// Decodes one stream; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    for size in DICTIONARIES {
        // The dictionary's size is in the first header, so a retry costs nothing.
        match run(data, out, size)? {
            Some(written) => return Ok(written),
            None => continue,
        }
    }
    Err(LoadError::Unsupported("xz with a dictionary above 64 MiB"))
}

/// Decodes with a dictionary of at most `dictionary` bytes; `None` if that is too small.
fn run(data: &[u8], out: &mut [u8], dictionary: usize) -> Result<Option<usize>, LoadError> {
    let mut decoder = XzDecoder::in_heap_with_alloc_dict(zeroed(dictionary)?, dictionary);
    let (mut input, mut written) = (data, 0usize);
    loop {
        let room = out.get_mut(written..).unwrap_or(&mut []);
        let full = room.is_empty();
        let step = match decoder.decode(input, room) {
            Ok(step) => step,
            Err(XzError::DictionaryTooLarge(_)) => return Ok(None),
            Err(XzError::NeedsLargerInputBuffer) => return Err(LoadError::Truncated("xz data")),
            Err(_) => return Err(LoadError::Corrupt("xz", "bad stream")),
        };
        written = written.saturating_add(step.output_produced());
        if step.is_end_of_stream() {
            return Ok(Some(written));
        }
        input = input.get(step.input_consumed()..).unwrap_or(&[]);
        if !step.made_progress() {
            return Err(match full {
                true => LoadError::Corrupt("xz", "more data than stated"),
                false => LoadError::Truncated("xz data"),
            });
        }
    }
}
