//! descriptors

use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// The hypercall.
pub fn set_gdt(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}

/// The hypercall.
pub fn update_descriptor(_cx: &mut Cx, _args: [u64; 2]) -> HyperResult {
    Err(Errno::ENOSYS.into())
}
