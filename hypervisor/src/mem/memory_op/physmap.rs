//! Mapping into a guest's physical map. PV guests keep theirs themselves.

#![allow(
    non_upper_case_globals,
    reason = "spaces are named as in Xen's headers"
)]

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::mem::p2m;
use alloc::sync::Arc;
use machine::Gfn;
use machine::nested::Leaf;
use xen_abi::Errno;
use xen_abi::memory::physmap::*;

/// Errors: `EFAULT`; `ENOSYS` for others' frames; `ESRCH`, `EPERM`; `EACCES` for a PV guest.
pub fn add(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: AddToPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.space == XENMAPSPACE_gmfn_foreign {
        return Err(Errno::ENOSYS.into());
    }
    let dom = cx.resolve(wish.domid)?;
    match dom.hvm.get() {
        Some(_) => add_one(cx, &dom, wish.space, wish.idx, wish.gpfn),
        None => Err(Errno::EACCES.into()),
    }
}

/// Puts a page of a `space` at a guest frame; what was there goes. Errors: `EINVAL` for a space
/// or a page that there is not, `ENOMEM`.
fn add_one(cx: &mut Cx, dom: &Arc<Domain>, space: u32, idx: u64, gfn: u64) -> HyperResult {
    let page = match space {
        XENMAPSPACE_shared_info if idx == 0 => dom.shared_info.another(),
        XENMAPSPACE_grant_table => {
            let status = idx & XENMAPIDX_grant_table_status != 0;
            let index = idx & !XENMAPIDX_grant_table_status;
            let index = u32::try_from(index).map_err(|_| Errno::EINVAL)?;
            crate::grant::frame(cx.hv, cx.cpu, dom, index, status)?
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let old = p2m::set(cx.hv, cx.cpu, dom, Gfn(gfn), Leaf::Ram(page))?;
    // Memory that nothing names any more goes back; other pages stay what they are.
    drop(old.and_then(|page| page.end_allocation()));
    Ok(0)
}

/// Errors: as [`add`], but `EOPNOTSUPP` for a range.
pub fn add_batch(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: AddToPhysmapBatch = cx.copy_in(GuestPtr::new(call.arg))?;
    if u32::from(wish.space) == XENMAPSPACE_gmfn_range {
        return Err(Errno::EOPNOTSUPP.into());
    }
    cx.resolve(wish.domid)?;
    Err(Errno::EACCES.into())
}

/// Errors: `EFAULT`; `ESRCH`, `EPERM`; `EACCES` for a PV guest; `ENOENT` where nothing is.
pub fn remove(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: RemoveFromPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    let dom = cx.resolve(wish.domid)?;
    if dom.hvm.get().is_none() {
        return Err(Errno::EACCES.into());
    }
    let gfn = Gfn(wish.gpfn);
    dom.page(cx.hv.mem, gfn).ok_or(Errno::ENOENT)?;
    drop(p2m::set(cx.hv, cx.cpu, &dom, gfn, Leaf::None)?);
    Ok(0)
}
