//! Making ports pending: the paths by which events travel.
//!
//! No allocation and, in the two-level form, no lock but that of the list of domains, which is
//! not needed for events within a domain.

use super::channel::{Binding, Channel, Word};
use super::{fifo, two_level};
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::Cpu;
use xen_abi::Errno;
use xen_abi::event_channel::{EvtchnPort, EvtchnSend};
use xen_abi::shared_info::VCPU_INFO_UPCALL_PENDING;

/// What came of making a port pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// It was not pending before.
    pub fresh: bool,
    /// The vCPU's upcall flag was set by this.
    pub upcall: bool,
}

impl Raised {
    /// Nothing changed.
    pub const NOTHING: Raised = Raised {
        fresh: false,
        upcall: false,
    };
}

/// Sets the vCPU's upcall flag; whether it was clear.
#[inline]
pub fn raise_upcall(vcpu: &Vcpu) -> bool {
    let flag = vcpu
        .info()
        .and_then(|info| info.byte(VCPU_INFO_UPCALL_PENDING));
    flag.is_some_and(|flag| flag.swap(1, Ordering::SeqCst) == 0)
}

/// Makes `port` pending, whose channel is `channel` and was `word` when it was looked at.
#[inline]
pub fn deliver(
    hv: &Hypervisor,
    cpu: &Cpu,
    dom: &Domain,
    port: EvtchnPort,
    channel: &Channel,
    word: Word,
) {
    let Some(vcpu) = dom.vcpu(word.vcpu()) else {
        return;
    };
    let raised = if dom.events.is_fifo() {
        fifo::set_pending(dom, vcpu, port, channel, word)
    } else {
        two_level::set_pending(dom, vcpu, port)
    };
    if raised.upcall {
        hv.sched.notify(cpu, dom, vcpu);
    }
    if raised.fresh && dom.pollers.load(Ordering::SeqCst) != 0 {
        crate::sched::wake_pollers(hv, cpu, dom, port);
    }
}

/// `EVTCHNOP_send`.
#[inline]
pub fn send_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnSend = cx.copy_in(GuestPtr::new(arg))?;
    send(cx.hv, cx.cpu, cx.dom, arg.port)?;
    Ok(0)
}

/// Signals the other end of the domain's `port`. Errors: `EINVAL` for a port that cannot send.
#[inline]
pub fn send(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, port: EvtchnPort) -> Result<(), Errno> {
    let channel = dom.events.table.get(port).ok_or(Errno::EINVAL)?;
    let word = channel.get();
    match word.binding() {
        Binding::Interdomain(remote, to) if remote == dom.id => arrive(hv, cpu, dom, to, dom, port),
        Binding::Interdomain(remote, to) => {
            // A domain that is going away takes no events.
            if let Some(remote) = hv.domains.get(remote) {
                arrive(hv, cpu, &remote, to, dom, port);
            }
        }
        Binding::Ipi => deliver(hv, cpu, dom, port, channel, word),
        // Nobody is there yet, or any more.
        Binding::Unbound(_) => {}
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// An event of `from`'s port `from_port` comes to `dom`'s `port`.
#[inline]
fn arrive(
    hv: &Hypervisor,
    cpu: &Cpu,
    dom: &Domain,
    port: EvtchnPort,
    from: &Domain,
    from_port: EvtchnPort,
) {
    let Some(channel) = dom.events.table.get(port) else {
        return;
    };
    let word = channel.get();
    if word.binding() == Binding::Interdomain(from.id, from_port) {
        deliver(hv, cpu, dom, port, channel, word);
    }
}

/// Raises a virtual interrupt that each vCPU has for itself.
pub fn send_virq(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, vcpu: &Vcpu, virq: u32) {
    let Some(slot) = vcpu.events.virqs.get(virq as usize) else {
        return;
    };
    let port = slot.load(Ordering::Acquire);
    let Some(channel) = dom.events.table.get(port) else {
        return;
    };
    let word = channel.get();
    if word.binding() == Binding::Virq(virq) {
        deliver(hv, cpu, dom, port, channel, word);
    }
}

/// Raises a virtual interrupt that a domain has once.
pub fn send_global_virq(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, virq: u32) {
    // Such a one is always bound at vCPU 0, whoever it notifies.
    if let Some(vcpu) = dom.vcpu(0) {
        send_virq(hv, cpu, dom, vcpu, virq);
    }
}

/// Whether `dom` is told of `virq`, which the machine has once.
pub fn handles(hv: &Hypervisor, dom: &Domain, virq: u32) -> bool {
    hv.virq_handlers.lock().get(virq as usize) == Some(&dom.id)
}

/// Raises a virtual interrupt that the machine has once, at the domain that handles it.
pub fn notify_virq(hv: &Hypervisor, cpu: &Cpu, virq: u32) {
    let handler = hv.virq_handlers.lock().get(virq as usize).copied();
    if let Some(dom) = handler.and_then(|id| hv.domains.get(id)) {
        send_global_virq(hv, cpu, &dom, virq);
    }
}

/// Raises a physical interrupt bound to an event channel; `false` when it is bound to none.
pub fn send_pirq(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, pirq: u32) -> bool {
    let Some(port) = super::pirq_port(dom, pirq) else {
        return false;
    };
    let Some(channel) = dom.events.table.get(port) else {
        return false;
    };
    let word = channel.get();
    if word.binding() != Binding::Pirq(pirq) {
        return false;
    }
    deliver(hv, cpu, dom, port, channel, word);
    true
}

/// The vCPU has its `vcpu_info` at a new place: makes it look at everything once, since events
/// may have been raised at the old one.
pub fn vcpu_info_moved(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
    let Some(info) = vcpu.info() else { return };
    let offsets = dom.shared_offsets();
    for word in 0..offsets.word_bits as usize / 32 {
        if let Some(selector) = info.u32(offsets.pending_sel + word * 4) {
            selector.store(u32::MAX, Ordering::SeqCst);
        }
    }
    if let Some(flag) = info.byte(VCPU_INFO_UPCALL_PENDING) {
        flag.store(1, Ordering::SeqCst);
    }
    hv.sched.notify(cpu, dom, vcpu);
}

/// Whether `port` is pending, for `SCHEDOP_poll`. Errors: `EINVAL` for a port that is not there.
pub fn port_pending(dom: &Domain, port: EvtchnPort) -> Result<bool, Errno> {
    // Port 0 is nobody's.
    let channel = dom.events.table.get(port).filter(|_| port != 0);
    let channel = channel.ok_or(Errno::EINVAL)?;
    Ok(if dom.events.is_fifo() {
        fifo::is_pending(dom, channel, port)
    } else {
        two_level::is_pending(dom, port)
    })
}

/// Unmasks `port` and delivers what is pending. Errors: `EINVAL` for a port that is not there.
pub fn unmask(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, port: EvtchnPort) -> Result<(), Errno> {
    let channel = dom.events.table.get(port).ok_or(Errno::EINVAL)?;
    let word = channel.get();
    let Some(vcpu) = dom.vcpu(word.vcpu()) else {
        return Ok(());
    };
    let raised = if dom.events.is_fifo() {
        fifo::unmask(dom, vcpu, port, channel, word)
    } else {
        two_level::unmask(dom, vcpu, port)
    };
    if raised.upcall {
        hv.sched.notify(cpu, dom, vcpu);
    }
    Ok(())
}
