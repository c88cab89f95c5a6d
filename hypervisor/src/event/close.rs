//! Closing ports: one, all of a domain's at its wish, all of a domain that goes away.

use super::bind::release_pirq;
use super::channel::Binding;
use super::two_level;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::lock::lock_pair;
use machine::{Cpu, CpuApi};
use xen_abi::event_channel::*;
use xen_abi::{DomId, Errno};

/// `EVTCHNOP_close`.
pub fn close_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnClose = cx.copy_in(GuestPtr::new(arg))?;
    close(cx.hv, cx.cpu, cx.dom, arg.port)?;
    Ok(0)
}

/// Closes a port; the other end of a channel between domains waits for a new binding from
/// then on. Errors: `EINVAL` for a port that is not in use.
pub fn close(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    port: EvtchnPort,
) -> Result<(), Errno> {
    let channel = dom.events.table.get(port).ok_or(Errno::EINVAL)?;
    // Without the lock the binding can change between the look and the deed; only the
    // domain's other vCPUs, or its peer, can do that, and not for ever.
    for _ in 0..8 {
        let binding = channel.get().binding();
        let closed = match binding {
            Binding::Free | Binding::Reserved => return Err(Errno::EINVAL),
            Binding::Interdomain(remote, remote_port) => {
                close_interdomain(hv, dom, port, remote, remote_port)
            }
            Binding::Pirq(pirq) => {
                crate::irq::pirq_unbound(hv, cpu, dom, pirq);
                release_pirq(dom, pirq, port);
                true
            }
            Binding::Unbound(_) | Binding::Virq(_) | Binding::Ipi => {
                close_local(dom, port, binding)
            }
        };
        if closed {
            return Ok(());
        }
    }
    Err(Errno::EINVAL)
}

/// Closes a port that no other domain's is bound to; `false` when it is not `binding` any more.
fn close_local(dom: &Domain, port: EvtchnPort, binding: Binding) -> bool {
    let mut ports = dom.events.ports.lock();
    let Some(channel) = dom.events.table.get(port) else {
        return false;
    };
    let word = channel.get();
    if word.binding() != binding {
        return false;
    }
    if let Binding::Virq(virq) = binding {
        // Bound at the vCPU that it notifies, or at vCPU 0 if the domain has it once.
        let at = if super::bind::virq_is_per_vcpu(virq) {
            word.vcpu()
        } else {
            0
        };
        let slot = dom
            .vcpu(at)
            .and_then(|vcpu| vcpu.events.virqs.get(virq as usize));
        if let Some(slot) = slot {
            slot.store(0, Ordering::Release);
        }
    }
    ports.free(dom, port);
    true
}

/// Closes one end of a channel between domains; `false` when it is not that any more.
fn close_interdomain(
    hv: &Hypervisor,
    dom: &Arc<Domain>,
    port: EvtchnPort,
    remote: DomId,
    remote_port: EvtchnPort,
) -> bool {
    let here = Binding::Interdomain(remote, remote_port);
    let remote = if remote == dom.id {
        Some(dom.clone())
    } else {
        hv.domains.any(remote.into())
    };
    let Some(remote) = remote else {
        return close_local(dom, port, here);
    };
    let (mut ports, _remote_ports) = lock_pair(&dom.events.ports, &remote.events.ports);
    if dom
        .events
        .table
        .get(port)
        .is_none_or(|channel| channel.get().binding() != here)
    {
        return false;
    }
    if let Some(other) = remote.events.table.get(remote_port) {
        let word = other.get();
        if word.binding() == Binding::Interdomain(dom.id, port) {
            other.set(word.rebound(Binding::Unbound(dom.id)));
        }
    }
    ports.free(dom, port);
    true
}

/// Closes ports in order, from where the last call stopped; `false` when there are more.
fn close_some(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>) -> bool {
    let mut port = dom.events.ports.lock().cursor;
    let mut done = 0u32;
    loop {
        // A port that is not in use is no error here.
        let _ = close(hv, cpu, dom, port);
        done += 1;
        match dom.events.table.next(port) {
            None => break,
            Some(next) => port = next,
        }
        if done.is_multiple_of(64) && cpu.work_pending() {
            dom.events.ports.lock().cursor = port;
            return false;
        }
    }
    let mut ports = dom.events.ports.lock();
    ports.cursor = 1;
    if ports.array.take().is_some() {
        for vcpu in dom.all_vcpus() {
            *vcpu.events.fifo.lock() = None;
        }
        dom.events.set_fifo(false);
        for port in 0..xen_abi::xen::EVTCHN_2L_NR_CHANNELS {
            two_level::clear_pending(dom, port);
        }
    }
    true
}

/// `EVTCHNOP_reset`.
pub fn reset_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnReset = cx.copy_in(GuestPtr::new(arg))?;
    let dom = cx.resolve(arg.dom)?;
    // Another domain's channels are only closed while it is kept from using them.
    if dom.id != cx.dom.id && dom.pause_count.load(Ordering::SeqCst) == 0 {
        return Err(Errno::EINVAL.into());
    }
    if close_some(cx.hv, cx.cpu, &dom) {
        Ok(0)
    } else {
        Err(Fail::Restart)
    }
}

/// `EVTCHNOP_reset_cont`: how Xen continues a reset, which no caller has to do here: a reset
/// that was interrupted is made again as it is. Errors: `ESRCH`, `EPERM`; `EBUSY`, as there is
/// nothing to continue.
pub fn reset_cont_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnReset = cx.copy_in(GuestPtr::new(arg))?;
    cx.resolve(arg.dom)?;
    Err(Errno::EBUSY.into())
}

/// Closes everything of a domain that goes away, whose vCPUs do not run any more. `false`
/// when it stopped to make room for other work: call again.
pub fn destroy(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>) -> bool {
    dom.events.ports.lock().dead = true;
    close_some(hv, cpu, dom)
}
