//! Memory for parts of a physical map, and back.

use super::{Pending, change, set};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::mem::alloc::{ANYWHERE, alloc_domain_pages};
use machine::nested::{Found, Kind, Leaf, MAX_GFN};
use machine::{Cpu, Gfn, Mfn};
use xen_abi::Errno;

/// Level and order of the large pages that are used.
const LARGE: (u32, u32) = (2, 9);

/// Gives the domain 2^`order` frames at `gfn`, where it has none. `None` when that cannot be.
pub fn populate(cx: &mut Cx, dom: &Domain, gfn: u64, order: u32, limit: u64) -> Option<()> {
    let end = gfn.checked_add(1 << order).filter(|end| *end <= MAX_GFN)?;
    // Frames that are given to an unlucky place would be lost.
    if (gfn..end).any(|gfn| lookup(dom, gfn).is_some()) {
        return None;
    }
    let first = alloc_domain_pages(cx.hv, cx.cpu, dom, order, limit).ok()?;
    let size = 1u64 << LARGE.1;
    let mut at = 0;
    while at < 1 << order {
        let mfn = Mfn(first.0 + at);
        let large = order >= LARGE.1 && (gfn + at).is_multiple_of(size);
        if large && run(cx.hv, cx.cpu, dom, gfn + at, mfn).is_some() {
            at += size;
            continue;
        }
        if place(cx, dom, Gfn(gfn + at), mfn).is_none() {
            // What has no place goes back; the rest is the domain's, who asked for it.
            for mfn in mfn.0..first.0 + (1 << order) {
                let page = cx.hv.mem.get_page(Mfn(mfn), dom.owner());
                drop(page.and_then(|page| page.end_allocation()));
            }
            return None;
        }
        at += 1;
    }
    Some(())
}

fn lookup(dom: &Domain, gfn: u64) -> Option<Found> {
    dom.hvm.get()?.nested.lookup(Gfn(gfn))
}

/// Puts a frame of the domain's own where nothing is: another vCPU may have been faster.
fn place(cx: &mut Cx, dom: &Domain, gfn: Gfn, mfn: Mfn) -> Option<()> {
    let page = cx.hv.mem.get_page(mfn, dom.owner())?;
    let free = |found: Option<Found>| match found {
        None => Ok(()),
        Some(_) => Err(Errno::EEXIST),
    };
    // Nothing was there, so there is nothing to flush.
    let _ = change(cx.hv, cx.cpu, dom, gfn, Leaf::Ram(page), free).ok()?;
    cx.hv.mem.set_m2p(mfn, gfn.0);
    Some(())
}

/// Maps the large page that begins at `first` at `gfn`. `None` where anything is.
fn run(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, gfn: u64, first: Mfn) -> Option<()> {
    let (level, order) = LARGE;
    let frames = first.0..first.0 + (1 << order);
    if !first.0.is_multiple_of(1 << order) {
        return None;
    }
    let pages = frames.map_while(|mfn| hv.mem.get_page(Mfn(mfn), dom.owner()));
    super::change_run(hv, cpu, dom, Gfn(gfn), level, first, pages).ok()?;
    for offset in 0..1 << order {
        hv.mem.set_m2p(Mfn(first.0 + offset), gfn + offset);
    }
    Some(())
}

/// Takes 2^`order` frames at `gfn` away. `None` at one that is not the domain's own memory.
pub fn depopulate(
    cx: &mut Cx,
    dom: &Domain,
    gfn: u64,
    order: u32,
    pending: &mut Pending,
) -> Option<()> {
    let end = gfn.checked_add(1 << order)?;
    for gfn in gfn..end {
        // Of two vCPUs that take the same frame one finds it gone.
        let own = |found: Option<Found>| match found {
            Some(found) if is_own(cx.hv, dom, &found) => Ok(()),
            _ => Err(Errno::ENOENT),
        };
        let stale = change(cx.hv, cx.cpu, dom, Gfn(gfn), Leaf::None, own).ok()?;
        let page = pending.add(cx.cpu, dom, stale)?;
        cx.hv.mem.set_m2p(page.mfn(), u64::MAX);
        drop(page.end_allocation());
    }
    Some(())
}

/// Whether that is memory on the domain's account. Asked with the map locked, whose entry holds
/// the frame.
fn is_own(hv: &Hypervisor, dom: &Domain, found: &Found) -> bool {
    let info = hv.mem.frame(found.mfn);
    found.kind == Kind::Ram
        && info.is_some_and(|info| info.owner() == dom.owner() && info.is_allocated())
}

/// Fills `count` frames from `gfn` on at a domain's making, with large pages where they fit.
/// Errors: `ENOMEM`.
pub fn fill(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    gfn: u64,
    count: u64,
) -> Result<(), Errno> {
    let size = 1u64 << LARGE.1;
    let (mut at, end) = (gfn, gfn.saturating_add(count));
    while at < end {
        if at.is_multiple_of(size)
            && end - at >= size
            && let Ok(first) = alloc_domain_pages(hv, cpu, dom, LARGE.1, ANYWHERE)
        {
            run(hv, cpu, dom, at, first).ok_or(Errno::ENOMEM)?;
            at += size;
            continue;
        }
        let mfn = alloc_domain_pages(hv, cpu, dom, 0, ANYWHERE)?;
        hv.mem.set_m2p(mfn, at);
        let page = hv.mem.get_page(mfn, dom.owner()).ok_or(Errno::ENOMEM)?;
        set(hv, cpu, dom, Gfn(at), Leaf::Ram(page))?;
        at += 1;
    }
    Ok(())
}
