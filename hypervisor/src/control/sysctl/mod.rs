//! The `sysctl` hypercall: what the tools do to the whole machine. One row for each command.
//!
//! To add one: write `fn(&mut Cx, &mut Call) -> HyperResult` in the file whose business it is,
//! and add a row. What the handler left in `call.op` goes back to the caller when it set
//! `call.changed`, also when it fails or restarts.

mod absent;
mod cpupool;
mod cpus;
mod debug;
mod domains;
mod host;
mod scheduling;
#[cfg(test)]
mod tests;

use super::version;
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
    4  sched_id           scheduling::id;
    8  getcpuinfo         cpus::idle_times;
    10 get_pmstat         absent::pmstat;
    11 cpu_hotplug        cpus::hotplug;
    12 pm_op              absent::pm_op;
    16 cputopoinfo        cpus::topology;
    17 numainfo           cpus::nodes;
    18 cpupool_op         cpupool::call;
    19 scheduler_op       scheduling::settings;
    20 coverage_op        absent::not_built;
    21 psr_cmt_op         absent::psr;
    22 pcitopoinfo        cpus::device_nodes;
    23 psr_alloc          absent::psr;
    27 livepatch_op       absent::not_built;

    // What the processor looks like.
    25 get_cpu_levelling_caps crate::cpu_policy::control::levelling_caps;
    26 get_cpu_featureset   crate::cpu_policy::control::featureset;
    29 get_cpu_policy       crate::cpu_policy::control::system_policy;
}

/// The hypercall. Errors: `EFAULT`; `EACCES` for another version of the interface; `EPERM`
/// without privilege; `ENOSYS`; the command's own.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<Sysctl>::new(arg);
    let op = cx.copy_in(ptr)?;
    let version = version::find(version::SYSCTL, op.interface_version)?;
    // The Xenstore has to know who is there.
    if op.cmd == XEN_SYSCTL_getdomaininfolist {
        cx.dom.require_xenstore()?;
    } else {
        cx.dom.require_privilege()?;
    }
    version.serves(op.cmd)?;
    let mut call = Call { op, changed: false };
    let result = dispatch(cx, &mut call);
    if call.changed {
        cx.copy_out(ptr, &call.op)?;
    }
    result
}
