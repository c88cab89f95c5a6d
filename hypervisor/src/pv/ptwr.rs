//! Writes of a PV guest's kernel to its own page tables, carried out after validation.

use super::emulator::{AGAIN, Emulated};
use super::privop::finish;
use crate::cx::Cx;
use crate::mem::pte::Pte;
use crate::mem::update_va::find_l1;
use machine::PageType;

/// Serves a write fault at `va` if it hit a level 1 table. `false` when the guest has to have
/// its page fault.
pub fn emulate(cx: &mut Cx, va: u64) -> bool {
    if !is_table(cx, va) {
        return false;
    }
    match x86_emulate::store(&mut Emulated { cx }) {
        // The write was refused: the fault stands as it was.
        Err(trap) if trap != AGAIN => false,
        result => finish(cx, result),
    }
}

/// Whether `va` is mapped read-only to a level 1 table of the guest's.
fn is_table(cx: &Cx, va: u64) -> bool {
    let mem = cx.hv.mem;
    let entry = cx
        .st
        .root
        .as_ref()
        .and_then(|root| find_l1(mem, root, va))
        .and_then(|l1| mem.table_entry(l1, PageType::L1, (va >> 12) as usize & 511))
        .map(Pte);
    entry.is_some_and(|pte| {
        pte.present()
            && !pte.writable()
            && mem.frame(pte.mfn()).is_some_and(|info| {
                info.is_validated(PageType::L1) && info.owner() == cx.dom.owner()
            })
    })
}
