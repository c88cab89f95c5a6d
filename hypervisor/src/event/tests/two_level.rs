//! Bindings, and delivery in the two-level form.

use super::*;
use crate::domain::Domain;
use crate::event::{destroy, port_pending, send_global_virq, send_pirq, send_virq};
use crate::testing::World;
use core::sync::atomic::Ordering::SeqCst;
use xen_abi::physdev::*;
use xen_abi::shared_info::*;
use xen_abi::xen::*;

fn bit(dom: &Domain, base: usize, port: u32) -> bool {
    dom.shared_info.words()[base / 8 + port as usize / 64].load(SeqCst) >> (port % 64) & 1 != 0
}

fn pending(dom: &Domain, port: u32) -> bool {
    bit(dom, SHARED_INFO_EVTCHN_PENDING, port)
}

/// Takes what is pending for a vCPU: whether it had an upcall.
fn settle(dom: &Domain, vcpu: u32) -> bool {
    let info = dom.vcpu(vcpu).unwrap().info().unwrap();
    info.u64(VCPU_INFO_PENDING_SEL).unwrap().store(0, SeqCst);
    for word in &dom.shared_info.words()[SHARED_INFO_EVTCHN_PENDING / 8..][..64] {
        word.store(0, SeqCst);
    }
    info.byte(VCPU_INFO_UPCALL_PENDING).unwrap().swap(0, SeqCst) != 0
}

#[test]
fn an_event_travels_between_two_domains() {
    let world = World::new(2);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let port = world.on(&a, 0, 0, |cx| unbound(cx, 1));
    assert_eq!(port, 1);
    let other = world.on(&b, 0, 1, |cx| interdomain(cx, 0, port)).unwrap();
    // What was sent before may be lost: binding raises the local end.
    assert!(pending(&b.dom, other) && !pending(&a.dom, port));
    assert!(settle(&b.dom, 0));
    world.on(&b, 0, 1, |cx| assert_eq!(send(cx, other), Ok(0)));
    assert!(pending(&a.dom, port) && !pending(&b.dom, other));
    assert_eq!(port_pending(&a.dom, port), Ok(true));
    assert!(a.dom.vcpu(0).unwrap().upcall_pending());
    world.on(&a, 0, 0, |cx| {
        let status = status(cx, port);
        assert_eq!(
            (status.status, status.u[0] as u16, status.u[1]),
            (2, 1, other)
        );
        assert_eq!(close(cx, port), Ok(0));
        assert_eq!(close(cx, port), fails(Errno::EINVAL));
    });
    assert!(!pending(&a.dom, port));
    world.on(&b, 0, 1, |cx| {
        assert_eq!(status(cx, other).status, EVTCHNSTAT_unbound);
        assert_eq!(send(cx, other), Ok(0));
        assert_eq!(close(cx, other), Ok(0));
    });
}

#[test]
fn only_the_named_domain_may_bind() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let c = world.domain(2, false, 1);
    let port = world.on(&a, 0, 0, |cx| unbound(cx, 1));
    world.on(&c, 0, 0, |cx| {
        assert_eq!(interdomain(cx, 0, port), Err(Errno::EINVAL.into()));
        assert_eq!(interdomain(cx, 0, 0), Err(Errno::EINVAL.into()));
        assert_eq!(interdomain(cx, 0, u32::MAX), Err(Errno::EINVAL.into()));
        assert_eq!(interdomain(cx, 9, port), Err(Errno::ESRCH.into()));
        let mut arg = EvtchnAllocUnbound {
            dom: 0,
            remote_dom: 2,
            port: 0,
        };
        assert_eq!(
            op(cx, EVTCHNOP_alloc_unbound, &mut arg),
            fails(Errno::EPERM)
        );
        let mut arg = EvtchnStatus {
            dom: 0,
            port,
            ..Default::default()
        };
        assert_eq!(op(cx, EVTCHNOP_status, &mut arg), fails(Errno::EPERM));
        assert_eq!(
            op(cx, EVTCHNOP_reset, &mut EvtchnReset { dom: 0 }),
            fails(Errno::EPERM)
        );
    });
    world.on(&b, 0, 0, |cx| {
        interdomain(cx, 0, port).unwrap();
        assert_eq!(interdomain(cx, 0, port), Err(Errno::EINVAL.into()));
    });
}

#[test]
fn masked_events_wait_and_unmask_delivers_them() {
    let world = World::new(1);
    let a = world.domain(0, true, 1);
    world.on(&a, 0, 0, |cx| {
        let port = ipi(cx, 0).unwrap();
        let mask = &cx.dom.shared_info.words()[SHARED_INFO_EVTCHN_MASK / 8];
        mask.fetch_or(1 << port, SeqCst);
        assert_eq!(send(cx, port), Ok(0));
        assert!(pending(cx.dom, port) && !cx.vcpu.upcall_pending());
        assert_eq!(op(cx, EVTCHNOP_unmask, &mut EvtchnUnmask { port }), Ok(0));
        assert!(cx.vcpu.upcall_pending());
        assert!(!bit(cx.dom, SHARED_INFO_EVTCHN_MASK, port));
        let mut far = EvtchnUnmask { port: 100_000 };
        assert_eq!(op(cx, EVTCHNOP_unmask, &mut far), fails(Errno::EINVAL));
    });
}

#[test]
fn virtual_interrupts() {
    let world = World::new(2);
    let a = world.domain(0, true, 2);
    let (timer, console) = world.on(&a, 0, 0, |cx| {
        let timer = virq(cx, VIRQ_TIMER, 1).unwrap();
        assert_eq!(virq(cx, VIRQ_TIMER, 1), Err(Errno::EEXIST.into()));
        assert_eq!(virq(cx, VIRQ_TIMER, 2), Err(Errno::ENOENT.into()));
        assert_eq!(virq(cx, NR_VIRQS, 0), Err(Errno::EINVAL.into()));
        assert_eq!(virq(cx, VIRQ_CONSOLE, 1), Err(Errno::EINVAL.into()));
        let console = virq(cx, VIRQ_CONSOLE, 0).unwrap();
        assert_eq!(send(cx, console), fails(Errno::EINVAL));
        assert_eq!(bind_vcpu(cx, timer, 0), fails(Errno::EINVAL));
        assert_eq!(bind_vcpu(cx, console, 1), Ok(0));
        let status = status(cx, console);
        assert_eq!(
            (status.status, status.vcpu, status.u[0]),
            (EVTCHNSTAT_virq, 1, VIRQ_CONSOLE)
        );
        (timer, console)
    });
    let cpu = world.machine.cpu(0);
    let vcpus = [0, 1].map(|id| a.dom.vcpu(id).unwrap());
    send_virq(world.hv, &cpu, &a.dom, vcpus[0], VIRQ_TIMER);
    assert!(!pending(&a.dom, timer));
    send_virq(world.hv, &cpu, &a.dom, vcpus[1], VIRQ_TIMER);
    assert!(pending(&a.dom, timer) && settle(&a.dom, 1));
    send_global_virq(world.hv, &cpu, &a.dom, VIRQ_CONSOLE);
    assert!(pending(&a.dom, console) && !settle(&a.dom, 0) && settle(&a.dom, 1));
    drop(cpu);
    world.on(&a, 0, 0, |cx| {
        assert_eq!(close(cx, console), Ok(0));
        assert_eq!(close(cx, timer), Ok(0));
        send_global_virq(cx.hv, cx.cpu, cx.dom, VIRQ_CONSOLE);
        assert!(!pending(cx.dom, console));
        virq(cx, VIRQ_CONSOLE, 0).unwrap();
    });
}

#[test]
fn physical_interrupts() {
    let world = World::new(1);
    let a = world.domain(0, true, 1);
    world.on(&a, 0, 0, |cx| {
        let mut arg = EvtchnBindPirq {
            pirq: 20,
            ..Default::default()
        };
        // Not mapped.
        assert_eq!(op(cx, EVTCHNOP_bind_pirq, &mut arg), fails(Errno::EPERM));
        let mut map = PhysdevMapPirq {
            domid: DOMID_SELF,
            r#type: MAP_PIRQ_TYPE_GSI,
            index: 20,
            pirq: 20,
            ..Default::default()
        };
        let mapped = crate::testing::call(cx, &mut map, |cx, at| {
            crate::irq::physdev_op(cx, [PHYSDEVOP_map_pirq.into(), at])
        });
        assert_eq!(mapped, Ok(0));
        assert_eq!(op(cx, EVTCHNOP_bind_pirq, &mut arg), Ok(0));
        assert_eq!(arg.port, 1);
        assert_eq!(op(cx, EVTCHNOP_bind_pirq, &mut arg), fails(Errno::EEXIST));
        assert!(send_pirq(cx.hv, cx.cpu, cx.dom, 20) && pending(cx.dom, arg.port));
        assert!(!send_pirq(cx.hv, cx.cpu, cx.dom, 10));
        assert_eq!(close(cx, arg.port), Ok(0));
        assert!(!send_pirq(cx.hv, cx.cpu, cx.dom, 20));
        arg.pirq = u32::MAX;
        assert_eq!(op(cx, EVTCHNOP_bind_pirq, &mut arg), fails(Errno::EINVAL));
    });
}

#[test]
fn ports_are_given_out_lowest_first_up_to_the_limit() {
    let world = World::new(1);
    let a = world.domain(1, false, 1);
    a.dom.events.set_limit(200);
    world.on(&a, 0, 0, |cx| {
        for port in 1..=200 {
            assert_eq!(ipi(cx, 0), Ok(port));
        }
        assert_eq!(ipi(cx, 0), Err(Errno::ENOSPC.into()));
        assert_eq!(close(cx, 77), Ok(0));
        assert_eq!(ipi(cx, 0), Ok(77));
        assert_eq!(close(cx, 0), fails(Errno::EINVAL));
        assert_eq!(
            op(cx, EVTCHNOP_reset, &mut EvtchnReset { dom: DOMID_SELF }),
            Ok(0)
        );
        assert_eq!(ipi(cx, 0), Ok(1));
    });
    a.dom.events.set_limit(u32::MAX);
    world.on(&a, 0, 0, |cx| {
        for port in 2..EVTCHN_2L_NR_CHANNELS {
            assert_eq!(ipi(cx, 0), Ok(port));
        }
        assert_eq!(ipi(cx, 0), Err(Errno::ENOSPC.into()));
    });
}

#[test]
fn closing_everything_can_be_interrupted() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let ports: alloc::vec::Vec<_> =
        world.on(&a, 0, 0, |cx| (0..300).map(|_| unbound(cx, 1)).collect());
    world.on(&b, 0, 0, |cx| {
        for port in &ports {
            interdomain(cx, 0, *port).unwrap();
        }
    });
    world.machine.set_patience(Some(1));
    let mut calls = 1;
    let mut cpu = world.machine.cpu(0);
    while !destroy(world.hv, &mut cpu, &b.dom) {
        calls += 1;
    }
    drop(cpu);
    assert!(calls > 3, "{calls} calls");
    world.machine.set_patience(None);
    world.on(&a, 0, 0, |cx| {
        for port in &ports {
            assert_eq!(status(cx, *port).status, EVTCHNSTAT_unbound);
        }
        // Nobody binds to a domain that goes away.
        let mut arg = EvtchnAllocUnbound {
            dom: 1,
            remote_dom: 0,
            port: 0,
        };
        assert_eq!(
            op(cx, EVTCHNOP_alloc_unbound, &mut arg),
            fails(Errno::ENOSPC)
        );
    });
}

#[test]
fn two_ends_closed_at_once_by_two_cpus() {
    for seed in 0..200 {
        let world = World::new(2);
        let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
        let port = world.on(&a, 0, 0, |cx| unbound(cx, 1));
        let other = world.on(&b, 0, 1, |cx| interdomain(cx, 0, port)).unwrap();
        world.machine.run(seed, |mut cpu| {
            use machine::CpuApi;
            let (dom, mine) = if cpu.id() == 0 {
                (&a.dom, port)
            } else {
                (&b.dom, other)
            };
            for _ in 0..3 {
                crate::event::send(world.hv, &cpu, dom, mine).unwrap();
            }
            crate::event::close(world.hv, &mut cpu, dom, mine).unwrap();
        });
        for (t, mine) in [(&a, port), (&b, other)] {
            world.on(t, 0, 0, |cx| {
                assert_eq!(status(cx, mine).status, EVTCHNSTAT_closed)
            });
        }
    }
}
