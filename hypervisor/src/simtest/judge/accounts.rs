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
        // Who wants it paused: the tools, its end, its shutdown.
        let tools = *dom.controller_pauses.lock();
        let wanted =
            tools + u32::from(dom.is_shut_down()) + u32::from(dom.dying.load(Ordering::SeqCst));
        let paused = dom.pause_count.load(Ordering::SeqCst);
        if wanted != paused {
            wrong.push(format!(
                "domain {} is paused {paused} times, not {wanted}",
                dom.id
            ));
        }
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
            if hv.mem.m2p(Mfn(mfn)).is_some_and(|gfn| gfn != u64::MAX) {
                wrong.push(format!("frame {mfn:#x} is free, but has a place in a map"));
            }
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
    if !wrong.is_empty() {
        wrong.extend(domains.iter().map(|dom| {
            let (dying, dead) = (&dom.dying, &dom.dead);
            let frames = dom.pages.listed();
            format!(
                "domain {}: dying {dying:?}, dead {dead:?}, {frames} frames",
                dom.id
            )
        }));
        wrong.reverse();
    }
    all_of(wrong)
}
