//! Event channels.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::Cpu;
use xen_abi::Errno;

use crate::domain::{Domain, Vcpu};

/// A domain's event channels.
pub struct EventState {}

impl EventState {
    /// No channel. Errors: `ENOMEM`.
    pub fn new(_max_vcpus: u32) -> Result<EventState, Errno> {
        Ok(EventState {})
    }
}

/// A vCPU's part in event delivery.
#[derive(Default)]
pub struct VcpuEvents {}

/// The `event_channel_op` hypercall.
pub fn call(_cx: &mut Cx, [_cmd, _arg]: [u64; 2]) -> HyperResult {
    Err(Fail::Errno(Errno::ENOSYS))
}

/// Raises a virtual interrupt that each vCPU has for itself.
pub fn send_virq(_hv: &Hypervisor, _cpu: &Cpu, _dom: &Domain, _vcpu: &Vcpu, _virq: u32) {}

/// Raises a virtual interrupt that a domain has once.
pub fn send_global_virq(_hv: &Hypervisor, _cpu: &Cpu, _dom: &Domain, _virq: u32) {}

/// Raises a physical interrupt bound to an event channel; `false` when it is bound to none.
pub fn send_pirq(_hv: &Hypervisor, _cpu: &Cpu, _dom: &Domain, _pirq: u32) -> bool {
    false
}

/// A vCPU's `vcpu_info` now lies elsewhere: whatever is pending is announced there again.
pub fn vcpu_info_moved(_hv: &Hypervisor, _cpu: &Cpu, _dom: &Domain, _vcpu: &Arc<Vcpu>) {}

/// Whether an event waits at a port, masked or not. Errors: `EINVAL` for a port beyond the
/// domain's.
pub fn port_pending(_dom: &Domain, _port: u32) -> Result<bool, Errno> {
    Ok(false)
}
