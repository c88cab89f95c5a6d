//! An x86-64 ELF kernel: its segments and where they want to be.
//!
//! Invariant of [`Image`]: every loadable segment's bytes lie inside the file, and its physical
//! and virtual ranges do not wrap.

use super::LoadError;
use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PT_LOAD, PT_NOTE, SHT_NOTE};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::segment::ProgramHeader;
use elf::{ElfBytes, ParseError};

/// A loadable segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where the bytes go: a pseudo-physical address.
    pub paddr: u64,
    /// The virtual address that the segment is linked for; a PV kernel is placed by `paddr`.
    pub vaddr: u64,
    /// The bytes to copy there.
    pub data: &'a [u8],
    /// Bytes in memory, at least `data.len()`; the rest is zero.
    pub memsz: u64,
    /// `PF_R`, `PF_W`, `PF_X`.
    pub flags: u32,
    /// The alignment that the file asks for, in bytes.
    pub align: u64,
}

/// A checked ELF kernel.
#[derive(Debug)]
pub struct Image<'a> {
    data: &'a [u8],
    file: ElfBytes<'a, LittleEndian>,
    start: u64,
    end: u64,
}

impl<'a> Image<'a> {
    /// Reads the headers of `data` and checks every loadable segment.
    ///
    /// # Errors
    /// [`LoadError::BadElf`] or [`LoadError::BadSegment`].
    pub fn parse(data: &'a [u8]) -> Result<Self, LoadError> {
        let file = ElfBytes::<LittleEndian>::minimal_parse(data).map_err(describe)?;
        if file.ehdr.class != Class::ELF64 || file.ehdr.e_machine != EM_X86_64 {
            return Err(LoadError::BadElf("it is not for x86-64"));
        }
        if !matches!(file.ehdr.e_type, ET_EXEC | ET_DYN) {
            return Err(LoadError::BadElf("it is not an executable"));
        }
        let mut image = Self {
            data,
            file,
            start: u64::MAX,
            end: 0,
        };
        let (mut start, mut end) = (u64::MAX, 0);
        for (index, header) in image.headers().enumerate().filter(|(_, h)| loadable(h)) {
            let bad = LoadError::BadSegment(index);
            image.segment(&header).ok_or(bad)?;
            start = start.min(header.p_paddr);
            end = end.max(header.p_paddr.checked_add(header.p_memsz).ok_or(bad)?);
        }
        if start >= end {
            return Err(LoadError::BadElf("it has no loadable segment"));
        }
        (image.start, image.end) = (start, end);
        Ok(image)
    }

    /// The entry point in the ELF header: a virtual address.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.file.ehdr.e_entry
    }

    /// The lowest pseudo-physical address of a segment.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The first pseudo-physical address after the segments.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The loadable segments, in the file's order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + '_ {
        self.headers()
            .filter(loadable)
            .filter_map(|header| self.segment(&header))
    }

    /// The contents of the note segments, and after them of the note sections.
    pub(super) fn note_areas(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let segments = self
            .headers()
            .filter(|header| header.p_type == PT_NOTE)
            .filter_map(|header| self.bytes(header.p_offset, header.p_filesz));
        let sections = self
            .file
            .section_headers()
            .into_iter()
            .flatten()
            .filter(|header| header.sh_type == SHT_NOTE)
            .filter_map(|header| self.bytes(header.sh_offset, header.sh_size));
        segments.chain(sections)
    }

    fn headers(&self) -> impl Iterator<Item = ProgramHeader> + use<'a> {
        self.file.segments().into_iter().flatten()
    }

    fn bytes(&self, offset: u64, size: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        self.data.get(start..end)
    }

    fn segment(&self, header: &ProgramHeader) -> Option<Segment<'a>> {
        header.p_paddr.checked_add(header.p_memsz)?;
        header.p_vaddr.checked_add(header.p_memsz)?;
        if header.p_filesz > header.p_memsz {
            return None;
        }
        Some(Segment {
            paddr: header.p_paddr,
            vaddr: header.p_vaddr,
            data: self.bytes(header.p_offset, header.p_filesz)?,
            memsz: header.p_memsz,
            flags: header.p_flags,
            align: header.p_align,
        })
    }
}

fn loadable(header: &ProgramHeader) -> bool {
    header.p_type == PT_LOAD && header.p_memsz != 0
}

fn describe(error: ParseError) -> LoadError {
    LoadError::BadElf(match error {
        ParseError::BadMagic(_) => "it has no ELF magic",
        ParseError::UnsupportedElfEndianness(_) => "it is big-endian",
        ParseError::SliceReadError(_) => "its headers are truncated",
        _ => "its headers are damaged",
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A segment for [`build`]: type, paddr, vaddr, data, memsz.
    pub(crate) type Part<'a> = (u32, u64, u64, &'a [u8], u64);

    /// A minimal ELF file with the given program headers.
    pub(crate) fn build(entry: u64, parts: &[Part<'_>]) -> Vec<u8> {
        let mut file = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
        file.extend(entry.to_le_bytes());
        file.extend(64u64.to_le_bytes());
        file.extend([0; 12]);
        file.extend([64, 0, 56, 0, parts.len() as u8, 0, 64, 0, 0, 0, 0, 0]);
        let mut offset = 64 + 56 * parts.len() as u64;
        for (kind, paddr, vaddr, data, memsz) in parts {
            file.extend(kind.to_le_bytes());
            file.extend(7u32.to_le_bytes());
            for word in [offset, *vaddr, *paddr, data.len() as u64, *memsz, 4] {
                file.extend(word.to_le_bytes());
            }
            offset += data.len() as u64;
        }
        parts.iter().for_each(|part| file.extend(part.3));
        file
    }

    #[test]
    fn segments_and_extent() {
        let parts = [
            (PT_LOAD, 0x3000, 0, b"data".as_slice(), 0x1800),
            (PT_LOAD, 0x1000, 0, b"text", 4),
        ];
        let file = build(0x1000, &parts);
        let image = Image::parse(&file).unwrap();
        assert_eq!(
            (image.start(), image.end(), image.entry()),
            (0x1000, 0x4800, 0x1000)
        );
        let data: Vec<_> = image.segments().map(|s| s.data).collect();
        assert_eq!(data, [b"data", b"text"]);
    }

    #[test]
    fn hostile_segments_are_refused() {
        for (paddr, vaddr, data, memsz) in [
            (u64::MAX, 0, b"x".as_slice(), 2),
            (0, u64::MAX, b"x", 2),
            (0, 0, b"too long", 2),
            (0, 0, b"", u64::MAX),
        ] {
            let good = (PT_LOAD, 0x1000, 0, b"x".as_slice(), 1);
            let file = build(0, &[good, (PT_LOAD, paddr, vaddr, data, memsz)]);
            let got = Image::parse(&file).map(|image| image.end());
            assert!(
                matches!(got, Err(LoadError::BadSegment(1)) | Ok(u64::MAX)),
                "{got:?}"
            );
        }
    }

    #[test]
    fn no_prefix_of_a_file_panics() {
        let file = build(
            0,
            &[(PT_LOAD, 0, 0, b"abcd", 8), (PT_NOTE, 0, 0, b"note", 4)],
        );
        for cut in 0..file.len() {
            if let Ok(image) = Image::parse(&file[..cut]) {
                assert!(image.segments().count() == 1 && cut >= file.len() - 4);
                image.note_areas().for_each(drop);
            }
        }
    }

    #[test]
    fn every_header_byte_may_be_garbage() {
        let file = build(
            0,
            &[(PT_LOAD, 0, 0, b"abcd", 8), (PT_NOTE, 0, 0, b"note", 4)],
        );
        for at in 0..64 + 2 * 56 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                if let Ok(image) = Image::parse(&file) {
                    image.segments().for_each(drop);
                    image.note_areas().for_each(drop);
                }
            }
        }
    }
}
