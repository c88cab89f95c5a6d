//! Layouts of `event_channel`, as a C compiler lays out the public headers.

use xen_abi::event_channel::*;

layouts! {
    EvtchnAllocUnbound: 8 { dom: 0, remote_dom: 2, port: 4 }
    EvtchnBindInterdomain: 12 { remote_dom: 0, remote_port: 4, local_port: 8 }
    EvtchnBindVirq: 12 { virq: 0, vcpu: 4, port: 8 }
    EvtchnBindPirq: 12 { pirq: 0, flags: 4, port: 8 }
    EvtchnBindIpi: 8 { vcpu: 0, port: 4 }
    EvtchnClose: 4 { port: 0 }
    EvtchnSend: 4 { port: 0 }
    EvtchnStatusUnbound: 2 { dom: 0 }
    EvtchnStatusInterdomain: 8 { dom: 0, port: 4 }
    EvtchnStatus: 24 { dom: 0, port: 4, status: 8, vcpu: 12, u: 16 }
    EvtchnBindVcpu: 8 { port: 0, vcpu: 4 }
    EvtchnUnmask: 4 { port: 0 }
    EvtchnReset: 2 { dom: 0 }
    EvtchnInitControl: 24 { control_gfn: 0, offset: 8, vcpu: 12, link_bits: 16, _pad: 17 }
    EvtchnExpandArray: 8 { array_gfn: 0 }
    EvtchnSetPriority: 8 { port: 0, priority: 4 }
    EvtchnFifoControlBlock: 72 { ready: 0, _rsvd: 4, head: 8 }
    EvtchnOp: 28 { cmd: 0, u: 4 }
}
