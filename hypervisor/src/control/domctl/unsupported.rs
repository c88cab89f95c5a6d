//! Commands for what this hypervisor, or this kind of machine, does not have, where the tools
//! look for one error number and take others for a failure.

use super::Call;
use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// `XEN_DOMCTL_set_llc_colors`: the caches of x86 are not coloured. `EOPNOTSUPP`, which the
/// tools take for "there is no such thing".
pub fn set_llc_colors(_: &mut Cx, _: &mut Call) -> HyperResult {
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_shadow_op`: writes of PV guests are not logged. `EOPNOTSUPP`, as from a Xen
/// built without shadow paging.
pub fn shadow_op(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_get_paging_mempool_size`, `XEN_DOMCTL_set_paging_mempool_size`: PV guests have
/// no such pool. `EOPNOTSUPP`.
pub fn paging_mempool(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_ioport_mapping`: for guests with ports of their own numbering. `EOPNOTSUPP`.
pub fn ioport_mapping(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// `XEN_DOMCTL_bind_pt_irq`, `XEN_DOMCTL_unbind_pt_irq`: interrupts are passed through to
/// guests with an I/O MMU only, which is not used. `ESRCH`, as from Xen without one.
pub fn pt_irq(cx: &mut Cx, call: &mut Call) -> HyperResult {
    call.target(cx)?;
    Err(Errno::ESRCH.into())
}
