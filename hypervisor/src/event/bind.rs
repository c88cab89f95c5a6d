//! The operations that give out a port and bind it.

use super::channel::{Binding, Word};
use super::send;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use core::sync::atomic::Ordering;
use machine::lock::lock_pair;
use xen_abi::event_channel::*;
use xen_abi::xen::*;
use xen_abi::{DomId, Errno};

/// Gives out a port of `dom` that waits for `remote` to bind to it. Errors: `ENOSPC`, `ENOMEM`.
pub fn alloc_unbound(dom: &Domain, remote: DomId) -> Result<EvtchnPort, Errno> {
    dom.events
        .ports
        .lock()
        .allocate(dom, Word::new(Binding::Unbound(remote), 0))
}

/// `EVTCHNOP_alloc_unbound`.
pub fn alloc_unbound_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnAllocUnbound>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let dom = cx.resolve(arg.dom)?;
    let remote = if arg.remote_dom == DOMID_SELF {
        cx.dom.id
    } else {
        arg.remote_dom
    };
    cx.hv.xsm.wait(cx.hv, &dom, remote)?;
    arg.port = alloc_unbound(&dom, remote)?;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// `EVTCHNOP_bind_interdomain`.
pub fn interdomain_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnBindInterdomain>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let remote = cx.resolve_any(arg.remote_dom)?;
    cx.hv.xsm.bind(cx.dom, &remote)?;
    arg.local_port = bind_interdomain(cx.dom, &remote, arg.remote_port)?;
    // The other end may have signalled before it was bound.
    if let Some(channel) = cx.dom.events.table.get(arg.local_port) {
        send::deliver(
            cx.hv,
            cx.cpu,
            cx.dom,
            arg.local_port,
            channel,
            channel.get(),
        );
    }
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// Binds a fresh port of `dom` to `remote`'s unbound port. Errors: `EINVAL` when that does not
/// wait for this domain; `ENOSPC`, `ENOMEM`.
fn bind_interdomain(
    dom: &Domain,
    remote: &Domain,
    remote_port: EvtchnPort,
) -> Result<EvtchnPort, Errno> {
    let (mut ports, remote_ports) = lock_pair(&dom.events.ports, &remote.events.ports);
    let gone = remote_ports.as_ref().map_or(ports.dead, |ports| ports.dead);
    let other = remote
        .events
        .table
        .get(remote_port)
        .filter(|_| !gone)
        .ok_or(Errno::EINVAL)?;
    if other.get().binding() != Binding::Unbound(dom.id) {
        return Err(Errno::EINVAL);
    }
    let to = Binding::Interdomain(remote.id, remote_port);
    let port = ports.allocate(dom, Word::new(to, 0))?;
    other.set(other.get().rebound(Binding::Interdomain(dom.id, port)));
    Ok(port)
}

/// Whether each vCPU has the virtual interrupt for itself.
pub fn virq_is_per_vcpu(virq: u32) -> bool {
    matches!(virq, VIRQ_TIMER | VIRQ_DEBUG | VIRQ_XENOPROF | VIRQ_XENPMU)
}

/// `EVTCHNOP_bind_virq`.
pub fn virq_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnBindVirq>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    if arg.virq >= NR_VIRQS || (!virq_is_per_vcpu(arg.virq) && arg.vcpu != 0) {
        return Err(Errno::EINVAL.into());
    }
    let vcpu = cx.dom.vcpu(arg.vcpu).ok_or(Errno::ENOENT)?;
    let slot = vcpu
        .events
        .virqs
        .get(arg.virq as usize)
        .ok_or(Errno::EINVAL)?;
    let mut ports = cx.dom.events.ports.lock();
    if slot.load(Ordering::Relaxed) != 0 {
        return Err(Errno::EEXIST.into());
    }
    arg.port = ports.allocate(cx.dom, Word::new(Binding::Virq(arg.virq), vcpu.id))?;
    slot.store(arg.port, Ordering::Release);
    drop(ports);
    if arg.virq == VIRQ_DOM_EXC && send::handles(cx.hv, cx.dom, arg.virq) {
        cx.hv.changes.begin(&cx.hv.domains);
    }
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// `EVTCHNOP_bind_ipi`.
pub fn ipi_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnBindIpi>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let vcpu = cx.dom.vcpu(arg.vcpu).ok_or(Errno::ENOENT)?.id;
    arg.port = cx
        .dom
        .events
        .ports
        .lock()
        .allocate(cx.dom, Word::new(Binding::Ipi, vcpu))?;
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// `EVTCHNOP_bind_pirq`.
pub fn pirq_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnBindPirq>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let slot = cx.dom.events.pirqs.grow(arg.pirq)?;
    if !crate::irq::pirq_permitted(cx.dom, arg.pirq) {
        return Err(Errno::EPERM.into());
    }
    let mut ports = cx.dom.events.ports.lock();
    if slot.load(Ordering::Relaxed) != 0 {
        return Err(Errno::EEXIST.into());
    }
    arg.port = ports.allocate(cx.dom, Word::new(Binding::Pirq(arg.pirq), 0))?;
    slot.store(arg.port, Ordering::Release);
    drop(ports);
    // In this order an interrupt that comes at once finds its port.
    let share = arg.flags & BIND_PIRQ__WILL_SHARE != 0;
    if let Err(errno) = crate::irq::pirq_bound(cx.hv, cx.cpu, cx.dom, arg.pirq, share) {
        release_pirq(cx.dom, arg.pirq, arg.port);
        return Err(errno.into());
    }
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// Frees the port of a physical interrupt, if it still is that.
pub fn release_pirq(dom: &Domain, pirq: u32, port: EvtchnPort) {
    let mut ports = dom.events.ports.lock();
    let Some(channel) = dom.events.table.get(port) else {
        return;
    };
    if channel.get().binding() != Binding::Pirq(pirq) {
        return;
    }
    if let Some(slot) = dom.events.pirqs.get(pirq) {
        slot.store(0, Ordering::Release);
    }
    ports.free(dom, port);
}
