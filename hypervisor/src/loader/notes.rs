//! The Xen notes of a kernel: what it tells its loader. `elfnote.h`.

use super::{Features, Image, LoadError};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::note::{Note, NoteIterator};
use xen_abi::elfnote::*;

/// The values of a kernel's Xen notes, with the header's defaults for those that are absent.
/// Text borrows from the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes<'a> {
    /// Virtual address of the entry point; absent: the ELF header's.
    pub entry: Option<u64>,
    /// Virtual address of the page to fill with hypercall stubs.
    pub hypercall_page: Option<u64>,
    /// Virtual address of pseudo-physical address 0. Default 0.
    pub virt_base: u64,
    /// To be subtracted from an ELF `paddr` for the pseudo-physical address. Default 0.
    pub paddr_offset: u64,
    /// The interface that the kernel was made for, such as `xen-3.0`.
    pub xen_version: &'a str,
    /// Name of the guest system.
    pub guest_os: &'a str,
    /// Version of the guest system.
    pub guest_version: &'a str,
    /// Kind of loader; `generic` for Linux.
    pub loader: &'a str,
    /// PAE mode of a 32-bit kernel.
    pub pae_mode: &'a str,
    /// Features from both the list of names and the bit map.
    pub features: Features,
    /// The symbol table is to be loaded after the kernel.
    pub bsd_symtab: bool,
    /// The lowest virtual address at which the hypervisor's area may begin.
    pub hv_start_low: Option<u64>,
    /// Mask and value that tell a non-present page-table entry holding a frame number.
    pub l1_mfn_valid: Option<(u64, u64)>,
    /// The kernel can carry on after a cancelled suspend.
    pub suspend_cancel: bool,
    /// Virtual address wanted for the list of frame numbers; absent: after the kernel.
    pub init_p2m: Option<u64>,
    /// The initial page tables need not map the initrd: `mod_start` may be a frame number.
    pub mod_start_pfn: bool,
    /// Physical entry point for PVH.
    pub phys32_entry: Option<u32>,
    /// Limits for relocating a PVH kernel.
    pub phys32_reloc: Option<Relocation>,
}

/// Where a relocatable PVH kernel may be put; byte addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Alignment of the start; absent: the file's, or 2 MiB.
    pub align: Option<u32>,
    /// Lowest start address.
    pub min: u32,
    /// Highest address of the last byte.
    pub max: u32,
}

impl<'a> Notes<'a> {
    /// Collects the Xen notes of `image`; `None` if it has none, so is no Xen kernel.
    ///
    /// # Errors
    /// [`LoadError::BadNote`] with the type of a note whose value has the wrong form;
    /// [`LoadError::UnknownFeature`] for a required feature nobody knows.
    pub fn parse(image: &Image<'a>) -> Result<Option<Self>, LoadError> {
        let mut notes = Self::default();
        for area in image.note_areas() {
            let mut found = false;
            for note in NoteIterator::new(LittleEndian, Class::ELF64, 4, area) {
                let Note::Unknown(note) = note else { continue };
                if note.name == b"Xen\0" {
                    found = true;
                    notes.take(u32::try_from(note.n_type).unwrap_or(u32::MAX), note.desc)?;
                }
            }
            // The same notes are seen again through the sections.
            if found {
                return Ok(Some(notes));
            }
        }
        Ok(None)
    }

    fn take(&mut self, kind: u32, desc: &'a [u8]) -> Result<(), LoadError> {
        let bad = LoadError::BadNote(kind);
        let number = || numeric(desc).ok_or(bad);
        let text = || string(desc).ok_or(bad);
        match kind {
            XEN_ELFNOTE_ENTRY => self.entry = Some(number()?),
            XEN_ELFNOTE_HYPERCALL_PAGE => self.hypercall_page = Some(number()?),
            XEN_ELFNOTE_VIRT_BASE => self.virt_base = number()?,
            XEN_ELFNOTE_PADDR_OFFSET => self.paddr_offset = number()?,
            XEN_ELFNOTE_XEN_VERSION => self.xen_version = text()?,
            XEN_ELFNOTE_GUEST_OS => self.guest_os = text()?,
            XEN_ELFNOTE_GUEST_VERSION => self.guest_version = text()?,
            XEN_ELFNOTE_LOADER => self.loader = text()?,
            XEN_ELFNOTE_PAE_MODE => self.pae_mode = text()?,
            XEN_ELFNOTE_FEATURES => self.features.add_list(text()?)?,
            XEN_ELFNOTE_BSD_SYMTAB => self.bsd_symtab = text()? == "yes",
            XEN_ELFNOTE_HV_START_LOW => self.hv_start_low = Some(number()?),
            XEN_ELFNOTE_L1_MFN_VALID => {
                let (mask, value) = desc.split_at(desc.len() / 2);
                self.l1_mfn_valid = Some(numeric(mask).zip(numeric(value)).ok_or(bad)?);
            }
            XEN_ELFNOTE_SUSPEND_CANCEL => self.suspend_cancel = number()? != 0,
            XEN_ELFNOTE_INIT_P2M => self.init_p2m = Some(number()?),
            XEN_ELFNOTE_MOD_START_PFN => self.mod_start_pfn = number()? != 0,
            XEN_ELFNOTE_SUPPORTED_FEATURES => {
                // Only the first 32 features exist; later bits may be anything.
                let bytes = number()?.to_le_bytes();
                let [a, b, c, d, ..] = bytes;
                self.features.supported |= u32::from_le_bytes([a, b, c, d]);
            }
            XEN_ELFNOTE_PHYS32_ENTRY => {
                self.phys32_entry = Some(u32::try_from(number()?).map_err(|_| bad)?);
            }
            XEN_ELFNOTE_PHYS32_RELOC => self.phys32_reloc = Some(relocation(desc)),
            _ => {}
        }
        Ok(())
    }
}

/// A little-endian number of 4 or 8 bytes.
fn numeric(desc: &[u8]) -> Option<u64> {
    match desc.len() {
        4 => desc
            .first_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes).into()),
        8 => desc.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        _ => None,
    }
}

/// Text up to its zero byte.
fn string(desc: &[u8]) -> Option<&str> {
    let end = desc
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(desc.len());
    core::str::from_utf8(desc.get(..end)?).ok()
}

/// Up to three 32-bit limits; those left out have defaults.
fn relocation(desc: &[u8]) -> Relocation {
    let (words, _) = desc.as_chunks::<4>();
    let mut words = words.iter().map(|bytes| u32::from_le_bytes(*bytes));
    Relocation {
        align: words.next(),
        min: words.next().unwrap_or(0),
        max: words.next().unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf::tests::build;
    use super::*;
    use alloc::vec::Vec;
    use elf::abi::{PT_LOAD, PT_NOTE};

    fn note(name: &[u8], kind: u32, desc: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, desc.len() as u32, kind] {
            note.extend(word.to_le_bytes());
        }
        for part in [name, desc] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    fn parse<T>(area: &[u8], check: impl FnOnce(Result<Option<Notes<'_>>, LoadError>) -> T) -> T {
        let file = build(
            0,
            &[
                (PT_LOAD, 0, 0, b"x".as_slice(), 1),
                (PT_NOTE, 0, 0, area, 0),
            ],
        );
        check(Notes::parse(&Image::parse(&file).unwrap()))
    }

    #[test]
    fn a_linux_like_set() {
        let area = [
            note(b"Linux\0", 257, b"????"),
            note(b"Xen\0", 1, &0x8300_0000u64.to_le_bytes()),
            note(b"Xen\0", 3, &0xffff_ffff_8000_0000u64.to_le_bytes()),
            note(b"Xen\0", 6, b"linux\0"),
            note(b"Xen\0", 10, b"!writable_page_tables\0"),
            note(
                b"Xen\0",
                13,
                &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            ),
            note(b"Xen\0", 16, &[1, 0, 0, 0]),
            note(b"Xen\0", 17, &0x8801u32.to_le_bytes()),
            note(b"Xen\0", 19, &[0, 0, 32, 0, 0, 0, 0, 1]),
            note(b"Xen\0", 99, b"from the future"),
        ]
        .concat();
        parse(&area, |notes| {
            let notes = notes.unwrap().unwrap();
            assert_eq!(notes.entry, Some(0x8300_0000));
            assert_eq!(notes.virt_base, 0xffff_ffff_8000_0000);
            assert_eq!(
                (notes.guest_os, notes.init_p2m, notes.paddr_offset),
                ("linux", None, 0)
            );
            assert_eq!(
                notes.features,
                Features {
                    supported: 0x8801,
                    required: 1
                }
            );
            assert_eq!(notes.l1_mfn_valid, Some((1, 2)));
            assert!(notes.mod_start_pfn && !notes.suspend_cancel);
            let limits = Relocation {
                align: Some(0x20_0000),
                min: 0x100_0000,
                max: u32::MAX,
            };
            assert_eq!(notes.phys32_reloc, Some(limits));
        });
    }

    #[test]
    fn no_xen_note_is_no_xen_kernel() {
        parse(&note(b"GNU\0", 3, b"id"), |notes| {
            assert_eq!(notes, Ok(None))
        });
    }

    #[test]
    fn a_bad_value_is_named() {
        parse(&note(b"Xen\0", 1, b"odd"), |notes| {
            assert_eq!(notes, Err(LoadError::BadNote(1)))
        });
        parse(&note(b"Xen\0", 6, b"\xff\0"), |notes| {
            assert_eq!(notes, Err(LoadError::BadNote(6)))
        });
    }

    #[test]
    fn truncated_notes_end_the_list() {
        let whole = note(b"Xen\0", 16, &[1, 0, 0, 0]);
        for cut in 0..whole.len() {
            parse(&whole[..cut], |notes| assert_eq!(notes, Ok(None)));
        }
    }
}
