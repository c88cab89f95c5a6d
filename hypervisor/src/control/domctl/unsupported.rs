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
