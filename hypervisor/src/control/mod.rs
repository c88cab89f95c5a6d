//! What only the control domain's tools call: `sysctl` for the machine, `domctl` for domains.
//!
//! No state. A call carries the version of its interface, which has to be ours before anything
//! else of it is looked at.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

#[cfg(test)]
mod tests;

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

/// The `sysctl` hypercall. Errors: `EFAULT`; `EACCES` for another version of the interface;
/// `EPERM` without privilege; `ENOSYS`.
pub fn sysctl(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<Sysctl>::new(arg);
    let mut op = cx.copy_in(ptr)?;
    if op.interface_version != XEN_SYSCTL_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.dom.require_privilege()?;
    match op.cmd {
        XEN_SYSCTL_readconsole => {
            let mut arm = op.arm();
            crate::console::read_log(cx, &mut arm)?;
            op.set_arm(&arm);
            cx.copy_out(ptr, &op)?;
            Ok(0)
        }
        XEN_SYSCTL_debug_keys => {
            let arm = op.arm();
            crate::debug_keys::from_tool(cx, &arm)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// The `domctl` hypercall. Errors: as [`sysctl`].
pub fn domctl(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let op = cx.copy_in(GuestPtr::<Domctl>::new(arg))?;
    if op.interface_version != XEN_DOMCTL_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.dom.require_privilege()?;
    Err(Errno::ENOSYS.into())
}
