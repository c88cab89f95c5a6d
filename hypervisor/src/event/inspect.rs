//! A look at a domain's channels from outside, for whoever checks that they hang together.

use super::channel::Binding;
use crate::domain::{Domain, Vcpu};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::Page;
use xen_abi::event_channel::EvtchnPort;

/// A port in use: its number, what it is bound to, the vCPU that it notifies.
pub type Use = (EvtchnPort, Binding, u32);

/// All ports of a domain that are in use.
pub fn ports(dom: &Domain) -> Vec<Use> {
    let table = &dom.events.table;
    let mut found = Vec::new();
    let mut port = Some(0);
    while let Some(at) = port {
        if let Some(channel) = table.get(at) {
            let word = channel.get();
            if !matches!(word.binding(), Binding::Free | Binding::Reserved) {
                found.push((at, word.binding(), word.vcpu()));
            }
        }
        port = table.next(at);
    }
    found
}

/// The port that `vcpu` has for a virtual interrupt; 0 for none.
pub fn virq_port(vcpu: &Vcpu, virq: u32) -> EvtchnPort {
    let slot = vcpu.events.virqs.get(virq as usize);
    slot.map_or(0, |slot| slot.load(Ordering::Relaxed))
}

/// Calls `each` with the frames of the domain's that are written for FIFO events.
pub fn each_frame(dom: &Domain, mut each: impl FnMut(&Page)) {
    if let Some(array) = &dom.events.ports.lock().array {
        array.each_frame(&mut each);
    }
    for vcpu in dom.all_vcpus() {
        let queues = vcpu.events.fifo.lock();
        if let Some(page) = queues.as_ref().and_then(|queues| queues.control_page()) {
            each(page);
        }
    }
}
