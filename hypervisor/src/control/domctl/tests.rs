//! Placement and entitlement, as the tools set and see them.

use super::call as hypercall;
use crate::fail::{Fail, HyperResult};
use crate::testing::{DATA_VA, TestDomain, World, call};
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Where the test's bitmaps are.
const MAP: u64 = DATA_VA;
const SOFT_MAP: u64 = DATA_VA + 64;

fn op<T: FromBytes + IntoBytes + Immutable>(
    world: &World,
    dom0: &TestDomain,
    cmd: u32,
    domain: u16,
    arg: &mut T,
) -> HyperResult {
    let mut op = Domctl {
        cmd,
        interface_version: XEN_DOMCTL_INTERFACE_VERSION,
        domain,
        ..Default::default()
    };
    op.set_arm(arg);
    let result = world.on(dom0, 0, 0, |cx| {
        call(cx, &mut op, |cx, at| hypercall(cx, [at]))
    });
    *arg = op.arm();
    result
}

fn map(bitmap: u64, nr_bits: u32) -> XenctlBitmap {
    XenctlBitmap {
        bitmap,
        nr_bits,
        _pad0: 0,
    }
}

fn bytes(dom0: &TestDomain, at: u64, len: usize) -> alloc::vec::Vec<u8> {
    let mut bytes = alloc::vec![0; len];
    assert!(dom0.data[0].read((at - DATA_VA) as usize, &mut bytes));
    bytes
}

fn errno(result: HyperResult) -> Errno {
    match result {
        Err(Fail::Errno(errno)) => errno,
        other => panic!("{other:?}"),
    }
}

#[test]
fn affinity_is_set_and_told_with_any_number_of_bits() {
    let world = World::new(3);
    let dom0 = world.domain(0, true, 1);
    world.domain(1, false, 2);
    let both = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    // CPUs 1, 2 and 7, of which there are 1 and 2; soft: all.
    dom0.data[0].write(0, &[0x86, 0xff, 0xff]);
    dom0.data[0].write(64, &[0xff; 8]);
    let mut arg = DomctlVcpuaffinity {
        vcpu: 1,
        flags: both,
        cpumap_hard: map(MAP, 20),
        cpumap_soft: map(SOFT_MAP, 64),
    };
    let set = XEN_DOMCTL_setvcpuaffinity;
    assert_eq!(op(&world, &dom0, set, 1, &mut arg), Ok(0));
    assert_eq!(bytes(&dom0, MAP, 4), [6, 0, 0, 0]);
    assert_eq!(bytes(&dom0, SOFT_MAP, 8), [6, 0, 0, 0, 0, 0, 0, 0]);
    // One bit of it only, and one byte more than there are CPUs.
    let get = XEN_DOMCTL_getvcpuaffinity;
    dom0.data[0].write(0, &[0xff; 200]);
    (arg.cpumap_hard, arg.cpumap_soft) = (map(MAP, 2), map(SOFT_MAP, 300));
    assert_eq!(op(&world, &dom0, get, 1, &mut arg), Ok(0));
    assert_eq!(bytes(&dom0, MAP, 2), [2, 0xff]);
    let soft = bytes(&dom0, SOFT_MAP, 39);
    assert_eq!(soft[0], 7);
    assert!(soft[1..38].iter().all(|&byte| byte == 0));
    assert_eq!(soft[38], 0xff);
    // The other vCPU is as it was.
    (arg.vcpu, arg.flags, arg.cpumap_hard) = (0, XEN_VCPUAFFINITY_HARD, map(MAP, 8));
    assert_eq!(op(&world, &dom0, get, 1, &mut arg), Ok(0));
    assert_eq!(bytes(&dom0, MAP, 1), [7]);
}

#[test]
fn an_affinity_that_is_none_is_refused() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 1);
    world.domain(1, false, 1);
    dom0.data[0].write(0, &[0xfc]);
    let hard = DomctlVcpuaffinity {
        flags: XEN_VCPUAFFINITY_HARD,
        cpumap_hard: map(MAP, 8),
        ..Default::default()
    };
    let set = XEN_DOMCTL_setvcpuaffinity;
    let mut arg = hard;
    // No CPU of the machine; no bits; no map; no flags; no vCPU; no memory.
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EINVAL);
    arg.cpumap_hard.nr_bits = 0;
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EINVAL);
    arg.cpumap_hard = map(0, 8);
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EINVAL);
    arg = DomctlVcpuaffinity { flags: 0, ..hard };
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EINVAL);
    arg = DomctlVcpuaffinity { vcpu: 1, ..hard };
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EINVAL);
    arg.vcpu = 0;
    arg.cpumap_hard = map(0x1000, 8);
    assert_eq!(errno(op(&world, &dom0, set, 1, &mut arg)), Errno::EFAULT);
    assert_eq!(errno(op(&world, &dom0, set, 7, &mut arg)), Errno::ESRCH);
    // More bits than any machine has CPUs.
    arg.cpumap_hard = map(MAP, u32::MAX);
    let get = XEN_DOMCTL_getvcpuaffinity;
    assert_eq!(errno(op(&world, &dom0, get, 1, &mut arg)), Errno::EINVAL);
}

#[test]
fn a_vcpu_tells_how_it_is() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 1);
    let guest = world.domain(1, false, 2);
    let (hv, dom) = (world.hv, &guest.dom);
    let vcpu = dom.vcpu(1).unwrap();
    let mut cpu = world.machine.cpu(1);
    let told = |arg: &mut DomctlGetvcpuinfo| {
        *arg = DomctlGetvcpuinfo {
            vcpu: 1,
            ..Default::default()
        };
        let result = op(&world, &dom0, XEN_DOMCTL_getvcpuinfo, 1, arg);
        assert_eq!(result, Ok(0));
        (arg.online, arg.blocked, arg.running)
    };
    let mut arg = DomctlGetvcpuinfo::default();
    assert_eq!(told(&mut arg), (0, 0, 0));
    hv.sched.set_online(&cpu, dom, vcpu, true);
    assert_eq!(told(&mut arg), (1, 0, 0));
    assert!(hv.sched.next(hv, &mut cpu).is_some());
    world.machine.advance(500);
    assert_eq!(told(&mut arg), (1, 0, 1));
    assert_eq!((arg.cpu_time, arg.cpu), (500, 1));
    hv.sched.block(vcpu);
    assert!(hv.sched.next(hv, &mut cpu).is_none());
    assert_eq!(told(&mut arg), (1, 1, 0));
    let mut beyond = DomctlGetvcpuinfo {
        vcpu: 2,
        ..Default::default()
    };
    let result = op(&world, &dom0, XEN_DOMCTL_getvcpuinfo, 1, &mut beyond);
    assert_eq!(errno(result), Errno::EINVAL);
}

#[test]
fn all_memory_is_of_one_node() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let mut arg = DomctlNodeaffinity {
        nodemap: map(MAP, 64),
    };
    dom0.data[0].write(0, &[0xff; 8]);
    let get = XEN_DOMCTL_getnodeaffinity;
    assert_eq!(op(&world, &dom0, get, 0, &mut arg), Ok(0));
    assert_eq!(bytes(&dom0, MAP, 8), [1, 0, 0, 0, 0, 0, 0, 0]);
    let set = XEN_DOMCTL_setnodeaffinity;
    assert_eq!(op(&world, &dom0, set, 0, &mut arg), Ok(0));
    dom0.data[0].write(0, &[0xfe]);
    assert_eq!(errno(op(&world, &dom0, set, 0, &mut arg)), Errno::EINVAL);
}

fn entitled(cmd: u32, weight: u16, cap: u16) -> DomctlSchedulerOp {
    let mut arg = DomctlSchedulerOp {
        sched_id: XEN_SCHEDULER_CREDIT2,
        cmd,
        ..Default::default()
    };
    arg.set_arm(&DomctlSchedCredit2 { weight, cap });
    arg
}

#[test]
fn weight_and_cap_are_set_within_bounds() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.domain(1, false, 2);
    let get = || {
        let mut arg = entitled(XEN_DOMCTL_SCHEDOP_getinfo, 0, 0);
        let result = op(&world, &dom0, XEN_DOMCTL_scheduler_op, 1, &mut arg);
        assert_eq!(result, Ok(0));
        let DomctlSchedCredit2 { weight, cap } = arg.arm();
        (weight, cap)
    };
    let put = |mut arg: DomctlSchedulerOp| {
        op(&world, &dom0, XEN_DOMCTL_scheduler_op, 1, &mut arg).map_err(|_| ())
    };
    let put_info = XEN_DOMCTL_SCHEDOP_putinfo;
    assert_eq!(get(), (256, 0));
    assert_eq!(put(entitled(put_info, 1024, 150)), Ok(0));
    assert_eq!(get(), (1024, 150));
    // No weight leaves it; two vCPUs can use two CPUs at most.
    assert_eq!(put(entitled(put_info, 0, 200)), Ok(0));
    assert_eq!(get(), (1024, 200));
    assert_eq!(put(entitled(put_info, 1, 201)), Err(()));
    assert_eq!(get(), (1024, 200));
    assert_eq!(put(entitled(put_info, 65535, 0)), Ok(0));
    assert_eq!(get(), (65535, 0));
    let mut other = entitled(put_info, 1, 0);
    other.sched_id = XEN_SCHEDULER_CREDIT;
    assert_eq!(put(other), Err(()));
    assert_eq!(put(entitled(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 0, 0)), Err(()));
    assert_eq!(get(), (65535, 0));
}
