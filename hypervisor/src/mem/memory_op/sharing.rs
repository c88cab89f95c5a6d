//! Paging out, sharing and watching of guests' memory: there is none for PV guests.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use xen_abi::memory::sharing::MemAccessOp;
use xen_abi::{DomId, Errno};

/// Frames shared, and frames saved by it: zero.
pub fn none(_cx: &mut Cx, _call: Call) -> HyperResult {
    Ok(0)
}

/// Built without it.
pub fn no_system(_cx: &mut Cx, _call: Call) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// A domain that is not the caller's. Errors: `ESRCH`; `EPERM` for the caller's own id.
pub fn remote(cx: &Cx, id: DomId) -> Result<Arc<Domain>, Fail> {
    if id == cx.dom.id {
        return Err(Errno::EPERM.into());
    }
    Ok(cx.hv.domain(id).ok_or(Errno::ESRCH)?)
}

/// Errors: `EFAULT`, `ESRCH`, `EPERM`; `EINVAL` for a PV guest.
pub fn access_op(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: MemAccessOp = cx.copy_in(GuestPtr::new(call.arg))?;
    remote(cx, wish.domid)?;
    cx.dom.require_privilege()?;
    Err(Errno::EINVAL.into())
}
