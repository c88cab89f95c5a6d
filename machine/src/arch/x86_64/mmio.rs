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

    /// Reads a 32-bit register; beyond the window all ones.
    pub fn read32(&self, offset: u64) -> u32 {
        if offset.checked_add(4).is_none_or(|end| end > self.len) || offset & 3 != 0 {
            return u32::MAX;
        }
        // SAFETY: inside a window that stays mapped, aligned.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    /// Writes a 32-bit register; beyond the window nothing happens.
    pub fn write32(&self, offset: u64, value: u32) {
        if offset.checked_add(4).is_none_or(|end| end > self.len) || offset & 3 != 0 {
            return;
        }
        // SAFETY: inside a window that stays mapped, aligned.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) };
    }
}
