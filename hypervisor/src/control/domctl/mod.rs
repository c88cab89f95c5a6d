//! The `domctl` hypercall: what the tools do to one domain. One row for each command.
//!
//! To add one: write `fn(&mut Cx, &mut Call) -> HyperResult` in the file whose business it is,
//! and add a row. [`Call::target`] is the domain that is named. What the handler left in
//! `call.op` goes back to the caller when it set `call.changed`, also when it fails or restarts.

mod unsupported;

use super::version;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use xen_abi::Errno;
use xen_abi::domctl::*;

/// A command that is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub nr: u32,
    /// Its name, as in Xen's headers without the prefix.
    pub name: &'static str,
}

/// A call under way.
pub struct Call {
    /// What the caller passed, and what it gets back.
    pub op: Domctl,
    /// Whether `op` is copied back.
    pub changed: bool,
}

impl Call {
    /// The domain that the command is about, unless it is dying. Errors: `ESRCH`.
    pub fn target(&self, cx: &Cx) -> Result<Arc<Domain>, Fail> {
        Ok(cx.resolve_any(self.op.domain)?)
    }
}

macro_rules! commands {
    ($($nr:literal $name:ident $handler:path;)*) => {
        /// Every command that is implemented.
        pub const TABLE: &[Row] = &[$(Row { nr: $nr, name: stringify!($name) }),*];

        fn dispatch(cx: &mut Cx, call: &mut Call) -> HyperResult {
            match call.op.cmd {
                $($nr => $handler(cx, call),)*
                _ => Err(Errno::ENOSYS.into()),
            }
        }
    };
}

// The rows stand by what they are about.
commands! {
    // What there is not.
    89 set_llc_colors     unsupported::set_llc_colors;

    // What the processor looks like; its clock.
    59 gettscinfo           crate::time::tsc::info;
    60 settscinfo           crate::time::tsc::set_info;
    82 get_cpu_policy       crate::cpu_policy::control::get_policy;
    83 set_cpu_policy       crate::cpu_policy::control::set_policy;
}

/// The hypercall. Errors: `EFAULT`; `EACCES` for another version of the interface; `EPERM`
/// without privilege; `ENOSYS`; the command's own.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<Domctl>::new(arg);
    let op = cx.copy_in(ptr)?;
    let version = version::find(version::DOMCTL, op.interface_version)?;
    cx.dom.require_privilege()?;
    version.serves(op.cmd)?;
    let mut call = Call { op, changed: false };
    let result = dispatch(cx, &mut call);
    if call.changed {
        cx.copy_out(ptr, &call.op)?;
    }
    result
}
