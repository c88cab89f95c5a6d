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
use xen_abi::memory::reservation::{MemoryDomain, PodTarget, XENMEM_set_pod_target};
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

/// The highest frame number in use by a domain: of a PV guest, as far as its kernel says.
pub fn maximum_gpfn(cx: &mut Cx, call: Call) -> HyperResult {
    let dom = domain(cx, call)?;
    if let Some(hvm) = dom.hvm.get() {
        return Ok(hvm.max_gfn.load(Ordering::Relaxed) as i64);
    }
    let max_pfn = dom
        .shared_info
        .u64_at(SHARED_INFO_ARCH + offset_of!(ArchSharedInfo, max_pfn))
        .map_or(0, |word| word.load(Ordering::Relaxed));
    Ok(max_pfn.max(1).wrapping_sub(1) as i64)
}

/// How much of a domain's memory is populated on demand: none. A target for it is taken where
/// there is a physical map, as Xen takes it from the tools with each change of the domain's size,
/// and what the domain has is told. Errors: `EFAULT`, `ESRCH`, `EPERM`; `EINVAL` for a PV guest and
/// for a target beyond the domain's limit.
pub fn pod_target(cx: &mut Cx, call: Call) -> HyperResult {
    let ptr = GuestPtr::<PodTarget>::new(call.arg);
    let mut wish = cx.copy_in(ptr)?;
    let dom = cx.resolve_any(wish.domid)?;
    cx.dom.require_privilege()?;
    let set = call.op == u64::from(XENMEM_set_pod_target);
    if dom.hvm.get().is_none() || set && wish.target_pages > dom.pages.max() {
        return Err(Errno::EINVAL.into());
    }
    wish.tot_pages = dom.pages.total();
    (wish.pod_cache_pages, wish.pod_entries) = (0, 0);
    cx.copy_out(ptr, &wish)?;
    Ok(0)
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
