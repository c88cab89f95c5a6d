//! The machine's CPUs and nodes, as the tools see them.

use super::call as hypercall;
use crate::fail::{Fail, HyperResult};
use crate::testing::{DATA_VA, TestDomain, World, call};
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::domctl::XEN_SCHEDULER_CREDIT2;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;
use xen_abi::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub fn op<T: FromBytes + IntoBytes + Immutable>(
    world: &World,
    dom0: &TestDomain,
    cmd: u32,
    arg: &mut T,
) -> HyperResult {
    let mut op = Sysctl {
        cmd,
        interface_version: XEN_SYSCTL_INTERFACE_VERSION,
        ..Default::default()
    };
    op.set_arm(arg);
    let result = world.on(dom0, 0, 0, |cx| {
        call(cx, &mut op, |cx, at| hypercall(cx, [at]))
    });
    *arg = op.arm();
    result
}

pub fn errno(result: HyperResult) -> Errno {
    match result {
        Err(Fail::Errno(errno)) => errno,
        other => panic!("{other:?}"),
    }
}

#[test]
fn cpus_are_counted_then_listed() {
    let world = World::new(3);
    let dom0 = world.domain(0, true, 1);
    let mut arg = SysctlCputopoinfo::default();
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_cputopoinfo, &mut arg), Ok(0));
    assert_eq!(arg.num_cpus, 3);
    arg = SysctlCputopoinfo {
        num_cpus: 8,
        cputopo: DATA_VA,
        ..Default::default()
    };
    dom0.data[0].write(0, &[0xff; 48]);
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_cputopoinfo, &mut arg), Ok(0));
    assert_eq!(arg.num_cpus, 3);
    let mut entries = [SysctlCputopo::default(); 4];
    assert!(dom0.data[0].read(0, entries.as_mut_bytes()));
    let places = entries.map(|entry| (entry.core, entry.socket, entry.node));
    let none = (u32::MAX, u32::MAX, u32::MAX);
    // The simulated processor says nothing of cores.
    assert_eq!(places, [(0, 0, 0), (0, 1, 0), (0, 2, 0), none]);
    arg.cputopo = 0x1000;
    let result = op(&world, &dom0, XEN_SYSCTL_cputopoinfo, &mut arg);
    assert_eq!(errno(result), Errno::EFAULT);
}

#[test]
fn idle_time_grows_while_nothing_runs() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 1);
    let hv = world.hv;
    let mut cpu = world.machine.cpu(1);
    assert!(hv.sched.next(hv, &mut cpu).is_none());
    world.machine.advance(700);
    let mut arg = SysctlGetcpuinfo {
        max_cpus: 5,
        info: DATA_VA,
        ..Default::default()
    };
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_getcpuinfo, &mut arg), Ok(0));
    assert_eq!(arg.nr_cpus, 2);
    let idle = dom0.data[0].words();
    assert_eq!(idle[1].load(Ordering::Relaxed), 700);
    // The stretch ends when the CPU has something to run.
    let vcpu = dom0.dom.vcpu(0).unwrap();
    hv.sched.set_online(&cpu, &dom0.dom, vcpu, true);
    assert!(hv.sched.next(hv, &mut cpu).is_some());
    world.machine.advance(1000);
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_getcpuinfo, &mut arg), Ok(0));
    assert_eq!(idle[1].load(Ordering::Relaxed), 700);
    arg.max_cpus = 1;
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_getcpuinfo, &mut arg), Ok(0));
    assert_eq!(arg.nr_cpus, 1);
}

#[test]
fn there_is_one_node() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let mut arg = SysctlNumainfo::default();
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_numainfo, &mut arg), Ok(0));
    assert_eq!(arg.num_nodes, 1);
    arg = SysctlNumainfo {
        num_nodes: 64,
        meminfo: DATA_VA,
        distance: DATA_VA + 64,
        ..Default::default()
    };
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_numainfo, &mut arg), Ok(0));
    assert_eq!(arg.num_nodes, 1);
    let words = dom0.data[0].words();
    assert_eq!(words[0].load(Ordering::Relaxed), 16 << 20);
    assert!(words[1].load(Ordering::Relaxed) < 16 << 20);
    assert_eq!(words[8].load(Ordering::Relaxed), 10);
    arg.num_nodes = 0;
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_numainfo, &mut arg), Ok(0));
    assert_eq!(arg.num_nodes, 0);
}

#[test]
fn devices_that_there_are_not_have_no_node() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let mut arg = SysctlPcitopoinfo {
        num_devs: 2,
        devs: DATA_VA,
        nodes: DATA_VA + 64,
        ..Default::default()
    };
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_pcitopoinfo, &mut arg), Ok(0));
    let told = arg.num_devs;
    assert!((1..=2).contains(&told));
    let node = dom0.data[0].words()[8].load(Ordering::Relaxed) as u32;
    assert_eq!(node, XEN_INVALID_DEV);
    arg.nodes = 0;
    let result = op(&world, &dom0, XEN_SYSCTL_pcitopoinfo, &mut arg);
    assert_eq!(errno(result), Errno::EINVAL);
}

#[test]
fn the_scheduler_tells_its_name_and_its_rate_limit() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let mut id = SysctlSchedId::default();
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_sched_id, &mut id), Ok(0));
    assert_eq!(id.sched_id, XEN_SCHEDULER_CREDIT2);
    let rate = |cmd, cpupool_id, ratelimit_us| {
        let mut arg = SysctlSchedulerOp {
            cpupool_id,
            sched_id: XEN_SCHEDULER_CREDIT2,
            cmd,
            ..Default::default()
        };
        arg.set_arm(&SysctlCredit2Schedule { ratelimit_us });
        op(&world, &dom0, XEN_SYSCTL_scheduler_op, &mut arg)
            .map(|_| arg.arm::<SysctlCredit2Schedule>().ratelimit_us)
    };
    let get = || rate(XEN_SYSCTL_SCHEDOP_getinfo, 0, 0);
    let put = |us| rate(XEN_SYSCTL_SCHEDOP_putinfo, 0, us);
    let refused = Err(Fail::Errno(Errno::EINVAL));
    assert_eq!(get(), Ok(1000));
    assert_eq!(put(2500), Ok(2500));
    assert_eq!(put(99), refused);
    assert_eq!(put(500_001), refused);
    assert_eq!(get(), Ok(2500));
    assert_eq!(put(0), Ok(0));
    let nowhere = rate(XEN_SYSCTL_SCHEDOP_getinfo, 1, 0);
    assert_eq!(nowhere, Err(Fail::Errno(Errno::ESRCH)));
    assert_eq!(rate(2, 0, 0), refused);
}

#[test]
fn pool_0_has_all_cpus_and_domains() {
    let world = World::new(3);
    let dom0 = world.domain(0, true, 1);
    world.domain(1, false, 1);
    let mut arg = SysctlCpupoolOp {
        op: XEN_SYSCTL_CPUPOOL_OP_INFO,
        cpumap: XenctlBitmap {
            bitmap: DATA_VA,
            nr_bits: 64,
            _pad0: 0,
        },
        ..Default::default()
    };
    let word = &dom0.data[0].words()[0];
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_cpupool_op, &mut arg), Ok(0));
    let told = (arg.cpupool_id, arg.sched_id, arg.n_dom);
    assert_eq!(told, (0, XEN_SCHEDULER_CREDIT2, 2));
    assert_eq!(word.load(Ordering::Relaxed), 7);
    arg.cpupool_id = 1;
    let result = op(&world, &dom0, XEN_SYSCTL_cpupool_op, &mut arg);
    assert_eq!(errno(result), Errno::ENOENT);
    arg.op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    assert_eq!(op(&world, &dom0, XEN_SYSCTL_cpupool_op, &mut arg), Ok(0));
    assert_eq!(word.load(Ordering::Relaxed), 0);
}

#[test]
fn what_there_is_not_is_refused_as_xen_does() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let refused = |cmd, arg: [u32; 2]| {
        let mut arg = arg;
        errno(op(&world, &dom0, cmd, &mut arg))
    };
    let state = XEN_SYSCTL_get_pmstat;
    assert_eq!(refused(state, [PMSTAT_get_max_cx, 0]), Errno::ENODEV);
    assert_eq!(refused(state, [PMSTAT_get_max_cx, 1]), Errno::EINVAL);
    let set = XEN_SYSCTL_pm_op;
    assert_eq!(refused(set, [GET_CPUFREQ_PARA, 0]), Errno::ENODEV);
    assert_eq!(refused(set, [0x22, 0]), Errno::EOPNOTSUPP);
    let plug = XEN_SYSCTL_cpu_hotplug;
    assert_eq!(refused(plug, [0, 0]), Errno::EEXIST);
    assert_eq!(refused(plug, [0, 1]), Errno::EOPNOTSUPP);
    assert_eq!(refused(plug, [1, 1]), Errno::EINVAL);
    assert_eq!(refused(plug, [9, 3]), Errno::EOPNOTSUPP);
    for (cmd, errno) in [
        (XEN_SYSCTL_psr_cmt_op, Errno::ENODEV),
        (XEN_SYSCTL_psr_alloc, Errno::ENODEV),
        (XEN_SYSCTL_livepatch_op, Errno::EOPNOTSUPP),
        (XEN_SYSCTL_coverage_op, Errno::EOPNOTSUPP),
        (XEN_SYSCTL_tbuf_op, Errno::ENOSYS),
        (XEN_SYSCTL_perfc_op, Errno::ENOSYS),
        (XEN_SYSCTL_lockprof_op, Errno::ENOSYS),
    ] {
        assert_eq!(refused(cmd, [0, 0]), errno);
    }
}
