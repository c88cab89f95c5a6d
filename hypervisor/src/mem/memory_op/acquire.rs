//! `acquire_resource`: frames that the control domain maps to build a domain or serve it.

#![allow(
    non_upper_case_globals,
    reason = "resources are named as in Xen's headers"
)]

use super::{Call, EXTENT_SHIFT, sharing::remote};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::grant;
use crate::guest::GuestPtr;
use machine::CpuApi;
use xen_abi::compat::Ulong;
use xen_abi::memory::physmap::*;
use xen_abi::{Errno, field_offset};

/// How many frames a resource can have; zero for one that there is not.
fn size(dom: &Domain, kind: u16, id: u32) -> u32 {
    match (kind, id) {
        (XENMEM_resource_grant_table, XENMEM_resource_grant_table_id_shared) => {
            grant::max_frames(dom, false)
        }
        (XENMEM_resource_grant_table, XENMEM_resource_grant_table_id_status) => {
            grant::max_frames(dom, true)
        }
        _ => 0,
    }
}

/// Errors: `EFAULT`; `EINVAL` for what the resource does not have; `ESRCH`; `EPERM` for the
/// caller's own.
pub fn acquire_resource(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: MemAcquireResource = cx.copy_in(GuestPtr::new(call.arg))?;
    let end = wish
        .frame
        .checked_add(wish.nr_frames.into())
        .filter(|&end| u32::try_from(end).is_ok())
        .ok_or(Errno::EINVAL)?;
    if wish.pad != 0 {
        return Err(Errno::EINVAL.into());
    }
    let dom = remote(cx, wish.domid)?;
    cx.dom.require_privilege()?;
    let most = size(&dom, wish.r#type, wish.id);
    if most == 0 {
        return Err(Errno::EINVAL.into());
    }
    let list = GuestPtr::<Ulong>::new(wish.frame_list);
    if list.is_null() {
        if wish.nr_frames != 0 {
            return Err(Errno::EINVAL.into());
        }
        let at = field_offset!(cx.width, MemAcquireResource, nr_frames) as u64;
        cx.copy_out(GuestPtr::new(call.arg.wrapping_add(at)), &most)?;
        return Ok(0);
    }
    if end > most.into() || call.done > wish.nr_frames.into() {
        return Err(Errno::EINVAL.into());
    }
    let status = wish.id == XENMEM_resource_grant_table_id_status;
    for i in call.done..wish.nr_frames.into() {
        if i != call.done && cx.cpu.work_pending() {
            cx.set_args([call.op | i << EXTENT_SHIFT, call.arg]);
            return Err(Fail::Restart);
        }
        // Below `most`, which is 32 bits wide.
        let index = (wish.frame + i) as u32;
        let mfn = grant::frame(cx.hv, cx.cpu, &dom, index, status)?.mfn();
        cx.copy_out(cx.at(list, i), &Ulong(mfn.0))?;
    }
    Ok(0)
}
