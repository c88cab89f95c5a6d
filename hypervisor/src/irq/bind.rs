//! Binding of lines to domains' event channels.

use super::table::is_hosts;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::Cpu;
use xen_abi::Errno;

use super::line::Source;

/// A domain bound a physical interrupt to an event channel: it may come from now on.
/// Errors: `EPERM` for an interrupt that it may not have; `EINVAL` for a number that it did not
/// map; `EBUSY` for the host's own, and one that somebody else has and does not share;
/// `ENOSPC` when no vector is left; `ENOMEM`.
pub fn pirq_bound(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    pirq: u32,
    share: bool,
) -> Result<(), Errno> {
    let number = dom.irqs.line_of(pirq).ok_or(Errno::EINVAL)?;
    if !dom.irqs.line_allowed(number) {
        return Err(Errno::EPERM);
    }
    let level = {
        let mut line = hv.irqs.line(number).ok_or(Errno::EINVAL)?.lock();
        if let Source::Gsi(gsi) = line.source
            && is_hosts(gsi)
        {
            return Err(Errno::EBUSY);
        }
        line.place(&hv.irqs.vectors, number, cpu_of(dom, 0))?;
        line.bind(dom, pirq, share)?;
        line.program(hv, cpu);
        line.level
    };
    dom.irqs.set_needs_eoi(pirq, level);
    Ok(())
}

/// The port of a physical interrupt is being closed. Nothing happens when it was not bound.
pub fn pirq_unbound(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, pirq: u32) {
    if let Some(line) = dom.irqs.line_of(pirq).and_then(|n| hv.irqs.line(n)) {
        line.lock().unbind(hv, cpu, dom.id, pirq);
    }
}

/// The port of a physical interrupt notifies another vCPU now: the interrupt goes to its CPU.
pub fn pirq_moved(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, pirq: u32, vcpu: u32) {
    let to = cpu_of(dom, vcpu);
    let Some(number) = dom.irqs.line_of(pirq) else {
        return;
    };
    if let Some(line) = hv.irqs.line(number) {
        line.lock().move_to(hv, cpu, number, to);
    }
}

/// Takes all interrupts from a domain that goes away.
pub fn destroy(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>) {
    for pirq in 0..hv.irqs.count() {
        super::map::unmap(hv, cpu, dom, pirq);
    }
    dom.irqs.drop_eoi_map();
}

/// The CPU that a vCPU belongs to.
pub fn cpu_of(dom: &Domain, vcpu: u32) -> u32 {
    dom.vcpu(vcpu)
        .map_or(0, |vcpu| vcpu.sched.cpu.load(Ordering::Relaxed))
}

/// Whether a domain mapped its number `pirq`, to a line that it may have.
pub fn pirq_permitted(dom: &Domain, pirq: u32) -> bool {
    let number = dom.irqs.line_of(pirq);
    number.is_some_and(|number| dom.irqs.line_allowed(number))
}
