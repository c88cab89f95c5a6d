//! Questions: how much memory a domain has, where the machine-to-phys table is.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use xen_abi::arch_x86::{MACH2PHYS_NR_ENTRIES, MACH2PHYS_VIRT_END, MACH2PHYS_VIRT_START};
use xen_abi::memory::reservation::{MachphysMapping, MemoryDomain};
use xen_abi::shared_info::{ArchSharedInfo, SHARED_INFO_ARCH};

/// The highest frame number of RAM.
pub fn maximum_ram_page(cx: &mut Cx, _call: Call) -> HyperResult {
    Ok(cx.hv.mem.max_mfn().0.saturating_sub(1) as i64)
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
    cx.hv.reap();
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

/// Where guests read the machine-to-phys table.
pub fn machphys_mapping(cx: &mut Cx, call: Call) -> HyperResult {
    let max_mfn = if cx.dom.privileged {
        cx.hv.mem.max_mfn().0.saturating_sub(1)
    } else {
        MACH2PHYS_NR_ENTRIES - 1
    };
    let mapping =
        MachphysMapping { v_start: MACH2PHYS_VIRT_START, v_end: MACH2PHYS_VIRT_END, max_mfn };
    cx.copy_out(GuestPtr::new(call.arg), &mapping)?;
    Ok(0)
}
