//! Where the machine-to-phys table is: its addresses for guests, its frames for the tools.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::arch_x86::{MACH2PHYS_NR_ENTRIES, MACH2PHYS_VIRT_END, MACH2PHYS_VIRT_START};
use xen_abi::compat::Ulong;
use xen_abi::memory::reservation::{MachphysMapping, MachphysMfnList};

/// Where guests read the table. Errors: `EFAULT`.
pub fn mapping(cx: &mut Cx, call: Call) -> HyperResult {
    let max_mfn = if cx.dom.privileged {
        cx.hv.mem.max_mfn().0.saturating_sub(1)
    } else {
        // What the guest may see after it has moved to a machine with more.
        MACH2PHYS_NR_ENTRIES - 1
    };
    let mapping = MachphysMapping {
        v_start: MACH2PHYS_VIRT_START,
        v_end: MACH2PHYS_VIRT_END,
        max_mfn,
    };
    cx.copy_out(GuestPtr::new(call.arg), &mapping)?;
    Ok(0)
}

/// The frames of the table, one for each 2 MiB of it. Errors: `EFAULT`.
pub fn mfn_list(cx: &mut Cx, call: Call) -> HyperResult {
    let at = GuestPtr::<MachphysMfnList>::new(call.arg);
    let mut list = cx.copy_in(at)?;
    let extents = GuestPtr::<Ulong>::new(list.extent_start);
    let mut count = 0;
    while count < list.max_extents {
        let Some(mfn) = cx.hv.mem.m2p_extent(count.into()) else {
            break;
        };
        if extents.is_null() {
            return Err(Errno::EFAULT.into());
        }
        cx.copy_out(cx.at(extents, count.into()), &Ulong(mfn.0))?;
        count += 1;
    }
    list.nr_extents = count;
    cx.copy_out(at, &list)?;
    Ok(0)
}

/// There is no second table for 32-bit guests. Errors: `EOPNOTSUPP`.
pub fn compat_mfn_list(_: &mut Cx, _: Call) -> HyperResult {
    Err(Errno::EOPNOTSUPP.into())
}
