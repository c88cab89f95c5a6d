//! One address whose mapping kernels may change: four tables, used for nothing else.
//!
//! Unsafe: the entry in the root table, and INVLPG.

use crate::entry::VIRT_BASE;
use crate::mem::{self, Page, pte};
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// The address.
const WINDOW: u64 = 0x200_0000_0000;

unsafe extern "C" {
    static pvh_l4: [AtomicU64; 512];
}

static L1: AtomicU64 = AtomicU64::new(0);

fn physical(page: Page) -> u64 {
    page.va() - VIRT_BASE
}

/// Maps `page` at the window with `flags`; returns the window's address. No flags: unmapped.
pub fn map_own(page: Page, flags: u64) -> u64 {
    if L1.load(Ordering::Relaxed) == 0 {
        let [l3, l2, l1] = [mem::alloc(), mem::alloc(), mem::alloc()];
        l2.set(0, physical(l1) | pte::P | pte::RW);
        l3.set(0, physical(l2) | pte::P | pte::RW);
        // SAFETY: the image's root table, whose words are only ever used as atomics.
        let root = unsafe { &pvh_l4 };
        root[(WINDOW >> 39) as usize & 511]
            .store(physical(l3) | pte::P | pte::RW, Ordering::SeqCst);
        L1.store(l1.va(), Ordering::Relaxed);
    }
    let l1 = L1.load(Ordering::Relaxed);
    // SAFETY: the pool's page taken above, as an atomic.
    unsafe { &*(l1 as *const AtomicU64) }.store(physical(page) | flags, Ordering::SeqCst);
    // SAFETY: drops a translation.
    unsafe { asm!("invlpg [{}]", in(reg) WINDOW, options(nostack)) };
    WINDOW
}
