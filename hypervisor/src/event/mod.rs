//! Event channels: how a domain is told that something happened.
//!
//! Each domain has a table of ports ([`table`]); a port's channel is a word that says what it
//! is bound to ([`channel`]). Sending reads words without a lock ([`send`]); bindings change
//! under the lock of the domain's ports, or of both domains' ([`ports`], [`bind`], [`close`]).
//! An event is delivered in the two-level form ([`two_level`]) or, once the domain has asked
//! for it, in the FIFO form ([`fifo`], [`control`]).

#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

mod bind;
mod channel;
mod close;
mod control;
mod dump;
mod fifo;
pub mod inspect;
mod ops;
mod page;
mod ports;
mod send;
mod table;
mod two_level;

#[cfg(test)]
mod tests;

pub use bind::alloc_unbound;
pub use channel::Binding;
pub use close::{close, destroy};
pub use dump::dump;
pub use page::WritablePage;
pub use ports::{EventState, VcpuEvents};
pub use send::{
    handles, notify_virq, port_pending, send, send_global_virq, send_pirq, send_virq, unmask,
    vcpu_info_moved,
};

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::event_channel::*;

/// The `event_channel_op` hypercall.
#[inline]
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    match cmd as u32 {
        EVTCHNOP_send => send::send_op(cx, arg),
        EVTCHNOP_unmask => ops::unmask_op(cx, arg),
        EVTCHNOP_alloc_unbound => bind::alloc_unbound_op(cx, arg),
        EVTCHNOP_bind_interdomain => bind::interdomain_op(cx, arg),
        EVTCHNOP_bind_virq => bind::virq_op(cx, arg),
        EVTCHNOP_bind_ipi => bind::ipi_op(cx, arg),
        EVTCHNOP_bind_pirq => bind::pirq_op(cx, arg),
        EVTCHNOP_close => close::close_op(cx, arg),
        EVTCHNOP_status => ops::status_op(cx, arg),
        EVTCHNOP_bind_vcpu => ops::bind_vcpu_op(cx, arg),
        EVTCHNOP_reset => close::reset_op(cx, arg),
        EVTCHNOP_reset_cont => close::reset_cont_op(cx, arg),
        EVTCHNOP_init_control => control::init_control_op(cx, arg),
        EVTCHNOP_expand_array => control::expand_array_op(cx, arg),
        EVTCHNOP_set_priority => control::set_priority_op(cx, arg),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// The port that a physical interrupt is bound to.
pub fn pirq_port(dom: &Domain, pirq: u32) -> Option<EvtchnPort> {
    let port = dom.events.pirqs.get(pirq)?.load(Ordering::Acquire);
    (port != 0).then_some(port)
}
