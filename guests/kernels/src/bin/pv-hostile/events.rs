//! Event channels: ports, domains and vCPUs that are not there.

use guest_rt::events::{self, bind_ipi, bind_virq, close};
use guest_rt::harness::Outcome;
use guest_rt::{all_refused, check, hypercall, mem, ok, refused};
use xen_abi::event_channel::*;
use xen_abi::xen::{DOMID_SELF, NR_VIRQS, VIRQ_CONSOLE, VIRQ_DEBUG};

pub fn ports() -> Outcome {
    for port in [0, 500, 4095, 4096, 0x1_ffff, 0x2_0000, u32::MAX] {
        all_refused! {
            hypercall::send(port) => EINVAL;
            close(port) => EINVAL;
            hypercall::evtchn(EVTCHNOP_bind_vcpu, &mut EvtchnBindVcpu { port, vcpu: 0 }) => EINVAL;
        }
    }
    for port in [4096, 0x2_0000, u32::MAX] {
        all_refused! {
            events::unmask(port) => EINVAL;
            events::status(port).map(|_| 0i64) => EINVAL;
        }
    }
    for remote_port in [0, 500, u32::MAX] {
        let mut arg = EvtchnBindInterdomain {
            remote_dom: DOMID_SELF,
            remote_port,
            ..Default::default()
        };
        refused!(
            hypercall::evtchn(EVTCHNOP_bind_interdomain, &mut arg),
            EINVAL
        );
    }
    for pirq in [100_000, u32::MAX] {
        refused!(
            hypercall::evtchn(
                EVTCHNOP_bind_pirq,
                &mut EvtchnBindPirq {
                    pirq,
                    flags: 0,
                    port: 0
                }
            ),
            EINVAL
        );
    }
    Ok(())
}

pub fn domains() -> Outcome {
    for dom in [77, 0x7ff4, 0xffff] {
        all_refused! {
            hypercall::evtchn(EVTCHNOP_alloc_unbound, &mut EvtchnAllocUnbound { dom, remote_dom: 0, port: 0 }) => ESRCH;
            hypercall::evtchn(EVTCHNOP_status, &mut EvtchnStatus { dom, port: 1, ..Default::default() }) => ESRCH;
            hypercall::evtchn(EVTCHNOP_reset, &mut EvtchnReset { dom }) => ESRCH;
            hypercall::evtchn(EVTCHNOP_bind_interdomain, &mut EvtchnBindInterdomain { remote_dom: dom, remote_port: 1, ..Default::default() }) => ESRCH;
        }
    }
    Ok(())
}

pub fn virqs() -> Outcome {
    all_refused! {
        bind_virq(NR_VIRQS, 0).map(|_| 0i64) => EINVAL;
        bind_virq(u32::MAX, 0).map(|_| 0i64) => EINVAL;
        bind_virq(VIRQ_DEBUG, 4096).map(|_| 0i64) => ENOENT;
        bind_virq(VIRQ_DEBUG, u32::MAX).map(|_| 0i64) => ENOENT;
    }
    // A global one is bound on vCPU 0 only.
    refused!(bind_virq(VIRQ_CONSOLE, 1).map(i64::from), EINVAL);
    Ok(())
}

pub fn vcpus() -> Outcome {
    let port = events::alloc_unbound()?;
    all_refused! {
        bind_ipi(4096).map(|_| 0i64) => ENOENT;
        bind_ipi(u32::MAX).map(|_| 0i64) => ENOENT;
        hypercall::evtchn(EVTCHNOP_bind_vcpu, &mut EvtchnBindVcpu { port, vcpu: 4096 }) => ENOENT;
    }
    ok!(close(port));
    Ok(())
}

pub fn fifo() -> Outcome {
    let page = mem::alloc();
    let init = |control_gfn, offset, vcpu| {
        hypercall::evtchn(
            EVTCHNOP_init_control,
            &mut EvtchnInitControl {
                control_gfn,
                offset,
                vcpu,
                ..Default::default()
            },
        )
    };
    all_refused! {
        hypercall::evtchn(EVTCHNOP_expand_array, &mut EvtchnExpandArray { array_gfn: page.mfn() }) => EOPNOTSUPP;
        hypercall::evtchn(EVTCHNOP_set_priority, &mut EvtchnSetPriority { port: 1, priority: 1 }) => ENOSYS;
        init(page.mfn(), 0, 4096) => ENOENT;
        init(page.mfn(), 4096, 0) => EINVAL;
        init(page.mfn(), 4096 - 16, 0) => EINVAL;
        init(page.mfn(), 4, 0) => EINVAL;
        init(super::free_frame(), 0, 0) => EINVAL;
        init(0xf_ffff_ffff, 0, 0) => EINVAL;
        init(mem::boot_l4_mfn(), 0, 0) => EINVAL;
    }
    Ok(())
}

pub fn exhaust() -> Outcome {
    // All the ports that the two-level form has, then no more, then all of them again.
    for _ in 0..2 {
        let mut count = 0;
        let mut ports = [0u64; 64];
        let end = loop {
            let mut arg = EvtchnAllocUnbound {
                dom: DOMID_SELF,
                remote_dom: DOMID_SELF,
                port: 0,
            };
            match hypercall::evtchn(EVTCHNOP_alloc_unbound, &mut arg) {
                Ok(_) => {
                    count += 1;
                    check!(arg.port < 4096 && count <= 4096, "port {}", arg.port);
                    ports[arg.port as usize / 64] |= 1 << (arg.port % 64);
                }
                Err(errno) => break errno,
            }
        };
        for port in 0..4096u32 {
            if ports[port as usize / 64] >> (port % 64) & 1 == 1 {
                ok!(close(port));
            }
        }
        check!(end == 28 && count > 4000, "{count} ports, then errno {end}");
    }
    Ok(())
}
