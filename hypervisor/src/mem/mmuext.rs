//! The `mmuext` hypercall.

use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// The hypercall.
pub fn call(_cx: &mut Cx, _args: [u64; 4]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}
