//! A guest's GDT and LDT in the running CPU's area.
//!
//! Why unsafe: writes page-table entries and descriptors. Invariant: only the area's own CPU
//! changes these, so there is no lock.

use super::super::area;
use super::super::entry;
use super::super::layout::*;
use super::super::paging;
use super::flush::do_flush;
use crate::frame::Page;
use crate::tlb::Flush;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// The address of the page-table entry that maps `va` of the hypervisor with 4 KiB.
fn host_pte(va: u64) -> Option<&'static AtomicU64> {
    let mut table = paging::host_root();
    for level in (0..4).rev() {
        let index = (va >> (12 + 9 * level)) & 511;
        // SAFETY: the host's own tables lie in RAM, which the direct map covers.
        let entry = unsafe { &*((DIRECT_MAP_VA + table + index * 8) as *const AtomicU64) };
        if level == 0 {
            return Some(entry);
        }
        let value = entry.load(Ordering::Relaxed);
        if value & 1 == 0 || value & 1 << 7 != 0 {
            return None;
        }
        table = value & 0x000f_ffff_ffff_f000;
    }
    None
}

/// Maps a descriptor frame at page `slot` (0 to 13) of the running CPU's GDT.
pub fn set_gdt_frame(cpu: u32, slot: usize, frame: Option<&Page>) {
    if slot >= crate::pv::GDT_PAGES {
        return;
    }
    let va = area::base(cpu) + AREA_GDT + slot as u64 * 4096;
    // Accessed bits in descriptors are set by the processor, so the page is writable: it
    // is supervisor-only, and the policy counts it as a descriptor table.
    let new = frame.map_or(0, |page| page.mfn().addr() | 0x3 | 1 << 63);
    if let Some(pte) = host_pte(va)
        && pte.load(Ordering::Relaxed) & !0x60 != new
    {
        pte.store(new, Ordering::Relaxed);
        do_flush(cpu, Flush::Page(va));
    }
}

/// Maps the frames of an LDT of `entries` descriptors, or none, and loads it.
pub fn set_ldt(cpu: u32, frames: &[Page], entries: u32) {
    let base = area::base(cpu) + AREA_LDT;
    for slot in 0..16usize {
        let new = frames
            .get(slot)
            .map_or(0, |page| page.mfn().addr() | 0x3 | 1 << 63);
        let va = base + slot as u64 * 4096;
        if let Some(pte) = host_pte(va)
            && pte.load(Ordering::Relaxed) & !0x60 != new
        {
            pte.store(new, Ordering::Relaxed);
            do_flush(cpu, Flush::Page(va));
        }
    }
    let entries = entries.min(frames.len() as u32 * 512);
    let selector: u64 = if entries == 0 {
        0
    } else {
        entry::selector::LDT as u64
    };
    if entries != 0 {
        let (lo, hi) = area::system_descriptor(base, entries as u64 * 8 - 1, 2);
        let at = area::base(cpu) + AREA_GDT + 14 * 4096 + (entry::selector::LDT as u64 - 0xe000);
        // SAFETY: this CPU's own page of descriptors; the LDT is loaded just below.
        unsafe {
            (at as *mut u64).write(lo);
            ((at + 8) as *mut u64).write(hi);
        }
    }
    // SAFETY: null, or the descriptor just written.
    unsafe { asm!("lldt {0:x}", in(reg) selector, options(nostack)) };
}
