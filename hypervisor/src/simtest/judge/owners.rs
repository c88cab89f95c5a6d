//! Whose memory page tables map.

use super::super::world::World;
use super::all_of;
use crate::domain::Domain;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::frame::NO_OWNER;
use machine::{Mfn, PageType};

/// Checks every entry of a validated level 1 table that names a frame of another domain's than
/// the table's.
pub fn check(world: &World) -> Result<(), String> {
    let mem = world.hv.mem;
    let domains = world.domains();
    // Who may use which frame: by, frame, whether written.
    let mut granted = BTreeSet::new();
    for dom in &domains {
        for active in dom.grants.table.lock().all_active() {
            if let Some(page) = active.page.as_ref().filter(|_| active.in_use()) {
                granted.insert((active.domid, page.mfn().0, false));
                if active.writers != 0 {
                    granted.insert((active.domid, page.mfn().0, true));
                }
            }
        }
    }
    let privileged = |owner: u32| {
        let found = domains.iter().find(|dom| dom.owner() == owner);
        found.is_some_and(|dom: &alloc::sync::Arc<Domain>| dom.privileged)
    };
    let mut wrong = Vec::new();
    for table in 0..mem.max_mfn().0 {
        let Some(info) = mem.frame(Mfn(table)) else {
            continue;
        };
        if info.count() == 0 || !info.is_validated(PageType::L1) || privileged(info.owner()) {
            continue;
        }
        let Some(page) = mem.get_any_page(Mfn(table)) else {
            continue;
        };
        for (slot, word) in page.words().iter().enumerate() {
            let entry = word.load(Ordering::Relaxed);
            let mfn = (entry & 0x000f_ffff_ffff_f000) >> 12;
            let Some(target) = mem.frame(Mfn(mfn)).filter(|_| entry & 1 != 0) else {
                continue;
            };
            let (by, owner) = (info.owner(), target.owner());
            if by == owner || owner == NO_OWNER || by == NO_OWNER || target.count() == 0 {
                continue;
            }
            if !granted.contains(&(by as u16, mfn, entry & 2 != 0)) {
                wrong.push(format!(
                    "table {table:#x}[{slot}] of domain {by} maps {mfn:#x} of {owner}: {entry:#x}"
                ));
            }
        }
    }
    all_of(wrong)
}
