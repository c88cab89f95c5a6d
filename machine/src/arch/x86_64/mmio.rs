//! Uncached windows on device registers.
//!
//! Why unsafe: volatile access to mapped registers. Owns the address range from `MMIO_VA`;
//! addresses are given out once and never taken back, so windows stay valid for ever.

use core::sync::atomic::{AtomicU64, Ordering};

use super::galloc::HeapPages;
use super::layout::{FRAME_TABLE_VA, MMIO_VA};
use super::paging::{self, flag};

static NEXT: AtomicU64 = AtomicU64::new(MMIO_VA);

/// A device's registers, mapped for good.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: u64,
    len: u64,
}

impl Mmio {
    /// Maps `len` bytes of registers at machine address `pa`. `None` when memory runs out.
    pub fn map(pa: u64, len: u64) -> Option<Mmio> {
        let start = pa & !4095;
        let size = pa
            .checked_add(len)?
            .checked_next_multiple_of(4096)?
            .checked_sub(start)?;
        // One unmapped page between windows.
        let va = NEXT.fetch_add(size.checked_add(4096)?, Ordering::Relaxed);
        if va.checked_add(size)? > FRAME_TABLE_VA {
            return None;
        }
        paging::map(&mut HeapPages, va, start, size, flag::DEVICE, false)?;
        Some(Mmio {
            base: va + (pa - start),
            len,
        })
    }

    /// The window's virtual address.
    pub fn va(&self) -> u64 {
        self.base
    }

    /// Where `bytes` bytes at `offset` are, if they lie in the window and are aligned.
    fn at(&self, offset: u64, bytes: u64) -> Option<u64> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.len);
        (inside && offset.is_multiple_of(bytes)).then_some(self.base + offset)
    }

    /// Reads a 32-bit register; beyond the window all ones.
    pub fn read32(&self, offset: u64) -> u32 {
        self.at(offset, 4).map_or(u32::MAX, |at| {
            // SAFETY: inside a window that stays mapped, aligned.
            unsafe { (at as *const u32).read_volatile() }
        })
    }

    /// Reads a 16-bit register, likewise.
    pub fn read16(&self, offset: u64) -> u16 {
        self.at(offset, 2).map_or(u16::MAX, |at| {
            // SAFETY: as above.
            unsafe { (at as *const u16).read_volatile() }
        })
    }

    /// Reads an 8-bit register, likewise.
    pub fn read8(&self, offset: u64) -> u8 {
        self.at(offset, 1).map_or(u8::MAX, |at| {
            // SAFETY: as above.
            unsafe { (at as *const u8).read_volatile() }
        })
    }

    /// Writes a 32-bit register; beyond the window nothing happens.
    pub fn write32(&self, offset: u64, value: u32) {
        if let Some(at) = self.at(offset, 4) {
            // SAFETY: inside a window that stays mapped, aligned.
            unsafe { (at as *mut u32).write_volatile(value) };
        }
    }

    /// Writes a 16-bit register, likewise.
    pub fn write16(&self, offset: u64, value: u16) {
        if let Some(at) = self.at(offset, 2) {
            // SAFETY: as above.
            unsafe { (at as *mut u16).write_volatile(value) };
        }
    }

    /// Writes an 8-bit register, likewise.
    pub fn write8(&self, offset: u64, value: u8) {
        if let Some(at) = self.at(offset, 1) {
            // SAFETY: as above.
            unsafe { (at as *mut u8).write_volatile(value) };
        }
    }
}
