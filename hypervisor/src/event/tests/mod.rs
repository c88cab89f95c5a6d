//! Event channels on the simulated machine.

mod fifo;
mod silo;
mod two_level;

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::testing;
use xen_abi::Errno;
use xen_abi::compat::Layout;
use xen_abi::event_channel::*;
use xen_abi::xen::DOMID_SELF;

fn op<T: Layout>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult {
    testing::call(cx, arg, |cx, ptr| super::call(cx, [cmd.into(), ptr]))
}

fn fails(errno: Errno) -> HyperResult {
    Err(Fail::Errno(errno))
}

fn unbound(cx: &mut Cx, remote_dom: u16) -> EvtchnPort {
    let mut arg = EvtchnAllocUnbound {
        dom: DOMID_SELF,
        remote_dom,
        port: 0,
    };
    assert_eq!(op(cx, EVTCHNOP_alloc_unbound, &mut arg), Ok(0));
    arg.port
}

fn interdomain(cx: &mut Cx, remote_dom: u16, remote_port: u32) -> Result<EvtchnPort, Fail> {
    let mut arg = EvtchnBindInterdomain {
        remote_dom,
        remote_port,
        ..Default::default()
    };
    op(cx, EVTCHNOP_bind_interdomain, &mut arg).map(|_| arg.local_port)
}

fn ipi(cx: &mut Cx, vcpu: u32) -> Result<EvtchnPort, Fail> {
    let mut arg = EvtchnBindIpi { vcpu, port: 0 };
    op(cx, EVTCHNOP_bind_ipi, &mut arg).map(|_| arg.port)
}

fn virq(cx: &mut Cx, virq: u32, vcpu: u32) -> Result<EvtchnPort, Fail> {
    let mut arg = EvtchnBindVirq {
        virq,
        vcpu,
        port: 0,
    };
    op(cx, EVTCHNOP_bind_virq, &mut arg).map(|_| arg.port)
}

fn send(cx: &mut Cx, port: EvtchnPort) -> HyperResult {
    op(cx, EVTCHNOP_send, &mut EvtchnSend { port })
}

fn close(cx: &mut Cx, port: EvtchnPort) -> HyperResult {
    op(cx, EVTCHNOP_close, &mut EvtchnClose { port })
}

fn status(cx: &mut Cx, port: EvtchnPort) -> EvtchnStatus {
    let mut arg = EvtchnStatus {
        dom: DOMID_SELF,
        port,
        ..Default::default()
    };
    assert_eq!(op(cx, EVTCHNOP_status, &mut arg), Ok(0));
    arg
}

fn bind_vcpu(cx: &mut Cx, port: EvtchnPort, vcpu: u32) -> HyperResult {
    op(cx, EVTCHNOP_bind_vcpu, &mut EvtchnBindVcpu { port, vcpu })
}
