//! The operations that look at a port or change whom it notifies.

use super::bind::virq_is_per_vcpu;
use super::channel::Binding;
use super::send;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::event_channel::*;
use xen_abi::forms::Payload;

/// `EVTCHNOP_status`.
pub fn status_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let ptr = GuestPtr::<EvtchnStatus>::new(arg);
    let mut arg = cx.copy_in(ptr)?;
    let dom = cx.resolve(arg.dom)?;
    let word = dom.events.table.get(arg.port).ok_or(Errno::EINVAL)?.get();
    arg.status = match word.binding() {
        Binding::Free | Binding::Reserved => EVTCHNSTAT_closed,
        Binding::Unbound(dom) => {
            arg.set_arm(&EvtchnStatusUnbound { dom });
            EVTCHNSTAT_unbound
        }
        Binding::Interdomain(dom, port) => {
            arg.set_arm(&EvtchnStatusInterdomain {
                dom,
                port,
                ..Default::default()
            });
            EVTCHNSTAT_interdomain
        }
        Binding::Pirq(pirq) => {
            arg.set_arm(&pirq);
            EVTCHNSTAT_pirq
        }
        Binding::Virq(virq) => {
            arg.set_arm(&virq);
            EVTCHNSTAT_virq
        }
        Binding::Ipi => EVTCHNSTAT_ipi,
    };
    arg.vcpu = word.vcpu();
    cx.copy_out(ptr, &arg)?;
    Ok(0)
}

/// `EVTCHNOP_bind_vcpu`.
pub fn bind_vcpu_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnBindVcpu = cx.copy_in(GuestPtr::new(arg))?;
    let vcpu = cx.dom.vcpu(arg.vcpu).ok_or(Errno::ENOENT)?.id;
    let ports = cx.dom.events.ports.lock();
    let channel = cx.dom.events.table.get(arg.port).ok_or(Errno::EINVAL)?;
    let word = channel.get();
    match word.binding() {
        Binding::Unbound(_) | Binding::Interdomain(..) | Binding::Pirq(_) => {}
        Binding::Virq(virq) if !virq_is_per_vcpu(virq) => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    channel.set(word.with_vcpu(vcpu));
    drop(ports);
    if let Binding::Pirq(pirq) = word.binding() {
        crate::irq::pirq_moved(cx.hv, cx.cpu, cx.dom, pirq, vcpu);
    }
    Ok(0)
}

/// `EVTCHNOP_unmask`.
pub fn unmask_op(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: EvtchnUnmask = cx.copy_in(GuestPtr::new(arg))?;
    send::unmask(cx.hv, cx.cpu, cx.dom, arg.port)?;
    Ok(0)
}
