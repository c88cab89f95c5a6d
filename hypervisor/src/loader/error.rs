//! What can be wrong with a kernel image, in words for the boot console.

use core::fmt;

/// Why a boot module cannot be used as a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The data ends before the named part is complete.
    Truncated(&'static str),
    /// A Linux image that is not a bzImage with a payload: its boot protocol version.
    OldProtocol(u16),
    /// The payload's offset and length, in bytes, lie outside the image.
    PayloadOutside {
        /// Offset from the start of the image.
        offset: u64,
        /// Length of the payload.
        length: u64,
    },
    /// Neither ELF nor a known compression: the first four bytes.
    UnknownFormat([u8; 4]),
    /// A known compression that is not supported.
    Unsupported(&'static str),
    /// The kernel would unpack to more bytes than allowed.
    TooLarge {
        /// Bytes that the image says it needs.
        size: u64,
        /// Bytes that the caller allows.
        limit: u64,
    },
    /// The heap has no room for this many bytes.
    NoMemory(usize),
    /// The compressed data is damaged: which decoder, and what it met.
    Corrupt(&'static str, &'static str),
    /// The size that came out is not the size that the image states.
    SizeMismatch {
        /// Bytes that the image says it holds.
        stated: usize,
        /// Bytes that came out.
        unpacked: usize,
    },
    /// Not an ELF file that can be run here, and why.
    BadElf(&'static str),
    /// A segment with this index lies outside the file or the address space.
    BadSegment(usize),
    /// A Xen note with this type has an unusable value.
    BadNote(u32),
    /// The kernel requires a feature that has no known name; its position in the list.
    UnknownFeature(usize),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated(part) => write!(f, "the image ends inside its {part}"),
            Self::OldProtocol(v) => write!(
                f,
                "boot protocol {}.{:02} has no payload (2.08 or newer is needed)",
                v >> 8,
                v & 0xff
            ),
            Self::PayloadOutside { offset, length } => {
                write!(
                    f,
                    "the payload ({length} bytes at {offset:#x}) lies outside the image"
                )
            }
            Self::UnknownFormat(magic) => {
                write!(
                    f,
                    "neither ELF nor a known compression (it starts with {magic:02x?})"
                )
            }
            Self::Unsupported(name) => write!(f, "{name} compression is not supported"),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "the kernel needs {size} bytes, more than the {limit} allowed"
                )
            }
            Self::NoMemory(size) => write!(f, "no memory for {size} bytes"),
            Self::Corrupt(format, what) => write!(f, "damaged {format} data: {what}"),
            Self::SizeMismatch { stated, unpacked } => {
                write!(f, "unpacked to {unpacked} bytes instead of {stated}")
            }
            Self::BadElf(what) => write!(f, "not a usable ELF kernel: {what}"),
            Self::BadSegment(index) => write!(f, "ELF segment {index} is out of bounds"),
            Self::BadNote(kind) => write!(f, "Xen ELF note {kind} has a bad value"),
            Self::UnknownFeature(index) => {
                write!(
                    f,
                    "the kernel requires an unknown feature (item {index} of its list)"
                )
            }
        }
    }
}

impl core::error::Error for LoadError {}
