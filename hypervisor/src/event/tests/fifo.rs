//! Delivery in the FIFO form, and guests that scribble in its words.

use super::*;
use crate::event::fifo::{BUSY, LINKED, MASKED, PENDING};
use crate::testing::{TestDomain, World};
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::SeqCst;
use xen_abi::shared_info::VCPU_INFO_UPCALL_PENDING;

/// Data page of vCPU `n`'s control block; the array follows the last vCPU's.
const CONTROL: usize = 0;
const ARRAY: usize = 4;

fn init(cx: &mut Cx, t: &TestDomain, vcpu: u32) -> HyperResult {
    let control_gfn = t.data[CONTROL + vcpu as usize].mfn().0;
    let mut arg = EvtchnInitControl {
        control_gfn,
        vcpu,
        ..Default::default()
    };
    let result = op(cx, EVTCHNOP_init_control, &mut arg);
    assert!(result.is_err() || arg.link_bits == 17);
    result
}

fn expand(cx: &mut Cx, t: &TestDomain, page: usize) -> HyperResult {
    op(
        cx,
        EVTCHNOP_expand_array,
        &mut EvtchnExpandArray {
            array_gfn: t.data[page].mfn().0,
        },
    )
}

fn word(t: &TestDomain, port: u32) -> &AtomicU32 {
    &t.data[ARRAY].halves()[port as usize]
}

fn head(t: &TestDomain, vcpu: u32, priority: u32) -> &AtomicU32 {
    &t.data[CONTROL + vcpu as usize].halves()[2 + priority as usize]
}

fn ready(t: &TestDomain, vcpu: u32) -> &AtomicU32 {
    &t.data[CONTROL + vcpu as usize].halves()[0]
}

/// Takes events off a queue as a guest does.
fn consume(t: &TestDomain, vcpu: u32, priority: u32) -> Vec<u32> {
    let mut taken = Vec::new();
    let mut port = head(t, vcpu, priority).load(SeqCst);
    ready(t, vcpu).fetch_and(!(1 << priority), SeqCst);
    while port != 0 {
        let old = word(t, port).fetch_and(!(LINKED | EVTCHN_FIFO_LINK_MASK), SeqCst);
        assert!(
            old & LINKED != 0,
            "port {port} is in a queue but not linked"
        );
        if old & PENDING != 0 && old & MASKED == 0 {
            word(t, port).fetch_and(!PENDING, SeqCst);
            taken.push(port);
        }
        port = old & EVTCHN_FIFO_LINK_MASK;
    }
    taken
}

fn upcall(t: &TestDomain, vcpu: u32) -> bool {
    let info = t.dom.vcpu(vcpu).unwrap().info().unwrap();
    info.byte(VCPU_INFO_UPCALL_PENDING).unwrap().swap(0, SeqCst) != 0
}

fn fifo_domain(vcpus: u32) -> (World, TestDomain) {
    let world = World::new(2);
    let t = world.domain(0, true, vcpus);
    world.on(&t, 0, 0, |cx| {
        for vcpu in 0..vcpus {
            assert_eq!(init(cx, &t, vcpu), Ok(0));
        }
        assert_eq!(expand(cx, &t, ARRAY), Ok(0));
    });
    (world, t)
}

#[test]
fn events_queue_in_order() {
    let (world, t) = fifo_domain(1);
    world.on(&t, 0, 0, |cx| {
        let ports: Vec<_> = (0..5).map(|_| ipi(cx, 0).unwrap()).collect();
        for port in &ports {
            assert_eq!(send(cx, *port), Ok(0));
            assert_eq!(send(cx, *port), Ok(0));
        }
        assert!(upcall(&t, 0));
        assert_eq!(consume(&t, 0, 7), ports);
        assert!(!upcall(&t, 0));
        send(cx, ports[4]).unwrap();
        send(cx, ports[2]).unwrap();
        assert!(upcall(&t, 0));
        assert_eq!(consume(&t, 0, 7), [ports[4], ports[2]]);
    });
}

#[test]
fn masked_events_are_not_linked() {
    let (world, t) = fifo_domain(1);
    world.on(&t, 0, 0, |cx| {
        let port = ipi(cx, 0).unwrap();
        word(&t, port).fetch_or(MASKED, SeqCst);
        send(cx, port).unwrap();
        assert_eq!(word(&t, port).load(SeqCst), PENDING | MASKED);
        assert!(!upcall(&t, 0));
        op(cx, EVTCHNOP_unmask, &mut EvtchnUnmask { port }).unwrap();
        assert!(upcall(&t, 0));
        assert_eq!(consume(&t, 0, 7), [port]);
    });
}

#[test]
fn priorities_and_vcpus_choose_the_queue() {
    let (world, t) = fifo_domain(2);
    world.on(&t, 0, 0, |cx| {
        let port = unbound(cx, 0);
        let from = interdomain(cx, 0, port).unwrap();
        consume(&t, 0, 7);
        upcall(&t, 0);
        send(cx, from).unwrap();
        // Linked where it was: it moves when it is linked next.
        op(
            cx,
            EVTCHNOP_set_priority,
            &mut EvtchnSetPriority { port, priority: 3 },
        )
        .unwrap();
        assert_eq!(bind_vcpu(cx, port, 1), Ok(0));
        send(cx, from).unwrap();
        assert_eq!(consume(&t, 0, 7), [port]);
        upcall(&t, 0);
        send(cx, from).unwrap();
        assert_eq!(consume(&t, 1, 3), [port]);
        assert!(upcall(&t, 1) && !upcall(&t, 0));
        // The queue that it left starts anew with the next event.
        send(cx, port).unwrap();
        assert_eq!(consume(&t, 0, 7), [from]);
        let mut low = EvtchnSetPriority { port, priority: 16 };
        assert_eq!(
            op(cx, EVTCHNOP_set_priority, &mut low),
            fails(Errno::EINVAL)
        );
    });
}

#[test]
fn what_was_pending_comes_with_the_page() {
    let world = World::new(1);
    let t = world.domain(0, true, 1);
    world.on(&t, 0, 0, |cx| {
        let (early, late) = (ipi(cx, 0).unwrap(), ipi(cx, 0).unwrap());
        send(cx, early).unwrap();
        assert_eq!(expand(cx, &t, ARRAY), fails(Errno::EOPNOTSUPP));
        assert_eq!(init(cx, &t, 0), Ok(0));
        send(cx, late).unwrap();
        assert_eq!(crate::event::port_pending(cx.dom, late), Ok(true));
        assert_eq!(expand(cx, &t, ARRAY), Ok(0));
        assert_eq!(consume(&t, 0, 7), [early, late]);
    });
}

#[test]
fn bad_arguments_are_refused() {
    let world = World::new(1);
    let t = world.domain(0, true, 1);
    let foreign = world.domain(1, false, 1).data[0].mfn().0;
    world.on(&t, 0, 0, |cx| {
        let control_gfn = t.data[0].mfn().0;
        let good = EvtchnInitControl {
            control_gfn,
            ..Default::default()
        };
        for (mut arg, errno) in [
            (EvtchnInitControl { vcpu: 1, ..good }, Errno::ENOENT),
            (EvtchnInitControl { offset: 4, ..good }, Errno::EINVAL),
            (
                EvtchnInitControl {
                    offset: 4032,
                    ..good
                },
                Errno::EINVAL,
            ),
            (
                EvtchnInitControl {
                    offset: u32::MAX,
                    ..good
                },
                Errno::EINVAL,
            ),
            (
                EvtchnInitControl {
                    control_gfn: foreign,
                    ..good
                },
                Errno::EINVAL,
            ),
            (
                EvtchnInitControl {
                    control_gfn: u64::MAX,
                    ..good
                },
                Errno::EINVAL,
            ),
        ] {
            assert_eq!(
                op(cx, EVTCHNOP_init_control, &mut arg),
                fails(errno),
                "{arg:?}"
            );
        }
        let mut priority = EvtchnSetPriority {
            port: 1,
            priority: 0,
        };
        assert_eq!(
            op(cx, EVTCHNOP_set_priority, &mut priority),
            fails(Errno::ENOSYS)
        );
        // A page table is no place for it.
        let root = cx.cpu.root().unwrap();
        let mut table = EvtchnInitControl {
            control_gfn: root,
            ..good
        };
        assert_eq!(
            op(cx, EVTCHNOP_init_control, &mut table),
            fails(Errno::EINVAL)
        );
        assert_eq!(init(cx, &t, 0), Ok(0));
        assert_eq!(init(cx, &t, 0), fails(Errno::EINVAL));
        let mut array = EvtchnExpandArray { array_gfn: root };
        assert_eq!(
            op(cx, EVTCHNOP_expand_array, &mut array),
            fails(Errno::EINVAL)
        );
        for _ in 0..128 {
            assert_eq!(expand(cx, &t, ARRAY), Ok(0));
        }
        assert_eq!(expand(cx, &t, ARRAY), fails(Errno::ENOSPC));
    });
}

#[test]
fn reset_goes_back_to_two_levels_and_gives_the_pages_back() {
    let (world, t) = fifo_domain(2);
    let counts = || t.data.iter().map(|page| page.info().count()).sum::<u64>();
    let held = counts();
    world.on(&t, 0, 0, |cx| {
        for _ in 0..100 {
            ipi(cx, 0).unwrap();
        }
        op(cx, EVTCHNOP_reset, &mut EvtchnReset { dom: DOMID_SELF }).unwrap();
        assert!(!cx.dom.events.is_fifo());
        assert_eq!(counts(), held - 3);
        let port = ipi(cx, 0).unwrap();
        send(cx, port).unwrap();
        assert_eq!(crate::event::port_pending(cx.dom, port), Ok(true));
        assert_eq!(init(cx, &t, 0), Ok(0));
    });
}

#[test]
fn a_guest_that_scribbles_harms_only_itself() {
    let (world, t) = fifo_domain(2);
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as u32
    };
    world.on(&t, 0, 0, |cx| {
        let ports: Vec<_> = (0..20).map(|_| unbound(cx, 0)).collect();
        let others: Vec<_> = ports
            .iter()
            .map(|p| interdomain(cx, 0, *p).unwrap())
            .collect();
        for _ in 0..5000 {
            let port = ports[random() as usize % 20];
            match random() % 6 {
                0 => word(&t, random() % 1024).store(random(), SeqCst),
                1 => word(&t, port).store(LINKED | BUSY | (random() % 1024), SeqCst),
                2 => head(&t, random() % 2, random() % 16).store(random(), SeqCst),
                3 => {
                    let priority = random() % 16;
                    let mut arg = EvtchnSetPriority { port, priority };
                    op(cx, EVTCHNOP_set_priority, &mut arg).unwrap();
                    bind_vcpu(cx, port, random() % 2).unwrap();
                }
                4 => {
                    op(cx, EVTCHNOP_unmask, &mut EvtchnUnmask { port }).unwrap();
                }
                _ => {
                    send(cx, others[random() as usize % 20]).unwrap();
                }
            }
        }
    });
}

#[test]
fn a_closed_port_is_not_given_out_while_it_is_linked() {
    let (world, t) = fifo_domain(1);
    world.on(&t, 0, 0, |cx| {
        let port = ipi(cx, 0).unwrap();
        send(cx, port).unwrap();
        close(cx, port).unwrap();
        assert_eq!(ipi(cx, 0), Ok(port + 1));
        assert_eq!(consume(&t, 0, 7), []);
        assert_eq!(ipi(cx, 0), Ok(port));
    });
}

#[test]
fn senders_on_several_cpus_lose_nothing() {
    for seed in 0..100 {
        let world = World::new(3);
        let t = world.domain(0, true, 3);
        let ports: Vec<u32> = world.on(&t, 0, 0, |cx| {
            (0..3).for_each(|vcpu| assert_eq!(init(cx, &t, vcpu), Ok(0)));
            assert_eq!(expand(cx, &t, ARRAY), Ok(0));
            (0..6).map(|_| ipi(cx, 0).unwrap()).collect()
        });
        world.machine.run(seed, |cpu| {
            use machine::CpuApi;
            for round in 0..ports.len() {
                let at = (round * (cpu.id() as usize + 1)) % ports.len();
                crate::event::send(world.hv, &cpu, &t.dom, ports[at]).unwrap();
            }
        });
        let mut taken = consume(&t, 0, 7);
        taken.sort_unstable();
        assert_eq!(taken, ports, "seed {seed}");
        assert!(upcall(&t, 0));
    }
}
