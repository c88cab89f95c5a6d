//! Addresses whose mappings kernels may change: one that is used for nothing else, and the
//! last page below 4 GiB.
//!
//! Unsafe: the entry in the root table, and INVLPG.

use crate::entry::VIRT_BASE;
use crate::mem::{self, Page, pte};
use crate::smp::Lock;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// The address.
const WINDOW: u64 = 0x200_0000_0000;

/// The last page that 32-bit code reaches.
const TOP: u64 = 0xffff_f000;

unsafe extern "C" {
    static pvh_l4: [AtomicU64; 512];
    static pvh_l2: [AtomicU64; 2048];
}

static L1: AtomicU64 = AtomicU64::new(0);
static TOP_L1: Lock<Option<Page>> = Lock::new(None);

fn forget(va: u64) {
    // SAFETY: drops a translation.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack)) };
}

/// Maps `page` as the last below 4 GiB with `flags`; its address. No flags: unmapped.
pub fn map_top(page: Page, flags: u64) -> u32 {
    let mut top = TOP_L1.lock();
    let l1 = *top.get_or_insert_with(|| {
        let l1 = mem::alloc();
        // SAFETY: the image's tables, whose words are only ever used as atomics. What was at the
        // end of the 4 GiB are devices that nobody here uses.
        let tables = unsafe { &pvh_l2 };
        tables[2047].store(physical(l1) | pte::P | pte::RW, Ordering::SeqCst);
        l1
    });
    let entry = match flags {
        0 => 0,
        _ => physical(page) | flags,
    };
    l1.set(511, entry);
    forget(TOP);
    TOP as u32
}

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
    forget(WINDOW);
    WINDOW
}
