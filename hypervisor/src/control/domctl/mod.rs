//! The `domctl` hypercall: what the tools do to one domain. One row for each command.
//!
//! To add one: write `fn(&mut Cx, &mut Call) -> HyperResult` in the file whose business it is,
//! and add a row. [`Call::target`] is the domain that is named. What the handler left in
//! `call.op` goes back to the caller when it set `call.changed`, also when it fails or restarts.

mod context;
mod create;
mod extended;
mod hvm;
#[cfg(test)]
mod hvm_tests;
mod life;
#[cfg(test)]
mod life_tests;
mod log_dirty;
mod pageframe;
mod permission;
mod placement;
mod scheduler;
mod settings;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
mod unsupported;
mod vcpu;

pub use log_dirty::LogDirty;

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

    /// The domain that the command is about, dying or not. Errors: `ESRCH`.
    pub fn any_target(&self, cx: &Cx) -> Result<Arc<Domain>, Fail> {
        let found = cx.hv.domains.any(self.op.domain.into());
        found.ok_or(Errno::ESRCH.into())
    }

    /// As [`Call::target`], for what a domain cannot do to itself. Errors: `ESRCH`, `EINVAL`.
    pub fn other_target(&self, cx: &Cx) -> Result<Arc<Domain>, Fail> {
        let dom = self.target(cx)?;
        if dom.id == cx.dom.id {
            return Err(Errno::EINVAL.into());
        }
        Ok(dom)
    }
}

macro_rules! commands {
    ($($nr:literal $name:ident $handler:path;)*) => {
        /// Every command that is implemented.
        pub const TABLE: &[Row] = &[$(Row { nr: $nr, name: stringify!($name) }),*];

        fn dispatch(cx: &mut Cx, call: &mut Call) -> HyperResult {
            match call.op.cmd {
                $($nr => $handler(cx, call),)*
                _ => unsupported::absent(cx, call),
            }
        }
    };
}

// The rows stand by what they are about.
commands! {
    // A domain's life.
    1  createdomain       create::create;
    2  destroydomain      life::destroy;
    3  pausedomain        life::pause;
    4  unpausedomain      life::unpause;
    5  getdomaininfo      life::info;
    90 get_domain_state   life::state;
    11 max_mem            settings::max_mem;
    15 max_vcpus          create::max_vcpus;
    17 setdomainhandle    settings::handle;
    18 setdebugging       settings::debugging;
    22 hypercall_init     settings::hypercall_page;
    24 settimeoffset      settings::time_offset;
    27 resumedomain       life::resume;
    28 sendtrigger        settings::trigger;
    29 subscribe          settings::subscribe;
    35 set_address_size   settings::set_address_size;
    36 get_address_size   settings::address_size;
    66 set_virq_handler   settings::virq_handler;

    // What there is not; the rest of it is in `unsupported::absent`.
    46 set_target         unsupported::set_target;
    89 set_llc_colors     unsupported::set_llc_colors;

    // Scheduling and placement.
    9  setvcpuaffinity    placement::set_affinity;
    14 getvcpuinfo        placement::vcpu_info;
    16 scheduler_op       scheduler::call;
    25 getvcpuaffinity    placement::affinity;
    68 setnodeaffinity    placement::set_node_affinity;
    69 getnodeaffinity    placement::node_affinity;

    // What the processor looks like; its clock.
    59 gettscinfo           crate::time::tsc::info;
    60 settscinfo           crate::time::tsc::set_info;
    82 get_cpu_policy       crate::cpu_policy::control::get_policy;
    83 set_cpu_policy       crate::cpu_policy::control::set_policy;

    // vCPUs: their state.
    10 shadow_op              log_dirty::shadow_op;
    12 setvcpucontext         context::set;
    13 getvcpucontext         context::get;
    42 set_ext_vcpucontext    extended::set;
    43 get_ext_vcpucontext    extended::get;
    61 getpageframeinfo3      pageframe::info;
    62 setvcpuextstate        extended::set_xstate;
    63 getvcpuextstate        extended::get_xstate;
    72 get_vcpu_msrs          extended::get_msrs;
    73 set_vcpu_msrs          extended::set_msrs;

    // Hardware-virtualised domains.
    33 gethvmcontext           hvm::context;
    34 sethvmcontext           hvm::set_context;
    55 gethvmcontext_partial   hvm::context_part;
    85 get_paging_mempool_size hvm::pool_size;
    86 set_paging_mempool_size hvm::set_pool_size;

    // Devices.
    19 irq_permission         permission::irq;
    20 iomem_permission       permission::iomem;
    21 ioport_permission      permission::ioport;
    38 bind_pt_irq            unsupported::pt_irq;
    39 memory_mapping         permission::memory_mapping;
    40 ioport_mapping         unsupported::ioport_mapping;
    48 unbind_pt_irq          unsupported::pt_irq;
    88 gsi_permission         permission::gsi;

}

/// The hypercall. Errors: `EFAULT`; `EACCES` for another version of the interface; `EPERM`
/// without privilege; `ENOSYS`; the command's own.
pub fn call(cx: &mut Cx, [arg]: [u64; 1]) -> HyperResult {
    let ptr = GuestPtr::<Domctl>::new(arg);
    let op = cx.copy_in(ptr)?;
    let version = version::find_domctl(op.cmd, op.interface_version)?;
    // The Xenstore has to know who is there.
    if [XEN_DOMCTL_getdomaininfo, XEN_DOMCTL_get_domain_state].contains(&op.cmd) {
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
