//! `event_channel_op`.

use super::kind::Kind::*;
use super::{Shape, fields};
use xen_abi::event_channel::*;

pub const EVENTS: &[Shape] = &[
    (
        EVTCHNOP_bind_interdomain,
        fields!(EvtchnBindInterdomain {
            remote_dom: Domid,
            remote_port: Port
        }),
    ),
    (
        EVTCHNOP_bind_virq,
        fields!(EvtchnBindVirq {
            virq: Below(24),
            vcpu: Vcpu
        }),
    ),
    (
        EVTCHNOP_bind_pirq,
        fields!(EvtchnBindPirq {
            pirq: Below(40),
            flags: Below(2)
        }),
    ),
    (EVTCHNOP_close, fields!(EvtchnClose { port: Port })),
    (EVTCHNOP_send, fields!(EvtchnSend { port: Port })),
    (
        EVTCHNOP_status,
        fields!(EvtchnStatus {
            dom: Domid,
            port: Port
        }),
    ),
    (
        EVTCHNOP_alloc_unbound,
        fields!(EvtchnAllocUnbound {
            dom: Domid,
            remote_dom: Domid
        }),
    ),
    (EVTCHNOP_bind_ipi, fields!(EvtchnBindIpi { vcpu: Vcpu })),
    (
        EVTCHNOP_bind_vcpu,
        fields!(EvtchnBindVcpu {
            port: Port,
            vcpu: Vcpu
        }),
    ),
    (EVTCHNOP_unmask, fields!(EvtchnUnmask { port: Port })),
    (EVTCHNOP_reset, fields!(EvtchnReset { dom: Domid })),
    (EVTCHNOP_reset_cont, fields!(EvtchnReset { dom: Domid })),
    (
        EVTCHNOP_init_control,
        fields!(EvtchnInitControl {
            control_gfn: Mfn,
            offset: Of(&[0, 128, 4016, 4096]),
            vcpu: Vcpu,
        }),
    ),
    (
        EVTCHNOP_expand_array,
        fields!(EvtchnExpandArray { array_gfn: Mfn }),
    ),
    (
        EVTCHNOP_set_priority,
        fields!(EvtchnSetPriority {
            port: Port,
            priority: Below(17)
        }),
    ),
];
