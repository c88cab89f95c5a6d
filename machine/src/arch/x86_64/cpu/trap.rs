//! Traps that the host itself takes, and the bytes of its code that depend on the processor.
//!
//! Why unsafe: the entry code calls this by name; rewrites the image's code at boot.

use super::super::entry;
use super::super::layout::*;
use super::super::{area, shortcut, usercopy};
use crate::regs::{GuestRegs, rflags};
use core::sync::atomic::Ordering;

/// A trap that the host itself took.
#[unsafe(no_mangle)]
extern "C" fn __xenios_host_trap(frame: &mut GuestRegs) {
    match frame.vector {
        // A guest's breakpoint on the operand of an instruction that blocks #DB up to the next
        // one, which was a system call: the entry code is where it strikes. Not the host's. Nor
        // is the single step that the guest took SYSENTER by.
        1 => {
            frame.rflags &= !rflags::TF;
            let entry = area::current().map(|area| area::base(area.cpu) + AREA_ENTRY);
            let start = &raw const entry::__entry_start as u64;
            let [plain, stepped] = [
                &raw const entry::__xenios_sysenter,
                &raw const entry::__xenios_sysenter_tf,
            ]
            .map(|at| entry.map(|entry| entry + (at as u64 - start)));
            if Some(frame.rip) == plain {
                frame.rip = stepped.unwrap_or(frame.rip);
            }
        }
        2 => {
            if let Some(area) = area::current() {
                area.nmi.fetch_add(1, Ordering::Relaxed);
            }
        }
        32..=255 => {
            frame.rflags &= !rflags::IF;
            if let Some(area) = area::current() {
                let (word, bit) = (frame.vector as usize / 32, frame.vector % 32);
                if let Some(pending) = area.pending.get(word) {
                    pending.fetch_or(1 << bit, Ordering::Relaxed);
                }
            }
        }
        _ => match usercopy::fixup(frame.rip, entry::displacement(frame.rip)) {
            Some(to) => frame.rip = to,
            None => super::super::panic::trap(frame),
        },
    }
}

/// Fills the entry code's gaps for what this processor has.
///
/// # Safety
/// Called once at boot, before any guest runs and before other CPUs do.
pub unsafe fn patch_entry(has_smap: bool) {
    if !has_smap {
        return;
    }
    const CLAC: [u8; 3] = [0x0f, 0x01, 0xca];
    const STAC: [u8; 3] = [0x0f, 0x01, 0xcb];
    let stacs = usercopy::stacs().chain(shortcut::stacs());
    let clacs = usercopy::clacs().chain(shortcut::clacs()).chain([
        &raw const entry::__xenios_patch_clac_1,
        &raw const entry::__xenios_patch_clac_2,
    ]);
    for (site, bytes) in stacs
        .map(|site| (site, STAC))
        .chain(clacs.map(|site| (site, CLAC)))
    {
        let pa = site as u64 - IMAGE_VA + IMAGE_PA;
        // SAFETY: the image's own bytes, through the direct map, where it is writable.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), (DIRECT_MAP_VA + pa) as *mut u8, 3)
        };
    }
}
