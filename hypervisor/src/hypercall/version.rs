//! The `xen_version` hypercall.

use crate::cx::Cx;
use crate::fail::HyperResult;
use xen_abi::Errno;

/// What we report: the interface of Xen 4.20.
const VERSION: i64 = 4 << 16 | 20;

/// The `xen_version` hypercall.
pub fn call(_cx: &mut Cx, [cmd, _arg]: [u64; 2]) -> HyperResult {
    match cmd {
        0 => Ok(VERSION),
        _ => Err(Errno::ENOSYS.into()),
    }
}
