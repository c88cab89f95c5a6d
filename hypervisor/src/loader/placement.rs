//! Where a PV kernel goes in its own address space, from its segments and its notes.

use super::{Image, LoadError, Notes};

/// The virtual addresses of a PV kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Virtual address of pseudo-physical address 0.
    pub base: u64,
    /// Added to an ELF `paddr` (modulo 2^64), gives the virtual address.
    pub offset: u64,
    /// First byte of the kernel.
    pub start: u64,
    /// First byte after the kernel.
    pub end: u64,
    /// Where the first vCPU starts.
    pub entry: u64,
}

impl Placement {
    /// Combines the extent of `image` with the notes about its base.
    ///
    /// # Errors
    /// [`LoadError::BadElf`] when the kernel would lie below its base or wrap, or when an address
    /// in the notes lies outside the kernel.
    pub fn new(image: &Image<'_>, notes: &Notes<'_>) -> Result<Self, LoadError> {
        let base = notes.virt_base;
        let up = |paddr: u64| paddr.checked_sub(notes.paddr_offset)?.checked_add(base);
        let (start, end) = up(image.start())
            .zip(up(image.end()))
            .ok_or(LoadError::BadElf("it does not fit above its virtual base"))?;
        let inside = |address: u64| (start..end).contains(&address);
        let entry = notes.entry.unwrap_or(image.entry());
        if !inside(entry) {
            return Err(LoadError::BadElf("its entry point lies outside it"));
        }
        if notes
            .hypercall_page
            .is_some_and(|page| !inside(page) || page % 4096 != 0)
        {
            return Err(LoadError::BadElf(
                "its hypercall page lies outside it or is not aligned",
            ));
        }
        if notes.init_p2m.is_some_and(inside) {
            return Err(LoadError::BadElf("its frame list would overlap it"));
        }
        Ok(Self {
            base,
            offset: base.wrapping_sub(notes.paddr_offset),
            start,
            end,
            entry,
        })
    }

    /// The virtual address of an ELF `paddr`.
    #[must_use]
    pub fn vaddr(&self, paddr: u64) -> u64 {
        paddr.wrapping_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::super::elf::tests::build;
    use super::*;
    use elf::abi::PT_LOAD;

    #[test]
    fn linux_is_placed_by_its_physical_address() {
        let high = 0xffff_ffff_8000_0000;
        let text = (
            PT_LOAD,
            0x100_0000,
            high + 0x100_0000,
            b"x".as_slice(),
            0x1000,
        );
        let percpu = (PT_LOAD, 0x100_1000, 0, b"x".as_slice(), 0x1000);
        let file = build(0x100_0000, &[text, percpu]);
        let image = Image::parse(&file).unwrap();
        let notes = Notes {
            virt_base: high,
            entry: Some(high + 0x100_0000),
            ..Notes::default()
        };
        let place = Placement::new(&image, &notes).unwrap();
        assert_eq!(
            (place.start, place.end),
            (high + 0x100_0000, high + 0x100_2000)
        );
        assert_eq!(place.vaddr(0x100_1000), high + 0x100_1000);
    }

    #[test]
    fn hostile_notes_are_refused() {
        let file = build(0x1000, &[(PT_LOAD, 0x1000, 0, b"x".as_slice(), 0x1000)]);
        let image = Image::parse(&file).unwrap();
        let refused = |notes: Notes<'_>| Placement::new(&image, &notes).is_err();
        assert!(!refused(Notes::default()));
        assert!(refused(Notes {
            paddr_offset: 0x2000,
            ..Notes::default()
        }));
        assert!(refused(Notes {
            virt_base: u64::MAX,
            ..Notes::default()
        }));
        assert!(refused(Notes {
            entry: Some(0x2000),
            ..Notes::default()
        }));
        assert!(refused(Notes {
            hypercall_page: Some(0x1800),
            ..Notes::default()
        }));
        assert!(refused(Notes {
            init_p2m: Some(0x1000),
            ..Notes::default()
        }));
    }
}
