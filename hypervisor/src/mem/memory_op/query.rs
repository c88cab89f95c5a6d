//! Questions: how much memory a domain has and may have.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::memory::physmap::VnumaTopologyInfo;
use xen_abi::memory::reservation::{MemoryDomain, PodTarget};
use xen_abi::shared_info::{ArchSharedInfo, SHARED_INFO_ARCH};

/// One past the highest frame number of RAM, as Xen answers.
pub fn maximum_ram_page(cx: &mut Cx, _call: Call) -> HyperResult {
    Ok(cx.hv.mem.max_mfn().0 as i64)
}

/// Errors: `EFAULT`, `ESRCH`, `EPERM`.
fn domain(cx: &mut Cx, call: Call) -> Result<Arc<Domain>, Fail> {
    let named: MemoryDomain = cx.copy_in(GuestPtr::new(call.arg))?;
    Ok(cx.resolve(named.domid)?)
}

/// How many frames a domain has.
pub fn current_reservation(cx: &mut Cx, call: Call) -> HyperResult {
    let dom = domain(cx, call)?;
    // What died since does not count any more.
    cx.reap()?;
    Ok(dom.pages.total() as i64)
}

/// How many frames a domain may have.
pub fn maximum_reservation(cx: &mut Cx, call: Call) -> HyperResult {
    Ok(domain(cx, call)?.pages.max() as i64)
}

/// The highest frame number in use by a domain, as far as its kernel says.
pub fn maximum_gpfn(cx: &mut Cx, call: Call) -> HyperResult {
    let dom = domain(cx, call)?;
    let max_pfn = dom
        .shared_info
        .u64_at(SHARED_INFO_ARCH + offset_of!(ArchSharedInfo, max_pfn))
        .map_or(0, |word| word.load(Ordering::Relaxed));
    Ok(max_pfn.max(1).wrapping_sub(1) as i64)
}

/// Memory populated on demand: not for PV guests. Errors: `EFAULT`, `ESRCH`, `EPERM`, `EINVAL`.
pub fn pod_target(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: PodTarget = cx.copy_in(GuestPtr::new(call.arg))?;
    cx.resolve_any(wish.domid)?;
    cx.dom.require_privilege()?;
    Err(Errno::EINVAL.into())
}

/// A domain's virtual NUMA nodes: none has any. Errors: `EFAULT`, `EINVAL`, `ESRCH`, `EPERM`,
/// `EOPNOTSUPP`.
pub fn vnumainfo(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: VnumaTopologyInfo = cx.copy_in(GuestPtr::new(call.arg))?;
    if wish.pad != 0 {
        return Err(Errno::EINVAL.into());
    }
    cx.resolve(wish.domid)?;
    Err(Errno::EOPNOTSUPP.into())
}
