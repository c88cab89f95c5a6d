//! `claim_pages`: a promise that a domain can have its memory, made before it is built.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::mem::alloc;
use xen_abi::Errno;
use xen_abi::memory::reservation::MemoryReservation;

/// Errors: `EFAULT`, `EINVAL`, `EPERM`, `ENOMEM`.
pub fn claim_pages(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: MemoryReservation = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.extent_start != 0 || wish.extent_order != 0 || wish.mem_flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    // Not `DOMID_SELF`: the call is about a domain that is being built.
    let dom = cx.hv.domain(wish.domid).ok_or(Errno::EINVAL)?;
    cx.dom.require_privilege()?;
    cx.reap()?;
    alloc::claim(cx.hv, &dom, wish.nr_extents)?;
    Ok(0)
}
