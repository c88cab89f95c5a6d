//! Frames for a domain and back: `increase_reservation`, `decrease_reservation`,
//! `populate_physmap`.
//!
//! All three return how many extents are done, and an error is only that there are no more.

use super::{Call, EXTENT_SHIFT};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::alloc::{ANYWHERE, alloc_domain_pages};
use crate::mem::p2m;
use alloc::sync::Arc;
use machine::{CpuApi, Mfn, PAGE_SHIFT};
use xen_abi::compat::Ulong;
use xen_abi::memory::reservation::{
    MemoryReservation, XENMEM_populate_physmap, XENMEMF_exact_node_request,
    XENMEMF_populate_on_demand,
};

/// The one operation that could put off handing out memory; not for PV guests.
const POPULATE: u64 = XENMEM_populate_physmap as u64;

/// Most extents whose number a continued command can carry.
const MAX_EXTENTS: u64 = (u32::MAX >> EXTENT_SHIFT) as u64;
/// Largest extent of a domain that only has its own memory to look after.
const MAX_ORDER: u32 = 9;
/// Largest extent of the control domain.
const MAX_ORDER_PRIVILEGED: u32 = machine::heap::MAX_ORDER;

/// The largest extent, as a power of two of frames, that the caller may name.
pub fn max_order(dom: &Domain) -> u32 {
    if dom.privileged {
        MAX_ORDER_PRIVILEGED
    } else {
        MAX_ORDER
    }
}

/// Whether the NUMA node that `mem_flags` ask for is one to be asked for: 1 to 64, or none.
/// Only the control domain is heeded, and others may not insist.
pub fn node_ok(dom: &Domain, mem_flags: u32) -> bool {
    let node = mem_flags >> 8 & 0xff;
    if dom.privileged {
        node <= 64
    } else {
        mem_flags & XENMEMF_exact_node_request == 0
    }
}

/// One past the highest frame number that `mem_flags` allow. `None` when no frame is allowed.
pub fn frame_limit(cx: &Cx, mem_flags: u32) -> Option<u64> {
    // There is but one node, the first.
    let exact = mem_flags & XENMEMF_exact_node_request != 0;
    if exact && mem_flags >> 8 & 0xff > 1 {
        return None;
    }
    let highest = cx.hv.mem.max_mfn().0.saturating_sub(1);
    let reach = u64::BITS - highest.leading_zeros() + PAGE_SHIFT;
    match mem_flags & 0xff {
        0 => Some(ANYWHERE),
        bits if bits >= reach => Some(ANYWHERE),
        bits if bits <= PAGE_SHIFT => None,
        bits => Some(1 << (bits - PAGE_SHIFT)),
    }
}

/// A list of extents to work on.
struct Extents {
    dom: Arc<Domain>,
    list: GuestPtr<Ulong>,
    count: u64,
    order: u32,
    limit: u64,
}

impl Extents {
    /// `None` when there is nothing that can be done.
    fn read(cx: &mut Cx, call: Call) -> Option<Extents> {
        let wish: MemoryReservation = cx.copy_in(GuestPtr::new(call.arg)).ok()?;
        if wish.nr_extents > MAX_EXTENTS || call.done >= wish.nr_extents {
            return None;
        }
        let list = GuestPtr::new(wish.extent_start);
        cx.check_array(list, wish.nr_extents).ok()?;
        let dom = cx.resolve(wish.domid).ok()?;
        let on_demand = wish.mem_flags & XENMEMF_populate_on_demand != 0;
        if !node_ok(cx.dom, wish.mem_flags) || on_demand && call.op == POPULATE {
            return None;
        }
        let limit = frame_limit(cx, wish.mem_flags)?;
        (wish.extent_order <= max_order(cx.dom)).then_some(Extents {
            dom,
            list,
            count: wish.nr_extents,
            order: wish.extent_order,
            limit,
        })
    }
}

/// Does `one` for each extent until it fails or other work waits.
fn each(
    cx: &mut Cx,
    call: Call,
    mut one: impl FnMut(&mut Cx, &Extents, u64) -> Option<()>,
) -> HyperResult {
    let Some(extents) = Extents::read(cx, call) else {
        return Ok(call.done as i64);
    };
    for i in call.done..extents.count {
        if i != call.done && cx.cpu.work_pending() || cx.reap().is_err() {
            cx.set_args([call.op | i << EXTENT_SHIFT, call.arg]);
            return Err(Fail::Restart);
        }
        if one(cx, &extents, i).is_none() {
            return Ok(i as i64);
        }
    }
    Ok(extents.count as i64)
}

/// Gives the domain frames that stand nowhere in its physical map, and says which.
pub fn increase(cx: &mut Cx, call: Call) -> HyperResult {
    each(cx, call, |cx, extents, i| {
        let Extents {
            dom,
            list,
            order,
            limit,
            ..
        } = extents;
        // Where it has a physical map, memory without a place in it is of no use.
        if dom.hvm.get().is_some() {
            return None;
        }
        let first = alloc_domain_pages(cx.hv, cx.cpu, dom, *order, *limit).ok()?;
        // The list may be left out.
        if list.is_null() {
            return Some(());
        }
        cx.copy_out(cx.at(*list, i), &Ulong(first.0)).ok()
    })
}

/// Gives the domain frames for parts of its physical map, and says which.
pub fn populate(cx: &mut Cx, call: Call) -> HyperResult {
    each(cx, call, |cx, extents, i| {
        let Extents {
            dom,
            list,
            order,
            limit,
            ..
        } = extents;
        let Ulong(gfn) = cx.copy_in(cx.at(*list, i)).ok()?;
        if dom.hvm.get().is_some() {
            return p2m::populate(cx, dom, gfn, *order, *limit);
        }
        let first = alloc_domain_pages(cx.hv, cx.cpu, dom, *order, *limit).ok()?;
        for at in 0..1u64 << order {
            cx.hv.mem.set_m2p(Mfn(first.0 + at), gfn.wrapping_add(at));
        }
        cx.copy_out(cx.at(*list, i), &Ulong(first.0)).ok()
    })
}

/// Takes frames of the domain away. One that is still mapped or pinned goes when that ends.
pub fn decrease(cx: &mut Cx, call: Call) -> HyperResult {
    let mut pending = p2m::Pending::default();
    let result = each(cx, call, |cx, extents, i| {
        let Ulong(first) = cx.copy_in(cx.at(extents.list, i)).ok()?;
        if extents.dom.hvm.get().is_some() {
            return p2m::depopulate(cx, &extents.dom, first, extents.order, &mut pending);
        }
        for at in 0..1u64 << extents.order {
            let mfn = Mfn(first.checked_add(at)?);
            let page = cx.hv.mem.get_page(mfn, extents.dom.owner())?;
            drop(page.end_allocation());
        }
        Some(())
    });
    pending.settle(cx.cpu);
    result
}
