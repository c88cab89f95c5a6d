//! Changes of a guest's physical map, by itself or for it. PV guests keep theirs themselves.

#![allow(
    non_upper_case_globals,
    reason = "spaces are named as in Xen's headers"
)]

use super::{Call, EXTENT_SHIFT};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::event::WritablePage;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::p2m::{self, Pending};
use alloc::sync::Arc;
use machine::nested::{Found, Kind, Leaf};
use machine::{CpuApi, Gfn, Page};
use xen_abi::Errno;
use xen_abi::compat::Ulong;
use xen_abi::memory::physmap::*;
use xen_abi::xen::DOMID_SELF;

/// The domain whose map is to change. Errors: `ESRCH`, `EPERM`; `EACCES` for a PV guest.
fn target(cx: &Cx, domid: u16) -> Result<Arc<Domain>, Errno> {
    let dom = cx.resolve(domid)?;
    match dom.hvm.get() {
        Some(_) => Ok(dom),
        None => Err(Errno::EACCES),
    }
}

/// `XENMEM_add_to_physmap`. Errors: `EFAULT`; `ENOSYS` for others' frames; those of [`target`]
/// and [`add_one`]; `EDOM` and `EILSEQ` for a range that was never begun.
pub fn add(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: AddToPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.space == XENMAPSPACE_gmfn_foreign {
        return Err(Errno::ENOSYS.into());
    }
    let done = u16::try_from(call.done).map_err(|_| Errno::EDOM)?;
    let dom = target(cx, wish.domid)?;
    let mut pending = Pending::default();
    let result = if wish.space == XENMAPSPACE_gmfn_range {
        add_range(cx, call, &dom, &wish, done, &mut pending)
    } else {
        let item = Item {
            space: wish.space,
            idx: wish.idx,
            gfn: wish.gpfn,
            foreign: None,
        };
        add_one(cx, &dom, item, &mut pending)
            .map(|()| 0)
            .map_err(Fail::from)
    };
    pending.settle(cx.cpu);
    result
}

fn add_range(
    cx: &mut Cx,
    call: Call,
    dom: &Arc<Domain>,
    wish: &AddToPhysmap,
    done: u16,
    pending: &mut Pending,
) -> HyperResult {
    if wish.size < done {
        return Err(Errno::EILSEQ.into());
    }
    for i in u64::from(done)..wish.size.into() {
        again(cx, call, i)?;
        let item = Item {
            space: XENMAPSPACE_gmfn,
            idx: wish.idx.wrapping_add(i),
            gfn: wish.gpfn.wrapping_add(i),
            foreign: None,
        };
        add_one(cx, dom, item, pending)?;
    }
    Ok(0)
}

/// Before item `i`: `Restart` when other work waits and this call has done any.
fn again(cx: &mut Cx, call: Call, i: u64) -> Result<(), Fail> {
    if i != call.done && cx.cpu.work_pending() {
        cx.set_args([call.op | i << EXTENT_SHIFT, call.arg]);
        return Err(Fail::Restart);
    }
    Ok(())
}

/// What is to stand where.
#[derive(Clone, Copy)]
struct Item<'a> {
    space: u32,
    idx: u64,
    gfn: u64,
    /// Whose page it is, for [`XENMAPSPACE_gmfn_foreign`].
    foreign: Option<&'a Domain>,
}

/// Puts a page of a space at a guest frame; what was there goes. Errors: `EINVAL` for a space or
/// a page that there is not; `EACCES` for what is not memory of its own; `EPERM` at a device's page, `ENXIO` at a mapped grant; `ENOMEM`.
fn add_one(cx: &mut Cx, dom: &Arc<Domain>, item: Item, pending: &mut Pending) -> Result<(), Errno> {
    if let Some(foreign) = item.foreign {
        return add_foreign(cx, dom, foreign, item, pending);
    }
    let page = match item.space {
        XENMAPSPACE_shared_info if item.idx == 0 => dom.shared_info.another(),
        XENMAPSPACE_grant_table => {
            let status = item.idx & XENMAPIDX_grant_table_status != 0;
            let index = item.idx & !XENMAPIDX_grant_table_status;
            let index = u32::try_from(index).map_err(|_| Errno::EINVAL)?;
            crate::grant::frame(cx.hv, cx.cpu, dom, index, status)?
        }
        XENMAPSPACE_gmfn => {
            let page = dom.page(cx.hv.mem, Gfn(item.idx));
            page.ok_or(Errno::EACCES)?
        }
        _ => return Err(Errno::EINVAL),
    };
    put(cx, dom, page, item.gfn, pending)
}

/// Puts a page of the domain's own at `gfn`; it stands nowhere else afterwards.
fn put(
    cx: &mut Cx,
    dom: &Domain,
    page: Page,
    gfn: u64,
    pending: &mut Pending,
) -> Result<(), Errno> {
    let mem = cx.hv.mem;
    let mfn = page.mfn();
    let leaf = Leaf::Ram(page);
    let stale = p2m::change(cx.hv, cx.cpu, dom, Gfn(gfn), leaf, replaceable)?;
    let old = pending.add(cx.cpu, dom, stale);
    if let Some(old) = old.filter(|old| old.mfn() != mfn) {
        p2m::displaced(cx.hv, dom, &old);
    }
    let before = mem.m2p(mfn).filter(|before| *before != gfn);
    if let Some(before) = before {
        let this = |found: Option<Found>| match found {
            Some(found) if found.mfn == mfn && found.kind == Kind::Ram => Ok(()),
            _ => Err(Errno::ENOENT),
        };
        if let Ok(stale) = p2m::change(cx.hv, cx.cpu, dom, Gfn(before), Leaf::None, this) {
            drop(pending.add(cx.cpu, dom, stale));
        }
    }
    mem.set_m2p(mfn, gfn);
    Ok(())
}

/// Puts another domain's page at a guest frame: for reading alone, if it cannot be writable
/// memory. Errors: `EINVAL` for what is not that domain's memory, else as [`add_one`].
fn add_foreign(
    cx: &mut Cx,
    dom: &Domain,
    foreign: &Domain,
    item: Item,
    pending: &mut Pending,
) -> Result<(), Errno> {
    let page = foreign.page(cx.hv.mem, Gfn(item.idx));
    let page = page.ok_or(Errno::EINVAL)?;
    let held = WritablePage::get_page(cx.cpu, foreign, page.another()).ok();
    let leaf = Leaf::Foreign {
        page,
        writable: held.is_some(),
    };
    let stale = p2m::change(cx.hv, cx.cpu, dom, Gfn(item.gfn), leaf, replaceable)?;
    if let Some(held) = held {
        held.leave_type();
    }
    if let Some(old) = pending.add(cx.cpu, dom, stale) {
        p2m::displaced(cx.hv, dom, &old);
    }
    Ok(())
}

/// The domain whose pages a batch is of. Errors: `ESRCH`; `EINVAL` for the mapping domain
/// itself; `EPERM` where that does not control the other.
fn foreign_of(cx: &Cx, dom: &Domain, wish: &AddToPhysmapBatch) -> Result<Arc<Domain>, Errno> {
    let foreign = match wish.u {
        DOMID_SELF => return Err(Errno::EINVAL),
        id => cx.resolve_any(id)?,
    };
    if foreign.id == dom.id {
        return Err(Errno::EINVAL);
    }
    match dom.privileged {
        true => Ok(foreign),
        false => Err(Errno::EPERM),
    }
}

/// Whether something else may be put there. A mapped grant is the business of who unmaps it.
fn replaceable(found: Option<Found>) -> Result<(), Errno> {
    match found.map(|found| found.kind) {
        None | Some(Kind::Ram | Kind::Foreign) => Ok(()),
        Some(Kind::Mmio) => Err(Errno::EPERM),
        Some(Kind::Grant) => Err(Errno::ENXIO),
    }
}

/// `XENMEM_add_to_physmap_batch`: each item has an error of its own, of [`foreign_of`] or
/// [`add_one`]. Errors: `EFAULT`; `EOPNOTSUPP` for ranges; those of [`target`]; `EDOM` and
/// `EILSEQ` for one never begun.
pub fn add_batch(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: AddToPhysmapBatch = cx.copy_in(GuestPtr::new(call.arg))?;
    if u32::from(wish.space) == XENMAPSPACE_gmfn_range {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let done = u16::try_from(call.done).map_err(|_| Errno::EDOM)?;
    let dom = target(cx, wish.domid)?;
    if wish.size < done {
        return Err(Errno::EILSEQ.into());
    }
    let foreign = match wish.space.into() {
        XENMAPSPACE_gmfn_foreign => Some(foreign_of(cx, &dom, &wish)),
        _ => None,
    };
    let mut pending = Pending::default();
    let result = add_each(cx, call, &dom, &wish, foreign, &mut pending);
    pending.settle(cx.cpu);
    result
}

fn add_each(
    cx: &mut Cx,
    call: Call,
    dom: &Arc<Domain>,
    wish: &AddToPhysmapBatch,
    foreign: Option<Result<Arc<Domain>, Errno>>,
    pending: &mut Pending,
) -> HyperResult {
    let [idxs, gfns] = [wish.idxs, wish.gpfns].map(GuestPtr::<Ulong>::new);
    for i in call.done..wish.size.into() {
        again(cx, call, i)?;
        let item = Item {
            space: wish.space.into(),
            idx: cx.copy_in(cx.at(idxs, i))?.0,
            gfn: cx.copy_in(cx.at(gfns, i))?.0,
            foreign: foreign.as_ref().and_then(|dom| dom.as_deref().ok()),
        };
        let result = match foreign {
            Some(Err(errno)) => Err(errno),
            _ => add_one(cx, dom, item, pending),
        };
        let error = result.err().map_or(0, |errno| errno.neg() as i32);
        cx.copy_out(GuestPtr::new(wish.errs).add(i), &error)?;
    }
    Ok(0)
}

/// `XENMEM_remove_from_physmap`. Errors: `EFAULT`; those of [`target`]; `ENOENT` where nothing
/// is, or nothing that goes this way: a device's page, a mapped grant.
pub fn remove(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: RemoveFromPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    let dom = target(cx, wish.domid)?;
    let mut own = false;
    let may = |found: Option<Found>| match found.map(|found| found.kind) {
        Some(kind @ (Kind::Ram | Kind::Foreign)) => {
            own = kind == Kind::Ram;
            Ok(())
        }
        _ => Err(Errno::ENOENT),
    };
    let stale = p2m::change(cx.hv, cx.cpu, &dom, Gfn(wish.gpfn), Leaf::None, may)?;
    let mut pending = Pending::default();
    if let Some(page) = pending.add(cx.cpu, &dom, stale)
        && own
    {
        // It stays the domain's, without a place.
        cx.hv.mem.set_m2p(page.mfn(), u64::MAX);
    }
    pending.settle(cx.cpu);
    Ok(0)
}
