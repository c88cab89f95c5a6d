//! The same text in every format, as the usual tools and Linux's build pack it.

use super::*;
use crate::loader::kernel;
use alloc::format;

const PACKED: [(Format, &[u8]); 5] = [
    (Format::Gzip, include_bytes!("testdata/plain.gz")),
    (Format::Xz, include_bytes!("testdata/plain.xz")),
    (Format::Zstd, include_bytes!("testdata/plain.zst")),
    (Format::Lz4, include_bytes!("testdata/plain.lz4")),
    (Format::Lzo, include_bytes!("testdata/plain.lzo")),
];

fn plain() -> Vec<u8> {
    let mut text = Vec::from(*b"\x7fELF");
    (0..700).for_each(|i| text.extend(format!("{i} squared is {}\n", i * i).bytes()));
    text
}

#[test]
fn every_format_unpacks() {
    for (format, payload) in PACKED {
        assert_eq!(Format::of(payload), Ok(format));
        assert_eq!(size(payload), Ok(plain().len()));
        assert_eq!(to_bytes(payload, 1 << 20).unwrap(), plain(), "{format:?}");
    }
}

#[test]
fn plain_elf_is_not_copied() {
    let plain = plain();
    assert!(matches!(kernel(&plain, 0), Ok(Cow::Borrowed(bytes)) if bytes == plain));
}

#[test]
fn the_limit_holds() {
    let size = plain().len();
    for (_, payload) in PACKED {
        let expected = LoadError::TooLarge {
            size: size as u64,
            limit: size as u64 - 1,
        };
        assert_eq!(to_bytes(payload, size - 1), Err(expected));
    }
}

#[test]
fn more_data_than_stated_does_not_overflow() {
    for (format, payload) in PACKED {
        let mut out = alloc::vec![0; plain().len() - 1];
        assert!(into_slice(payload, &mut out).is_err(), "{format:?}");
        assert!(into_slice(payload, &mut []).is_err(), "{format:?}");
    }
}

#[test]
fn less_data_than_stated_is_noticed() {
    let size = plain().len();
    for (_, payload) in PACKED {
        let mut out = alloc::vec![0; size + 1];
        let expected = LoadError::SizeMismatch {
            stated: size + 1,
            unpacked: size,
        };
        assert_eq!(into_slice(payload, &mut out), Err(expected));
    }
}

#[test]
fn truncated_data_is_an_error() {
    let mut out = alloc::vec![0; plain().len()];
    for (format, payload) in PACKED {
        for cut in (0..payload.len() - 12).step_by(7) {
            assert!(
                into_slice(&payload[..cut], &mut out).is_err(),
                "{format:?} cut at {cut}"
            );
        }
    }
}

#[test]
fn damaged_data_never_panics() {
    let mut out = alloc::vec![0; plain().len()];
    for (_, payload) in PACKED {
        let mut payload = Vec::from(payload);
        // All of the headers, and samples of the rest.
        for at in (0..40).chain((40..payload.len()).step_by(97)) {
            let flip = if at % 2 == 0 { 0x01 } else { 0xff };
            payload[at] ^= flip;
            let _ = into_slice(&payload, &mut out);
            payload[at] ^= flip;
        }
    }
}

#[test]
fn other_formats_are_named() {
    assert_eq!(Format::of(b"BZh9"), Err(LoadError::Unsupported("bzip2")));
    assert_eq!(
        Format::of(b"\x5d\0\0\x80\0"),
        Err(LoadError::Unsupported("LZMA"))
    );
    assert_eq!(Format::of(b"#!/b"), Err(LoadError::UnknownFormat(*b"#!/b")));
    assert_eq!(Format::of(b"MZ"), Err(LoadError::Truncated("payload")));
}
