//! Zstandard (RFC 8878), decoded straight into the output.
//!
//! This is our own because the kernel's size makes it the longest step of booting: the library
//! crate takes 2,100 million instructions for a Debian kernel and buffers a window of 128 MiB
//! beside the output. Here matches are copied within the output, which is the window.
//!
//! Frames' checksums are skipped, as Linux writes none; sizes are checked. Dictionaries are not
//! supported. Invariant: nothing is written outside the output, and no offset reaches before it.

mod bits;
mod fse;
mod huffman;
mod literals;
mod output;
mod sequences;

use crate::loader::LoadError;
use crate::loader::reader::Reader;
use literals::Literals;
use output::Output;
use sequences::Sequences;

const MAGIC: u32 = 0xfd2f_b528;
/// Frames to be skipped have these numbers, but for the last digit.
const SKIPPABLE: u32 = 0x184d_2a50;
/// The most bytes that a block unpacks to.
const BLOCK: usize = 128 << 10;

/// What goes wrong with damaged data.
fn corrupt<T>(what: &'static str) -> Result<T, LoadError> {
    Err(LoadError::Corrupt("zstd", what))
}

/// Decodes all frames; returns how many bytes of `out` were written.
pub(super) fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, LoadError> {
    let mut input = Reader::new(data, "zstd data");
    let mut output = Output::new(out);
    let (mut literals, mut sequences) = (Literals::new(), Sequences::new());
    while !input.rest().is_empty() {
        match input.le32()? {
            MAGIC => {
                literals.reset();
                sequences.reset();
                frame(&mut input, &mut output, &mut literals, &mut sequences)?;
            }
            magic if magic & !0xf == SKIPPABLE => {
                let length = size(input.le32()?)?;
                input.bytes(length)?;
            }
            _ => return corrupt("bad frame magic"),
        }
    }
    Ok(output.position())
}

/// Decodes one frame, whose magic number was read.
fn frame(
    input: &mut Reader<'_>,
    output: &mut Output<'_>,
    literals: &mut Literals,
    sequences: &mut Sequences,
) -> Result<(), LoadError> {
    let start = output.position();
    let (content, checksum) = header(input)?;
    loop {
        let [a, b, c] = input.array()?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let length = size(header >> 3)?;
        match header >> 1 & 3 {
            0 => output.append(input.bytes(length)?)?,
            1 => output.fill(input.u8()?, length)?,
            2 => {
                let mut block = Reader::new(input.bytes(length)?, "zstd block");
                let literals = literals.decode(&mut block)?;
                sequences.decode(block, literals, output)?;
            }
            _ => return corrupt("reserved block type"),
        }
        if header & 1 != 0 {
            break;
        }
    }
    if checksum {
        input.bytes(4)?;
    }
    match content {
        Some(content) if output.position().checked_sub(start) != Some(content) => {
            corrupt("the frame's size is not what its header says")
        }
        _ => Ok(()),
    }
}

/// Reads a frame's header: its content's size, if it is given, and whether a checksum follows.
fn header(input: &mut Reader<'_>) -> Result<(Option<usize>, bool), LoadError> {
    let flags = input.u8()?;
    let single_segment = flags & 0x20 != 0;
    if flags & 0x08 != 0 {
        return corrupt("reserved frame flag");
    }
    if !single_segment {
        input.u8()?; // the window's size, which does not matter here
    }
    let dictionary = match flags & 3 {
        0 => 0,
        1 => input.u8()?.into(),
        2 => input.le16()?.into(),
        _ => input.le32()?,
    };
    if dictionary != 0 {
        return Err(LoadError::Unsupported("zstd with a dictionary"));
    }
    let content = match (flags >> 6, single_segment) {
        (0, false) => None,
        (0, true) => Some(input.u8()?.into()),
        (1, _) => Some(u64::from(input.le16()?).saturating_add(256)),
        (2, _) => Some(input.le32()?.into()),
        _ => Some(u64::from_le_bytes(input.array()?)),
    };
    let content = match content.map(usize::try_from) {
        Some(Err(_)) => return corrupt("impossible frame size"),
        Some(Ok(content)) => Some(content),
        None => None,
    };
    Ok((content, flags & 0x04 != 0))
}

fn size(number: u32) -> Result<usize, LoadError> {
    usize::try_from(number).map_err(|_| LoadError::Corrupt("zstd", "impossible size"))
}
