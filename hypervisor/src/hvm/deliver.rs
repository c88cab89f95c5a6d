//! Interrupts for the guest, before each entry.
//!
//! In order: what was on its way when the guest was left; an NMI; the event upcall by the
//! domain's callback vector, as long as the upcall flag stands; what the local APIC has. When
//! the guest cannot take it now, the processor is asked to say when it can.

use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use core::sync::atomic::Ordering;
use machine::CpuApi;
use machine::hvm::{Event, EventKind, HvmApi};
use machine::regs::rflags;
use xen_abi::hvm::{
    HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CALLBACK_IRQ_TYPE_MASK, HVM_PARAM_CALLBACK_TYPE_VECTOR,
};

/// The domain's callback vector, if it has one.
fn callback(dom: &Domain) -> Option<u8> {
    let via = dom.hvm.get()?.param(HVM_PARAM_CALLBACK_IRQ)?;
    let via = via.load(Ordering::Relaxed);
    (via & HVM_PARAM_CALLBACK_IRQ_TYPE_MASK == HVM_PARAM_CALLBACK_TYPE_VECTOR << 56)
        .then_some(via as u8)
}

/// The interrupt that event upcalls are just now; a vector of the vCPU's own comes besides.
fn upcall(dom: &Domain, vcpu: &Vcpu) -> Option<u8> {
    if !vcpu.upcall_pending() {
        return None;
    }
    callback(dom)
}

/// Injects what waits, or asks for the moment when that can be.
#[inline(always)]
pub fn deliver(cx: &mut Cx) {
    let pending = cx.vcpu.upcall_pending();
    let Some(hvm) = &mut cx.st.hvm else { return };
    if pending || hvm.look || cx.vcpu.posted.any() || cx.vcpu.nmi_pending.load(Ordering::Relaxed) {
        inject(cx);
    }
}

fn inject(cx: &mut Cx) {
    let Some(hvm) = &mut cx.st.hvm else { return };
    cx.vcpu.posted.take(|vector, level| {
        hvm.lapic.request(vector, level);
    });
    if let Some(value) = hvm.lapic.unknown_deadline() {
        let due = super::counter_at(cx.cpu, cx.dom, cx.vcpu, value);
        hvm.lapic.set_due(due);
        super::mmio::arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
    }
    let now = cx.cpu.now();
    if hvm.lapic.deadline().is_some_and(|due| due <= now) {
        let _ = hvm.lapic.tick(now);
        super::mmio::arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
    }
    let own = cx.vcpu.posted.upcall_vector.load(Ordering::Relaxed);
    // As long as the flag stands, so that none is missed.
    if own != 0 && cx.vcpu.upcall_pending() && !hvm.lapic.is_active(own) {
        hvm.lapic.request(own, false);
    }
    let upcall = upcall(cx.dom, cx.vcpu);
    let lapic = hvm.lapic.pending();
    let nmi = cx.vcpu.nmi_pending.load(Ordering::Relaxed);
    hvm.look = lapic.is_some();
    if upcall.is_none() && lapic.is_none() && !nmi {
        hvm.state.set_window(false);
        return;
    }
    let open = cx.cpu.regs().rflags & rflags::IF != 0 && !hvm.state.shadow();
    if hvm.state.event().is_some() || !open && !nmi {
        hvm.state.set_window(true);
        return;
    }
    if nmi && !hvm.state.shadow() {
        cx.vcpu.nmi_pending.store(false, Ordering::Relaxed);
        hvm.state.set_event(Some(Event {
            kind: EventKind::Nmi,
            vector: 2,
            error: None,
        }));
        hvm.state.set_window(upcall.is_some() || lapic.is_some());
        return;
    }
    if !open {
        return hvm.state.set_window(true);
    }
    let vector = match (upcall, lapic) {
        (Some(vector), _) => vector,
        (None, Some(vector)) => {
            hvm.lapic.accept(vector);
            vector
        }
        (None, None) => return,
    };
    hvm.state.set_event(Some(Event::interrupt(vector)));
    // Once more after it: there may be another.
    hvm.look = true;
    hvm.state.set_window(false);
}

/// Whether a vCPU that waits has something to wake up for.
pub fn has_work(cx: &mut Cx) -> bool {
    let Some(hvm) = &mut cx.st.hvm else {
        return true;
    };
    let now = cx.cpu.now();
    cx.vcpu.posted.any()
        || cx.vcpu.nmi_pending.load(Ordering::SeqCst)
        || hvm.lapic.pending().is_some()
        || hvm.lapic.deadline().is_some_and(|due| due <= now)
        || cx.vcpu.upcall_pending()
            && (callback(cx.dom).is_some()
                || cx.vcpu.posted.upcall_vector.load(Ordering::Relaxed) != 0)
}
