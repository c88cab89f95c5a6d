//! The `platform_op` hypercall: what dom0 sets and asks of the machine.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use xen_abi::Errno;

/// The `platform_op` hypercall.
pub fn call(cx: &mut Cx, [_op]: [u64; 1]) -> HyperResult {
    cx.dom.require_privilege()?;
    Err(Fail::Errno(Errno::ENOSYS))
}
