//! Decompression of a kernel's payload, by the format that its first bytes show.
//!
//! Owns no state. Invariant: a decoder writes only into the slice it was given, so a payload that
//! unpacks to more than it states is an error and not an overflow.
//!
//! Linux appends the unpacked size, 32 bits little-endian, to every payload; gzip's own trailer
//! ends with the same number. So the output is allocated once, at its exact size.

mod gzip;
mod lz4;
mod lzo;
mod xz;
mod zstd;

use super::LoadError;
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Not at all: an ELF file.
    Elf,
    /// RFC 1952.
    Gzip,
    /// The .xz container.
    Xz,
    /// RFC 8878.
    Zstd,
    /// LZ4's legacy frames, which Linux uses.
    Lz4,
    /// The container of `lzop`.
    Lzo,
}

impl Format {
    /// The format that `data` begins with.
    ///
    /// # Errors
    /// [`LoadError::Unsupported`] for bzip2 and LZMA, [`LoadError::UnknownFormat`] for the rest.
    pub fn of(data: &[u8]) -> Result<Self, LoadError> {
        Ok(match data {
            [0x7f, b'E', b'L', b'F', ..] => Self::Elf,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x02, 0x21, 0x4c, 0x18, ..] => Self::Lz4,
            [0x89, b'L', b'Z', b'O', ..] => Self::Lzo,
            [b'B', b'Z', b'h', ..] => return Err(LoadError::Unsupported("bzip2")),
            [0x5d, 0, 0, ..] => return Err(LoadError::Unsupported("LZMA")),
            _ => {
                let head = data
                    .first_chunk::<4>()
                    .ok_or(LoadError::Truncated("payload"))?;
                return Err(LoadError::UnknownFormat(*head));
            }
        })
    }
}

/// The unpacked size that `payload` states, in bytes.
///
/// # Errors
/// As [`Format::of`]; [`LoadError::Truncated`] when the size is missing.
pub fn size(payload: &[u8]) -> Result<usize, LoadError> {
    if Format::of(payload)? == Format::Elf {
        return Ok(payload.len());
    }
    let stated = payload
        .last_chunk::<4>()
        .ok_or(LoadError::Truncated("payload"))?;
    usize::try_from(u32::from_le_bytes(*stated)).map_err(|_| LoadError::Truncated("payload"))
}

/// Unpacks `payload` into `out`, whose length must be what [`size`] says.
///
/// # Errors
/// [`LoadError::Corrupt`] for damaged data, [`LoadError::SizeMismatch`] when less comes out.
pub fn into_slice(payload: &[u8], out: &mut [u8]) -> Result<(), LoadError> {
    let format = Format::of(payload)?;
    // The stated size is part of gzip's trailer; elsewhere Linux appended it.
    let data = match format {
        Format::Elf | Format::Gzip => payload,
        _ => {
            payload
                .split_last_chunk::<4>()
                .ok_or(LoadError::Truncated("payload"))?
                .0
        }
    };
    let unpacked = match format {
        Format::Elf => {
            let stated = LoadError::SizeMismatch {
                stated: out.len(),
                unpacked: data.len(),
            };
            out.get_mut(..data.len())
                .ok_or(stated)?
                .copy_from_slice(data);
            data.len()
        }
        Format::Gzip => gzip::decode(data, out)?,
        Format::Xz => xz::decode(data, out)?,
        Format::Zstd => zstd::decode(data, out)?,
        Format::Lz4 => lz4::decode(data, out)?,
        Format::Lzo => lzo::decode(data, out)?,
    };
    match unpacked == out.len() {
        true => Ok(()),
        false => Err(LoadError::SizeMismatch {
            stated: out.len(),
            unpacked,
        }),
    }
}

/// Unpacks `payload` into memory of its own, or returns it as it is if it is not compressed.
/// `limit` is the most bytes to allocate for the result.
///
/// # Errors
/// [`LoadError::TooLarge`], [`LoadError::NoMemory`], and those of [`into_slice`].
pub fn to_bytes(payload: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, LoadError> {
    if Format::of(payload)? == Format::Elf {
        return Ok(Cow::Borrowed(payload));
    }
    let size = size(payload)?;
    if size > limit {
        return Err(LoadError::TooLarge {
            size: size as u64,
            limit: limit as u64,
        });
    }
    let mut out = zeroed(size)?;
    into_slice(payload, &mut out)?;
    Ok(Cow::Owned(out))
}

/// A vector of zero bytes, or [`LoadError::NoMemory`].
fn zeroed(size: usize) -> Result<Vec<u8>, LoadError> {
    let mut out = Vec::new();
    out.try_reserve_exact(size)
        .map_err(|_| LoadError::NoMemory(size))?;
    out.resize(size, 0);
    Ok(out)
}

#[cfg(test)]
mod tests;
