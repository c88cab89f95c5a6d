//! Addresses and frame numbers, each its own type.

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// A machine frame number: a page of real memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Mfn(pub u64);

/// A guest's frame number: what the guest calls a physical page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Gfn(pub u64);

impl Mfn {
    /// No frame.
    pub const INVALID: Mfn = Mfn(u64::MAX);

    /// The machine address of the frame's first byte.
    pub const fn addr(self) -> u64 {
        self.0 << PAGE_SHIFT
    }

    /// The frame that holds machine address `addr`.
    pub const fn of(addr: u64) -> Mfn {
        Mfn(addr >> PAGE_SHIFT)
    }
}

impl core::fmt::LowerHex for Mfn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::LowerHex::fmt(&self.0, f)
    }
}

impl core::fmt::LowerHex for Gfn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::LowerHex::fmt(&self.0, f)
    }
}

/// Whether a virtual address is canonical: bits 63 to 47 are equal.
#[inline]
pub fn canonical(va: u64) -> bool {
    ((va << 16) as i64 >> 16) as u64 == va
}
