//! Mapping into a guest's physical map. PV guests keep theirs themselves, so all that there is
//! here is how Xen says so.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::memory::physmap::{
    AddToPhysmap, AddToPhysmapBatch, RemoveFromPhysmap, XENMAPSPACE_gmfn_foreign,
    XENMAPSPACE_gmfn_range,
};

/// Errors: `EFAULT`; `ENOSYS` for others' frames; `ESRCH`, `EPERM`; `EACCES` for a PV guest.
pub fn add(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: AddToPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.space == XENMAPSPACE_gmfn_foreign {
        return Err(Errno::ENOSYS.into());
    }
    cx.resolve(wish.domid)?;
    Err(Errno::EACCES.into())
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

/// Errors: `EFAULT`; `ESRCH`, `EPERM`; `EACCES` for a PV guest.
pub fn remove(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: RemoveFromPhysmap = cx.copy_in(GuestPtr::new(call.arg))?;
    cx.resolve(wish.domid)?;
    Err(Errno::EACCES.into())
}
