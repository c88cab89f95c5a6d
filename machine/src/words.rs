//! Views of a frame as atomics of several sizes, and copies to and from it.
//!
//! Why unsafe: re-types a page of 64-bit atomics as 8- or 32-bit ones, and copies in bulk.
//! Invariant: a frame is only ever reached through atomics or through these copies, and never
//! by a Rust reference to plain data, because guests write it at any time.

use crate::addr::PAGE_SIZE;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

#[inline]
pub(crate) fn as_bytes(words: &[AtomicU64; 512]) -> &[AtomicU8; PAGE_SIZE] {
    // SAFETY: the same memory, of smaller atomics with a weaker alignment.
    unsafe { &*(words as *const [AtomicU64; 512]).cast() }
}

#[inline]
pub(crate) fn as_halves(words: &[AtomicU64; 512]) -> &[AtomicU32; 1024] {
    // SAFETY: as above.
    unsafe { &*(words as *const [AtomicU64; 512]).cast() }
}

/// Sets every word.
pub(crate) fn fill(words: &[AtomicU64; 512], value: u64) {
    #[cfg(target_os = "none")]
    // SAFETY: 512 words from `words` on; the fill is a bulk store to shared memory.
    unsafe {
        core::arch::asm!("rep stosq", inout("rdi") words.as_ptr() => _, inout("rcx") 512u64 => _,
            in("rax") value, options(nostack, preserves_flags));
    }
    #[cfg(not(target_os = "none"))]
    for word in words {
        word.store(value, Ordering::Relaxed);
    }
}

/// Copies a whole page.
pub(crate) fn copy_page(dst: &[AtomicU64; 512], src: &[AtomicU64; 512]) {
    for (d, s) in dst.iter().zip(src) {
        d.store(s.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Copies `data` to byte `offset`; nothing is written when it does not fit.
pub(crate) fn write(words: &[AtomicU64; 512], offset: usize, data: &[u8]) -> bool {
    let Some(end) = offset.checked_add(data.len()) else {
        return false;
    };
    if offset.is_multiple_of(8) && data.len().is_multiple_of(8) {
        let Some(slots) = words.get(offset / 8..end / 8) else {
            return false;
        };
        for (slot, chunk) in slots.iter().zip(data.as_chunks::<8>().0) {
            slot.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        return true;
    }
    let Some(slots) = as_bytes(words).get(offset..end) else {
        return false;
    };
    for (slot, byte) in slots.iter().zip(data) {
        slot.store(*byte, Ordering::Relaxed);
    }
    true
}

/// Copies from byte `offset` into `data`; nothing is read when it does not fit.
pub(crate) fn read(words: &[AtomicU64; 512], offset: usize, data: &mut [u8]) -> bool {
    let Some(end) = offset.checked_add(data.len()) else {
        return false;
    };
    if offset.is_multiple_of(8) && data.len().is_multiple_of(8) {
        let Some(slots) = words.get(offset / 8..end / 8) else {
            return false;
        };
        for (slot, chunk) in slots.iter().zip(data.as_chunks_mut::<8>().0) {
            *chunk = slot.load(Ordering::Relaxed).to_ne_bytes();
        }
        return true;
    }
    let Some(slots) = as_bytes(words).get(offset..end) else {
        return false;
    };
    for (slot, byte) in slots.iter().zip(data) {
        *byte = slot.load(Ordering::Relaxed);
    }
    true
}
