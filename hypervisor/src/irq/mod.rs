//! Host interrupts and who they belong to.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::Cpu;
use xen_abi::Errno;

/// Routing of the host's interrupts.
#[derive(Default)]
pub struct Irqs {}

/// A domain's physical interrupts and the ports and memory it may use.
pub struct DomainIrqs {
    all: bool,
}

impl DomainIrqs {
    /// Everything for the control domain, nothing for others. Errors: `ENOMEM`.
    pub fn new(privileged: bool) -> Result<DomainIrqs, Errno> {
        Ok(DomainIrqs { all: privileged })
    }

    /// Whether the domain may use I/O ports `port` to `port + bytes - 1`.
    pub fn port_allowed(&self, _port: u16, _bytes: u8) -> bool {
        self.all
    }

    /// Whether the domain may map `mfn`, which is not RAM.
    pub fn iomem_allowed(&self, _mfn: u64) -> bool {
        self.all
    }
}

/// A device's interrupt came to this CPU: ends it at the controller and hands it on.
pub fn handle(_hv: &Hypervisor, cpu: &mut Cpu, _vector: u8) {
    use machine::CpuApi;
    cpu.eoi();
}

/// The `physdev_op` hypercall.
pub fn physdev_op(_cx: &mut Cx, [_cmd, _arg]: [u64; 2]) -> HyperResult {
    Err(Fail::Errno(Errno::ENOSYS))
}

/// A domain bound a physical interrupt to an event channel: it may come from now on.
/// Errors: `EPERM`, `EINVAL`, `EBUSY`.
pub fn pirq_bound(
    _hv: &Hypervisor,
    _cpu: &mut Cpu,
    _dom: &Arc<Domain>,
    _pirq: u32,
    _share: bool,
) -> Result<(), Errno> {
    Ok(())
}

/// The port of a physical interrupt is being closed. Nothing happens when it was not bound.
pub fn pirq_unbound(_hv: &Hypervisor, _cpu: &mut Cpu, _dom: &Arc<Domain>, _pirq: u32) {}
