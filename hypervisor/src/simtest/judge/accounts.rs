//! Free frames, domains' frames, and limits.

use super::super::world::World;
use super::all_of;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::sync::atomic::Ordering;
use machine::Mfn;
use machine::frame::NO_OWNER;

/// Checks them.
pub fn check(world: &World) -> Result<(), String> {
    let hv = &world.hv;
    let mut wrong = Vec::new();
    let domains = world.domains();
    let mut claimed = 0;
    for dom in &domains {
        let (listed, total) = (dom.pages.listed(), dom.pages.total());
        if listed != total {
            wrong.push(format!(
                "domain {} has {listed} frames, counted {total}",
                dom.id
            ));
        }
        claimed += dom.pages.claim.load(Ordering::Relaxed);
        let tracks = dom.grants.tracks.lock();
        if tracks.len() > tracks.limit() {
            wrong.push(format!("domain {} has {} handles", dom.id, tracks.len()));
        }
    }
    if claimed != hv.claims.outstanding() {
        wrong.push(format!(
            "{claimed} frames claimed, counted {}",
            hv.claims.outstanding()
        ));
    }
    let known = |owner: u32| owner == NO_OWNER || domains.iter().any(|dom| dom.owner() == owner);
    let mut listed = vec![false; hv.mem.max_mfn().0 as usize];
    for dom in &domains {
        let mut at = dom.pages.first();
        while let Some(mfn) = at {
            if core::mem::replace(&mut listed[mfn.0 as usize], true) {
                wrong.push(format!("frame {mfn:?} is on two accounts"));
                break;
            }
            let owner = hv.mem.frame(mfn).map(|info| info.owner());
            if owner != Some(dom.owner()) {
                wrong.push(format!("frame {mfn:?} of domain {} is {owner:?}'s", dom.id));
            }
            at = dom.pages.next(hv.mem, mfn);
        }
    }
    let mut used = 0;
    for mfn in 0..hv.mem.max_mfn().0 {
        let Some(info) = hv.mem.frame(Mfn(mfn)).filter(|info| info.count() != 0) else {
            continue;
        };
        used += 1;
        if !known(info.owner()) {
            wrong.push(format!(
                "frame {mfn:#x} belongs to no domain: {:#x}",
                info.owner()
            ));
        }
        if info.is_allocated() && !listed[mfn as usize] {
            wrong.push(format!("frame {mfn:#x} is allocated, but on no account"));
        }
    }
    let free = hv.heap.lock().free_frames();
    if free + used != world.free_at_first {
        wrong.push(format!(
            "{free} frames are free and {used} in use, of {}",
            world.free_at_first
        ));
    }
    all_of(wrong)
}
