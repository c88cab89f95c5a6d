//! Timers, clocks and `vcpu_op` on the simulated machine.

use super::*;
use crate::event;
use crate::fail::Fail;
use crate::testing::{TestDomain, World, call};
use xen_abi::event_channel::{EVTCHNOP_bind_virq, EvtchnBindVirq};
use xen_abi::sched::*;
use xen_abi::shared_info::*;
use xen_abi::vcpu::*;

const MS: u64 = 1_000_000;

fn op<T>(cx: &mut Cx, cmd: u32, vcpu: u64, arg: &mut T) -> HyperResult
where
    T: xen_abi::compat::Layout,
{
    call(cx, arg, |cx, ptr| vcpu_op(cx, [cmd.into(), vcpu, ptr]))
}

fn sched<T>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult
where
    T: xen_abi::compat::Layout,
{
    call(cx, arg, |cx, ptr| {
        crate::sched::sched_op(cx, [cmd.into(), ptr])
    })
}

/// A domain with its timer's port bound and the periodic tick off.
fn with_timer(world: &World) -> (TestDomain, u32) {
    let domain = world.domain(1, true, 2);
    let port = world.on(&domain, 0, 0, |cx| {
        vcpu_op(cx, [VCPUOP_stop_periodic_timer.into(), 0, 0]).unwrap();
        let mut bind = EvtchnBindVirq {
            virq: xen_abi::xen::VIRQ_TIMER,
            vcpu: 0,
            port: 0,
        };
        call(cx, &mut bind, |cx, ptr| {
            event::call(cx, [EVTCHNOP_bind_virq.into(), ptr])
        })
        .unwrap();
        take(&domain, bind.port);
        bind.port
    });
    (domain, port)
}

/// Whether the port was pending; it is not afterwards.
fn take(domain: &TestDomain, port: u32) -> bool {
    let word = &domain.dom.shared_info.words()[SHARED_INFO_EVTCHN_PENDING / 8];
    word.fetch_and(!(1 << port), Ordering::SeqCst) >> port & 1 != 0
}

/// Lets time pass and the timer interrupt come.
fn pass(world: &World, ns: u64) {
    world.machine.advance(ns);
    let mut cpu = world.machine.cpu(0);
    timer_interrupt(world.hv, &mut cpu);
}

fn singleshot(timeout_abs_ns: u64) -> VcpuSetSingleshotTimer {
    VcpuSetSingleshotTimer {
        timeout_abs_ns,
        flags: 0,
        _pad0: 0,
    }
}

#[test]
fn a_one_shot_timer_fires_once_and_not_early() {
    let world = World::new(1);
    let (domain, port) = with_timer(&world);
    world.on(&domain, 0, 0, |cx| {
        op(cx, VCPUOP_set_singleshot_timer, 0, &mut singleshot(10 * MS)).unwrap();
        // Only a vCPU itself has that timer.
        let other = op(cx, VCPUOP_set_singleshot_timer, 1, &mut singleshot(10 * MS));
        assert_eq!(other, Err(Fail::Errno(Errno::EINVAL)));
        let none = op(cx, VCPUOP_set_singleshot_timer, 2, &mut singleshot(10 * MS));
        assert_eq!(none, Err(Fail::Errno(Errno::ENOENT)));
    });
    assert_eq!(world.machine.deadline(0), Some(10 * MS));
    pass(&world, 10 * MS - 1 - world.machine.now());
    assert!(!take(&domain, port));
    pass(&world, 1);
    assert!(take(&domain, port));
    pass(&world, 100 * MS);
    assert!(!take(&domain, port));
    world.on(&domain, 0, 0, |cx| {
        op(
            cx,
            VCPUOP_set_singleshot_timer,
            0,
            &mut singleshot(200 * MS),
        )
        .unwrap();
        vcpu_op(cx, [VCPUOP_stop_singleshot_timer.into(), 0, 0]).unwrap();
    });
    pass(&world, 300 * MS);
    assert!(!take(&domain, port));
}

#[test]
fn a_timer_follows_its_vcpu_to_another_cpu() {
    let world = World::new(2);
    let (domain, port) = with_timer(&world);
    world.on(&domain, 0, 0, |cx| {
        op(cx, VCPUOP_set_singleshot_timer, 0, &mut singleshot(10 * MS)).unwrap();
    });
    world.on(&domain, 0, 1, enter);
    assert_eq!(world.machine.deadline(1), Some(10 * MS));
    // The old CPU's interrupt is one too many, and does nothing.
    pass(&world, 20 * MS);
    assert!(!take(&domain, port));
    let mut cpu = world.machine.cpu(1);
    timer_interrupt(world.hv, &mut cpu);
    assert!(take(&domain, port));
}

#[test]
fn the_periodic_timer_ticks_while_the_vcpu_runs() {
    let world = World::new(1);
    let (domain, port) = with_timer(&world);
    world.on(&domain, 0, 0, |cx| {
        for (period_ns, want) in [(1000, false), (5 * MS, true), (u64::MAX, false)] {
            let mut arg = VcpuSetPeriodicTimer { period_ns };
            assert_eq!(op(cx, VCPUOP_set_periodic_timer, 0, &mut arg).is_ok(), want);
        }
        enter(cx);
    });
    for _ in 0..3 {
        pass(&world, 5 * MS);
        assert!(take(&domain, port));
    }
    world.on(&domain, 0, 0, leave);
    pass(&world, 50 * MS);
    assert!(!take(&domain, port));
}

#[test]
fn absurd_deadlines_of_set_timer_fire_soon() {
    let world = World::new(1);
    let (domain, port) = with_timer(&world);
    world.on(&domain, 0, 0, |cx| {
        set_timer_op(cx, [u64::MAX / 2 + 5, 0]).unwrap()
    });
    pass(&world, 101 * MS);
    assert!(take(&domain, port));
    world.on(&domain, 0, 0, |cx| {
        set_timer_op(cx, [world.machine.now() + MS, 0]).unwrap();
        set_timer_op(cx, [0, 0]).unwrap();
    });
    pass(&world, 10 * MS);
    assert!(!take(&domain, port));
}

#[test]
fn the_clock_is_shown_and_moves_with_vcpu_info() {
    let world = World::new(1);
    let (domain, _) = with_timer(&world);
    let time = |page: &machine::Page, at: usize| {
        let mut bytes = [0; size_of::<VcpuTimeInfo>()];
        page.read(at, &mut bytes);
        <VcpuTimeInfo as zerocopy::FromBytes>::read_from_bytes(&bytes).unwrap()
    };
    world.on(&domain, 0, 0, enter);
    let shown = time(&domain.dom.shared_info, VCPU_INFO_TIME);
    assert_eq!((shown.version & 1, shown.system_time), (0, 1));
    assert_eq!((shown.tsc_to_system_mul, shown.tsc_shift), (1 << 31, 1));
    world.on(&domain, 0, 0, |cx| {
        let mfn = domain.data[0].mfn().0;
        let mut register = |mfn, offset| {
            let mut arg = VcpuRegisterVcpuInfo {
                mfn,
                offset,
                rsvd: 0,
            };
            op(cx, VCPUOP_register_vcpu_info, 0, &mut arg)
        };
        assert_eq!(register(mfn, 4096 - 56), Err(Fail::Errno(Errno::ENXIO)));
        assert_eq!(register(mfn, 4), Err(Fail::Errno(Errno::ENXIO)));
        assert_eq!(register(mfn, 5000), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(register(1, 0), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(
            register(domain.root.mfn().0, 0),
            Err(Fail::Errno(Errno::EACCES))
        );
        assert_eq!(register(mfn, 64), Ok(0));
        assert_eq!(register(mfn, 64), Err(Fail::Errno(Errno::EBUSY)));
    });
    let moved = time(&domain.data[0], 64 + VCPU_INFO_TIME);
    assert_eq!((moved.version & 1, moved.system_time), (0, 1));
    // A copy at a virtual address.
    let mut arg = VcpuRegisterTimeMemoryArea {
        addr: domain.va(1, 128),
    };
    world
        .on(&domain, 0, 0, |cx| {
            op(cx, VCPUOP_register_vcpu_time_memory_area, 0, &mut arg)
        })
        .unwrap();
    assert_eq!(time(&domain.data[1], 128).system_time, 1);
}

#[test]
fn the_wall_clock_reaches_every_domain() {
    let world = World::new(1);
    let (domain, _) = with_timer(&world);
    set_wallclock(world.hv, 1_800_000_000, 500, 2_000_000_000);
    let word = |at| {
        domain
            .dom
            .shared_info
            .u32_at(at)
            .unwrap()
            .load(Ordering::Relaxed)
    };
    assert_eq!(word(SHARED_INFO_WC_VERSION) & 1, 0);
    assert_eq!(
        (word(SHARED_INFO_WC_SEC), word(SHARED_INFO_WC_NSEC)),
        (1_799_999_998, 500)
    );
    let (seconds, nanos) = wall_now(world.hv, &world.machine.cpu(0));
    assert_eq!(
        (seconds, u64::from(nanos)),
        (1_799_999_998, 500 + world.machine.now())
    );
}

#[test]
fn the_run_state_record_survives_a_bad_address() {
    let world = World::new(1);
    let (domain, _) = with_timer(&world);
    let register = |addr| {
        world.on(&domain, 0, 0, |cx| {
            let mut arg = VcpuRegisterRunstateMemoryArea { addr };
            op(cx, VCPUOP_register_runstate_memory_area, 0, &mut arg)
        })
    };
    assert_eq!(register(0x7000_0000), Ok(0));
    assert_eq!(
        register(0xffff_8200_0000_0000),
        Err(Fail::Errno(Errno::EFAULT))
    );
    world.on(&domain, 0, 0, |cx| {
        enter(cx);
        leave(cx);
    });
    assert_eq!(register(domain.va(2, 8)), Ok(0));
    world.on(&domain, 0, 0, |cx| {
        crate::hypercall::dispatch_pv(cx, u64::MAX).unwrap_err();
        cx.dom.assists.store(
            1 << xen_abi::xen::VMASST_TYPE_runstate_update_flag,
            Ordering::Relaxed,
        );
        enter(cx);
    });
    let entered = domain.data[2]
        .u64_at(8 + 8)
        .unwrap()
        .load(Ordering::Relaxed);
    assert_eq!(entered & XEN_RUNSTATE_UPDATE, 0);
}

#[test]
fn polls_end_by_port_and_by_time() {
    let world = World::new(1);
    let (domain, port) = with_timer(&world);
    let (hv, dom) = (world.hv, &domain.dom);
    let vcpu = dom.vcpu(0).unwrap();
    hv.sched.set_online(&world.machine.cpu(0), dom, vcpu, true);
    let poll = |timeout| {
        hv.sched
            .next(hv, &mut world.machine.cpu(0))
            .expect("it can run");
        world.on(&domain, 0, 0, |cx| {
            let ports = domain.va(3, 0);
            cx.copy_out(crate::guest::GuestPtr::new(ports), &port)
                .unwrap();
            let mut arg = SchedPoll {
                ports,
                nr_ports: 1,
                _pad0: 0,
                timeout,
            };
            sched(cx, SCHEDOP_poll, &mut arg).unwrap();
            assert!(!cx.live);
            leave(cx);
        });
        assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_none());
        assert_eq!(dom.pollers.load(Ordering::Relaxed), 1);
    };
    vcpu.set_upcall_mask(true);
    // A masked port ends it too.
    let masks = &dom.shared_info.words()[SHARED_INFO_EVTCHN_MASK / 8];
    masks.fetch_or(1 << port, Ordering::Relaxed);
    poll(0);
    event::send_virq(
        hv,
        &world.machine.cpu(0),
        dom,
        vcpu,
        xen_abi::xen::VIRQ_TIMER,
    );
    assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_some());
    assert_eq!(dom.pollers.load(Ordering::Relaxed), 0);
    assert!(take(&domain, port));
    poll(world.machine.now() + 5 * MS);
    pass(&world, 5 * MS);
    assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_some());
    assert_eq!(dom.pollers.load(Ordering::Relaxed), 0);
}

#[test]
fn a_watchdog_that_is_not_poked_ends_the_domain() {
    let world = World::new(1);
    let domain = world.domain(1, false, 1);
    world.on(&domain, 0, 0, |cx| {
        let mut watchdog =
            |id, timeout| sched(cx, SCHEDOP_watchdog, &mut SchedWatchdog { id, timeout });
        assert_eq!(watchdog(1, 1), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(watchdog(0, 10), Ok(1));
        assert_eq!(watchdog(0, 10), Ok(2));
        assert_eq!(watchdog(0, 10), Err(Fail::Errno(Errno::ENOSPC)));
        assert_eq!(watchdog(2, 0), Ok(0));
        assert_eq!(watchdog(2, 5), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(watchdog(3, 5), Err(Fail::Errno(Errno::EINVAL)));
        assert_eq!(watchdog(1, 20), Ok(0));
    });
    pass(&world, 15_000 * MS);
    assert!(!domain.dom.is_shut_down());
    pass(&world, 6_000 * MS);
    assert_eq!(*domain.dom.shutdown.lock(), Some(SHUTDOWN_watchdog));
    assert_eq!(domain.dom.pause_count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_domain_that_is_gone_leaves_nothing_behind() {
    let world = World::new(2);
    let (domain, _) = with_timer(&world);
    let (hv, dom) = (world.hv, &domain.dom);
    for vcpu in dom.all_vcpus() {
        hv.sched.set_online(&world.machine.cpu(0), dom, vcpu, true);
    }
    world.on(&domain, 0, 0, |cx| {
        op(cx, VCPUOP_set_singleshot_timer, 0, &mut singleshot(10 * MS)).unwrap();
        let addr = domain.data[3].mfn().0 << 12;
        let mut area = VcpuRegisterRunstateMemoryArea { addr };
        op(cx, VCPUOP_register_runstate_phys_area, 0, &mut area).unwrap();
    });
    let held = domain.data[3].info().page_type().1;
    dom.pause(hv, &world.machine.cpu(0));
    dom.retire(hv, &world.machine.cpu(0));
    for vcpu in dom.all_vcpus() {
        assert_eq!(Arc::strong_count(vcpu), 1);
    }
    assert_eq!(domain.data[3].info().page_type().1, held - 1);
    assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_none());
    pass(&world, 20 * MS);
}
