//! Accesses to device memory at its guest-physical address, below 4 GiB.
//!
//! Unsafe: raw accesses; RAM is refused, so no Rust object can be harmed.

use core::ptr::{read_volatile, write_volatile};

/// Below this there is RAM.
const LOWEST: u64 = 0x8000_0000;

fn check(at: u64) {
    assert!((LOWEST..1 << 32).contains(&at), "that is not device memory");
}

/// Reads 32 bits.
///
/// # Panics
/// For an address where RAM may be.
pub fn read32(at: u64) -> u32 {
    check(at);
    // SAFETY: mapped at its own address; a hole traps or reads as ones.
    unsafe { read_volatile(at as *const u32) }
}

/// Writes 32 bits.
///
/// # Panics
/// For an address where RAM may be.
pub fn write32(at: u64, value: u32) {
    check(at);
    // SAFETY: as `read32`; no Rust object lies there.
    unsafe { write_volatile(at as *mut u32, value) }
}

/// Reads 8 bits.
///
/// # Panics
/// For an address where RAM may be.
pub fn read8(at: u64) -> u8 {
    check(at);
    // SAFETY: as `read32`.
    unsafe { read_volatile(at as *const u8) }
}
