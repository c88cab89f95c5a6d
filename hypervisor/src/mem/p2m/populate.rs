//! Memory for parts of a physical map, and back.

use super::{set, table_frame};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::mem::alloc::{ANYWHERE, alloc_domain_pages};
use machine::nested::{Leaf, MAX_GFN};
use machine::{Cpu, Gfn, Mfn};
use xen_abi::Errno;

/// Level and order of the large pages that are used.
const LARGE: (u32, u32) = (2, 9);

/// Gives the domain 2^`order` frames at `gfn`, where it has none. `None` when that cannot be.
pub fn populate(cx: &mut Cx, dom: &Domain, gfn: u64, order: u32, limit: u64) -> Option<()> {
    let end = gfn.checked_add(1 << order).filter(|end| *end <= MAX_GFN)?;
    // Frames that are given to an unlucky place would be lost.
    if (gfn..end).any(|gfn| has_any(dom, gfn)) {
        return None;
    }
    let first = alloc_domain_pages(cx.hv, cx.cpu, dom, order, limit).ok()?;
    for at in 0..1u64 << order {
        let mfn = Mfn(first.0 + at);
        cx.hv.mem.set_m2p(mfn, gfn + at);
        let page = cx.hv.mem.get_page(mfn, dom.owner())?;
        if set(cx.hv, cx.cpu, dom, Gfn(gfn + at), Leaf::Ram(page)).is_err() {
            // What has no place goes back; the rest is the domain's, who asked for it.
            for mfn in mfn.0..first.0 + (1 << order) {
                let page = cx.hv.mem.get_page(Mfn(mfn), dom.owner());
                drop(page.and_then(|page| page.end_allocation()));
            }
            return None;
        }
    }
    Some(())
}

fn has_any(dom: &Domain, gfn: u64) -> bool {
    dom.hvm
        .get()
        .is_some_and(|hvm| hvm.nested.lookup(Gfn(gfn)).is_some())
}

/// Takes 2^`order` frames at `gfn` away. `None` at one that is not the domain's own memory.
pub fn depopulate(cx: &mut Cx, dom: &Domain, gfn: u64, order: u32) -> Option<()> {
    let end = gfn.checked_add(1 << order)?;
    for gfn in gfn..end {
        let page = dom
            .page(cx.hv.mem, Gfn(gfn))
            .filter(|page| page.info().is_allocated())?;
        let old = set(cx.hv, cx.cpu, dom, Gfn(gfn), Leaf::None).ok()?;
        // Of two vCPUs that take the same frame one finds it gone.
        if old.is_some() {
            drop(page.end_allocation());
        }
    }
    Some(())
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
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let (level, order) = LARGE;
    let size = 1u64 << order;
    let (mut at, end) = (gfn, gfn.saturating_add(count));
    while at < end {
        if at.is_multiple_of(size)
            && end - at >= size
            && let Ok(first) = alloc_domain_pages(hv, cpu, dom, order, ANYWHERE)
        {
            for offset in 0..size {
                hv.mem.set_m2p(Mfn(first.0 + offset), at + offset);
            }
            let pages =
                (first.0..first.0 + size).map_while(|mfn| hv.mem.get_page(Mfn(mfn), dom.owner()));
            hvm.nested
                .lock()
                .set_run(Gfn(at), level, first, pages, &mut || table_frame(hv, cpu))
                .map_err(|_| Errno::ENOMEM)?;
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
