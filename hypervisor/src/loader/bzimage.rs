//! The payload of a Linux bzImage, as Linux's `Documentation/arch/x86/boot.rst` describes it.
//!
//! Invariant: the slice returned lies inside the slice given.

use super::LoadError;
use super::reader::Reader;

/// Offset of the "HdrS" signature in the first sector pair.
const HEADER: usize = 0x202;
/// The first protocol version that has `payload_offset` and `payload_length`.
const PROTOCOL: u16 = 0x0208;

/// The compressed (or plain) kernel inside a bzImage; a module that is no bzImage is returned
/// whole, since an ELF may be given directly.
///
/// # Errors
/// [`LoadError::OldProtocol`], [`LoadError::PayloadOutside`] or [`LoadError::Truncated`] for an
/// image that begins as a bzImage and cannot be one.
pub fn payload(module: &[u8]) -> Result<&[u8], LoadError> {
    if module.get(HEADER..HEADER + 4) != Some(b"HdrS".as_slice()) {
        return Ok(module);
    }
    let at = |offset: usize| Reader::new(module.get(offset..).unwrap_or(&[]), "setup header");
    let protocol = at(0x206).le16()?;
    if protocol < PROTOCOL {
        return Err(LoadError::OldProtocol(protocol));
    }
    // Zero stands for four sectors, for historical reasons.
    let sectors = match at(0x1f1).u8()? {
        0 => 4,
        n => usize::from(n),
    };
    let offset = at(0x248).le32()?;
    let length = at(0x24c).le32()?;
    let outside = LoadError::PayloadOutside {
        offset: offset.into(),
        length: length.into(),
    };
    let start = usize::try_from(offset)
        .ok()
        .and_then(|o| o.checked_add((sectors + 1) * 512));
    let end = start
        .zip(usize::try_from(length).ok())
        .and_then(|(s, l)| s.checked_add(l));
    let range = start.zip(end).ok_or(outside)?;
    module.get(range.0..range.1).ok_or(outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn image(protocol: u16, offset: u32, length: u32) -> Vec<u8> {
        let mut image = vec![0u8; 0x600];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&protocol.to_le_bytes());
        image[0x248..0x24c].copy_from_slice(&offset.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
        image
    }

    #[test]
    fn the_payload_follows_the_setup_sectors() {
        let mut image = image(0x20f, 0x10, 4);
        image[0x410..0x414].copy_from_slice(b"LOAD");
        assert_eq!(payload(&image), Ok(b"LOAD".as_slice()));
    }

    #[test]
    fn another_file_is_its_own_payload() {
        assert_eq!(payload(b"\x7fELF"), Ok(b"\x7fELF".as_slice()));
        assert_eq!(payload(&[]), Ok([].as_slice()));
    }

    #[test]
    fn hostile_headers_are_refused() {
        assert_eq!(
            payload(&image(0x207, 0, 4)),
            Err(LoadError::OldProtocol(0x207))
        );
        for (offset, length) in [(u32::MAX, u32::MAX), (0, u32::MAX), (0x201, 0), (0, 0x201)] {
            assert_eq!(
                payload(&image(0x20f, offset, length)),
                Err(LoadError::PayloadOutside {
                    offset: offset.into(),
                    length: length.into()
                })
            );
        }
        let whole = image(0x20f, 0, 1);
        for cut in 0x206..0x250 {
            assert_eq!(
                payload(&whole[..cut]),
                Err(LoadError::Truncated("setup header"))
            );
        }
    }
}
