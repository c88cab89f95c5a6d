//! The `sysctl` hypercall: what the tools do to the whole machine. One row for each command.
//!
//! To add one: write `fn(&mut Cx, &mut Call) -> HyperResult` in the file whose business it is,
//! and add a row. What the handler left in `call.op` goes back to the caller when it set
//! `call.changed`, also when it fails or restarts.

mod debug;
mod domains;
mod host;

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::sysctl::*;

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
    pub op: Sysctl,
    /// Whether `op` is copied back.
    pub changed: bool,
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
    // The log, and looking for faults.
    1  readconsole        debug::read_console;
    7  debug_keys         debug::debug_keys;

    // Domains and memory.
    3  physinfo           host::physinfo;
    6  getdomaininfolist  domains::list;
    9  availheap          host::free_memory;

    // CPUs, where they are, scheduling.

    // What the processor looks like.
}

/// The hypercall. Errors: `EFAULT`; `EACCES` for another version of the interface; `EPERM`
/// without privilege; `ENOSYS`; the command's own.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<Sysctl>::new(arg);
    let op = cx.copy_in(ptr)?;
    if op.interface_version != XEN_SYSCTL_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.dom.require_privilege()?;
    let mut call = Call { op, changed: false };
    let result = dispatch(cx, &mut call);
    if call.changed {
        cx.copy_out(ptr, &call.op)?;
    }
    result
}
