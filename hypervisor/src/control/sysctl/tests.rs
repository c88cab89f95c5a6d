//! The machine's CPUs and nodes, as the tools see them.

use super::call as hypercall;
use crate::fail::{Fail, HyperResult};
use crate::testing::{DATA_VA, TestDomain, World, call};
use core::sync::atomic::Ordering;
use machine::CpuMask;
use xen_abi::Errno;
use xen_abi::domctl::*;
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
    assert_eq!(refused(set, [0x22, 0]), Errno::ENOSYS);
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

fn pool_op(world: &World, dom0: &TestDomain, arg: &mut SysctlCpupoolOp) -> HyperResult {
    arg.cpumap = XenctlBitmap {
        bitmap: DATA_VA,
        nr_bits: 64,
        _pad0: 0,
    };
    op(world, dom0, XEN_SYSCTL_cpupool_op, arg)
}

/// Does `op` with these numbers; what it says of a pool.
fn pool(world: &World, dom0: &TestDomain, op: u32, id: u32, of: u32) -> Result<u32, Errno> {
    let mut arg = SysctlCpupoolOp {
        op,
        cpupool_id: id,
        sched_id: of,
        cpu: of,
        domid: of,
        ..Default::default()
    };
    match pool_op(world, dom0, &mut arg) {
        Ok(_) => Ok(arg.cpupool_id),
        other => Err(errno(other)),
    }
}

/// The CPUs of pool `id`, or those that are free.
fn pool_cpus(world: &World, dom0: &TestDomain, id: Option<u32>) -> u64 {
    let op = match id {
        Some(_) => XEN_SYSCTL_CPUPOOL_OP_INFO,
        None => XEN_SYSCTL_CPUPOOL_OP_FREEINFO,
    };
    assert_eq!(
        pool(world, dom0, op, id.unwrap_or(0), 0),
        Ok(id.unwrap_or(0))
    );
    dom0.data[0].words()[0].load(Ordering::Relaxed)
}

const ANY: u32 = XEN_SYSCTL_CPUPOOL_PAR_ANY;

#[test]
fn pools_are_made_filled_emptied_and_ended() {
    let world = World::new(4);
    let dom0 = world.domain(0, true, 1);
    let does = |op, id, of| pool(&world, &dom0, op, id, of);
    let cpus = |id| pool_cpus(&world, &dom0, id);
    let (create, destroy) = (XEN_SYSCTL_CPUPOOL_OP_CREATE, XEN_SYSCTL_CPUPOOL_OP_DESTROY);
    let (add, remove) = (XEN_SYSCTL_CPUPOOL_OP_ADDCPU, XEN_SYSCTL_CPUPOOL_OP_RMCPU);
    assert_eq!(does(create, ANY, XEN_SCHEDULER_CREDIT2), Ok(1));
    assert_eq!(does(create, 7, XEN_SCHEDULER_RTDS), Ok(7));
    assert_eq!(does(create, ANY, XEN_SCHEDULER_NULL), Ok(8));
    assert_eq!(does(create, 7, XEN_SCHEDULER_CREDIT2), Err(Errno::EEXIST));
    assert_eq!(does(create, ANY, XEN_SCHEDULER_CREDIT), Err(Errno::ENOENT));
    for _ in 0..4 {
        assert!(does(create, ANY, XEN_SCHEDULER_CREDIT2).is_ok());
    }
    // Twice as many as CPUs.
    let full = does(create, ANY, XEN_SCHEDULER_CREDIT2);
    assert_eq!(full, Err(Errno::ENOSPC));
    assert_eq!(does(destroy, 3, 0), Err(Errno::ENOENT));
    assert_eq!(does(destroy, 0, 0), Err(Errno::EBUSY));

    assert_eq!(does(add, 1, 3), Err(Errno::ENODEV));
    assert_eq!(does(remove, 0, 0), Err(Errno::EINVAL));
    assert_eq!(does(remove, 0, 4), Err(Errno::EINVAL));
    assert_eq!(does(remove, 1, 3), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(does(remove, 9999, 3), Err(Errno::ENOENT));
    assert_eq!(does(remove, 0, 3), Ok(0));
    assert_eq!(does(remove, 0, ANY), Ok(0));
    assert_eq!((cpus(Some(0)), cpus(None)), (0b0011, 0b1100));
    assert_eq!(does(add, 1, ANY), Ok(1));
    assert_eq!(does(add, 7, 3), Ok(7));
    assert_eq!(does(add, 7, ANY), Err(Errno::ENODEV));
    assert_eq!(does(add, 7, 4), Err(Errno::EINVAL));
    assert_eq!(does(add, 2, 3), Err(Errno::ENOENT));
    assert_eq!((cpus(Some(1)), cpus(Some(7))), (0b0100, 0b1000));
    assert_eq!(does(destroy, 1, 0), Err(Errno::EBUSY));
    assert_eq!(does(remove, 1, 2), Ok(1));
    assert_eq!(does(destroy, 1, 0), Ok(1));
    assert_eq!((cpus(Some(0)), cpus(None)), (0b0011, 0b0100));
    let none = does(99, 0, 0);
    assert_eq!(none, Err(Errno::ENOSYS));
}

#[test]
fn a_domain_runs_in_the_pool_that_it_was_moved_to() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 1);
    let guest = world.domain(1, false, 2);
    let (hv, dom) = (world.hv, &guest.dom);
    let does = |op, id, of| pool(&world, &dom0, op, id, of);
    let mut there = world.machine.cpu(1);
    for vcpu in dom.all_vcpus() {
        hv.sched.set_online(&there, dom, vcpu, true);
    }
    let runs = hv.sched.next(hv, &mut there).expect("a vCPU");
    let remove = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    let move_to = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    assert_eq!(
        does(XEN_SYSCTL_CPUPOOL_OP_CREATE, 1, XEN_SCHEDULER_RTDS),
        Ok(1)
    );
    assert_eq!(does(move_to, 1, 1), Err(Errno::ENOENT));
    // The CPU is free once it has left the vCPU.
    let mut arg = SysctlCpupoolOp {
        op: remove,
        cpu: 1,
        ..Default::default()
    };
    let again = pool_op(&world, &dom0, &mut arg);
    assert_eq!(again, Err(Fail::Restart));
    assert!(world.machine.is_kicked(1));
    assert!(!hv.sched.stay(hv, &mut there, dom, &runs));
    assert!(hv.sched.next(hv, &mut there).is_none());
    assert_eq!(pool_op(&world, &dom0, &mut arg), Ok(0));
    assert!(hv.sched.next(hv, &mut there).is_none());
    assert_eq!(does(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 1), Ok(1));
    assert!(hv.sched.next(hv, &mut there).is_none());

    assert_eq!(does(move_to, 1, 0), Err(Errno::EPERM));
    assert_eq!(does(move_to, 1, 5), Err(Errno::ESRCH));
    assert_eq!(does(move_to, 5, 1), Err(Errno::ENOENT));
    assert_eq!(does(move_to, 1, 1), Ok(1));
    assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_none());
    assert!(hv.sched.next(hv, &mut there).is_some());
    assert_eq!(does(remove, 1, 1), Err(Errno::EBUSY));
    let mut arg = SysctlCpupoolOp {
        op: XEN_SYSCTL_CPUPOOL_OP_INFO,
        cpupool_id: 1,
        ..Default::default()
    };
    assert_eq!(pool_op(&world, &dom0, &mut arg), Ok(0));
    assert_eq!((arg.n_dom, arg.sched_id), (1, XEN_SCHEDULER_RTDS));
    // A dying domain makes room.
    dom.dying.store(true, Ordering::SeqCst);
    arg.op = remove;
    arg.cpu = 1;
    let again = pool_op(&world, &dom0, &mut arg);
    assert_eq!(again, Err(Fail::Restart));
    assert!(hv.sched.next(hv, &mut there).is_none());
    assert_eq!(pool_op(&world, &dom0, &mut arg), Ok(0));
    assert_eq!(dom.cpupool.load(Ordering::Relaxed), 0);
    assert!(hv.sched.next(hv, &mut world.machine.cpu(0)).is_some());
}

#[test]
fn affinities_keep_to_the_pool_and_are_mended() {
    let world = World::new(3);
    let dom0 = world.domain(0, true, 2);
    let (hv, dom) = (world.hv, &dom0.dom);
    let cpu = world.machine.cpu(1);
    let does = |op, id, of| pool(&world, &dom0, op, id, of);
    let vcpu = dom.vcpu(1).unwrap();
    let (one, two) = (CpuMask::one(1), CpuMask::one(2));
    let all = hv.all_cpus();
    let remove = XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    hv.sched.set_affinity(&cpu, dom, vcpu, &two, &all).unwrap();
    hv.sched.pin_override(&cpu, dom, vcpu, Some(2)).unwrap();
    assert_eq!(does(remove, 0, 2), Err(Errno::EADDRINUSE));
    hv.sched.pin_override(&cpu, dom, vcpu, None).unwrap();
    assert_eq!(does(remove, 0, 2), Ok(0));
    assert!(vcpu.sched.affinity().0.contains(0));
    let refused = hv.sched.set_affinity(&cpu, dom, vcpu, &two, &all);
    assert_eq!(refused, Err(Errno::EINVAL));
    let refused = hv.sched.pin_override(&cpu, dom, vcpu, Some(2));
    assert_eq!(refused, Err(Errno::EINVAL));
    hv.sched.set_affinity(&cpu, dom, vcpu, &one, &all).unwrap();
    assert_eq!(vcpu.sched.affinity().0, one);
}
