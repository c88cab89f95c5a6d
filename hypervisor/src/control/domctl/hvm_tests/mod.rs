//! Hardware-virtualised domains as the tools make, fill, set, look at and end them.

mod context;
mod memory;
mod race;

use self::context::{END, flat_cpu, header, set_context, stream};
use super::call as domctl;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::hvm;
use crate::mem::{memory_op, mmu_update, p2m};
use crate::testing::{TestDomain, World, call};
use ::machine::hvm::{HvmApi, Reg, Seg};
use ::machine::{Gfn, PAGE_SIZE};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::arch_x86::*;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::hvm::save::*;
use xen_abi::hvm::*;
use xen_abi::memory::reservation::*;
use xen_abi::mmu::*;
use zerocopy::{FromBytes, Immutable, IntoBytes};

const HVM: u32 = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;

fn errno<T>(errno: Errno) -> Result<T, Fail> {
    Err(Fail::Errno(errno))
}

/// Makes a call with its arm until it is not restarted any more.
fn tool<T: IntoBytes + FromBytes + Immutable>(
    world: &World,
    control: &TestDomain,
    cmd: u32,
    domain: u16,
    arm: &mut T,
) -> HyperResult {
    let mut op = Domctl {
        cmd,
        interface_version: XEN_DOMCTL_INTERFACE_VERSION,
        domain,
        ..Default::default()
    };
    op.set_arm(arm);
    for _ in 0..100_000 {
        let result = world.on(control, 0, 0, |cx| {
            call(cx, &mut op, |cx, arg| domctl(cx, [arg]))
        });
        if result != Err(Fail::Restart) {
            *arm = op.arm();
            return result;
        }
    }
    panic!("the call never ends");
}

fn plain() -> DomctlCreatedomain {
    DomctlCreatedomain {
        flags: HVM,
        max_vcpus: 2,
        max_evtchn_port: 1023,
        max_grant_frames: -1,
        max_maptrack_frames: -1,
        grant_opts: 2,
        arch: ArchDomainconfig {
            emulation_flags: XEN_X86_EMU_LAPIC,
            misc_flags: 0,
        },
        ..Default::default()
    }
}

fn create(world: &World, control: &TestDomain, id: u16) -> Arc<Domain> {
    let made = tool(world, control, XEN_DOMCTL_createdomain, id, &mut plain());
    assert_eq!(made, Ok(0));
    let mut max = DomctlMaxVcpus { max: 2 };
    assert_eq!(
        tool(world, control, XEN_DOMCTL_max_vcpus, id, &mut max),
        Ok(0)
    );
    let mut max = DomctlMaxMem { max_memkb: 8192 };
    assert_eq!(
        tool(world, control, XEN_DOMCTL_max_mem, id, &mut max),
        Ok(0)
    );
    world.hv.domain(id).unwrap()
}

/// Gives it 2^`order` frames at `gfn`.
fn populate(world: &World, control: &TestDomain, id: u16, gfn: u64, order: u32) -> HyperResult {
    control.data[0].write(0, &gfn.to_le_bytes());
    let mut wish = MemoryReservation {
        extent_start: control.va(0, 0),
        nr_extents: 1,
        extent_order: order,
        mem_flags: 0,
        domid: id,
        ..Default::default()
    };
    world.on(control, 0, 0, |cx| {
        call(cx, &mut wish, |cx, arg| {
            memory_op::call(cx, [XENMEM_populate_physmap.into(), arg])
        })
    })
}

fn param(
    world: &World,
    by: &TestDomain,
    op: u32,
    domid: u16,
    index: u32,
    value: u64,
) -> Result<u64, Fail> {
    let mut arg = HvmParam {
        domid,
        pad: 0,
        index,
        value,
    };
    world
        .on(by, 0, 0, |cx| {
            call(cx, &mut arg, |cx, at| hvm::op::call(cx, [op.into(), at]))
        })
        .map(|_| arg.value)
}

#[test]
fn only_what_can_be_had_together_is_made() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let create = |change: &dyn Fn(&mut DomctlCreatedomain)| {
        let mut arm = plain();
        change(&mut arm);
        tool(&world, &control, XEN_DOMCTL_createdomain, 5, &mut arm)
    };
    for flags in [
        XEN_DOMCTL_CDF_hvm,
        XEN_DOMCTL_CDF_hap,
        HVM | XEN_DOMCTL_CDF_iommu,
        HVM | XEN_DOMCTL_CDF_nested_virt,
        HVM | XEN_DOMCTL_CDF_vpmu,
        HVM | 1 << 31,
    ] {
        let made = create(&|arm| arm.flags = flags);
        assert_eq!(made, errno(Errno::EINVAL), "{flags:#x}");
    }
    for emulated in [
        0,
        XEN_X86_EMU_PIT,
        XEN_X86_EMU_LAPIC | XEN_X86_EMU_IOAPIC,
        XEN_X86_EMU_ALL & !XEN_X86_EMU_VPCI,
    ] {
        let made = create(&|arm| arm.arch.emulation_flags = emulated);
        assert_eq!(made, errno(Errno::EOPNOTSUPP), "{emulated:#x}");
    }
    let made = create(&|arm| arm.arch.emulation_flags = 1 << 11);
    assert_eq!(made, errno(Errno::EINVAL));
    assert_eq!(create(&|_| {}), Ok(0));
    let mut info = DomctlGetdomaininfo::default();
    let get = XEN_DOMCTL_getdomaininfo;
    assert_eq!(tool(&world, &control, get, 5, &mut info), Ok(0));
    let kind = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    assert_eq!(info.flags & kind, kind);
    // A local APIC is no part of a PV guest.
    let made = create(&|arm| arm.flags = 0);
    assert_eq!(made, errno(Errno::EOPNOTSUPP));
}

#[test]
fn a_life_gives_all_memory_back() {
    let world = World::new(2);
    let control = world.domain(0, true, 1);
    let before = world.free_frames();
    for patience in [None, Some(1), Some(3), Some(17)] {
        world.machine.set_patience(patience);
        let dom = create(&world, &control, 3);
        for (gfn, order) in [(0x200, 9), (0x10, 0), (0xf_eff0, 2), (0x400, 3)] {
            assert_eq!(populate(&world, &control, 3, gfn, order), Ok(1));
        }
        // Something is there; beyond what there can be; too large.
        for (gfn, order) in [(0x2ff, 0), (0x200, 9), (1 << 36, 0), (u64::MAX, 0), (0, 9)] {
            assert_eq!(populate(&world, &control, 3, gfn, order), Ok(0), "{gfn:#x}");
        }
        assert_eq!(dom.pages.total(), 512 + 1 + 4 + 8);
        let all = [
            header(),
            (HVM_SAVE_CODE_CPU, 0, flat_cpu().as_bytes().to_vec()),
            END,
        ];
        assert_eq!(set_context(&world, &control, 3, &stream(&all)), Ok(0));
        assert!(dom.vcpu(0).unwrap().sched.online());
        let ended = tool(&world, &control, XEN_DOMCTL_destroydomain, 3, &mut 0u64);
        assert_eq!(ended, Ok(0));
        // Whoever found it before brings nothing in any more.
        let late = world.on(&control, 0, 0, |cx| p2m::populate(cx, &dom, 7, 0, u64::MAX));
        assert!(late.is_none());
        world.machine.set_patience(None);
        world.hv.reap();
        crate::domain::bury(world.hv, &world.machine.cpu(0));
        assert!(world.hv.domains.any(3).is_none());
        drop(dom);
        assert_eq!(world.free_frames(), before);
    }
}

#[test]
fn parameters_are_the_tools_and_some_the_guests() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let other = world.domain(1, false, 1);
    create(&world, &control, 2);
    let set = |index, value| param(&world, &control, HVMOP_set_param, 2, index, value);
    let get = |index| param(&world, &control, HVMOP_get_param, 2, index, 0);
    for (index, value) in [
        (HVM_PARAM_STORE_PFN, 0xf_eff8),
        (HVM_PARAM_STORE_EVTCHN, 1),
        (HVM_PARAM_CONSOLE_PFN, 0xf_eff7),
        (HVM_PARAM_IDENT_PT, 0xfeff_0000),
        (HVM_PARAM_PAGING_RING_PFN, 0xf_eff1),
        (HVM_PARAM_TIMER_MODE, 1),
        (HVM_PARAM_CALLBACK_IRQ, 2 << 56 | 0x31),
    ] {
        assert_eq!(set(index, value), Ok(value));
        assert_eq!(get(index), Ok(value));
    }
    for (index, value) in [
        (HVM_PARAM_TIMER_MODE, 4),
        (HVM_PARAM_STORE_EVTCHN, 1 << 32),
        (HVM_PARAM_VIRIDIAN, 1),
        (HVM_PARAM_NESTEDHVM, 1),
        (HVM_PARAM_ALTP2M, 1),
        (HVM_PARAM_MEMORY_EVENT_CR3, 0),
        (HVM_NR_PARAMS, 0),
        (u32::MAX, 0),
    ] {
        assert_eq!(set(index, value), errno(Errno::EINVAL), "{index}");
    }
    assert_eq!(get(HVM_PARAM_TIMER_MODE), Ok(1));
    assert_eq!(get(HVM_PARAM_TRIPLE_FAULT_REASON), Ok(1));
    // Neither a PV guest's nor anybody else's business.
    let to = |by, id| param(&world, by, HVMOP_set_param, id, HVM_PARAM_STORE_PFN, 1);
    assert_eq!(to(&control, 1), errno(Errno::EINVAL));
    assert_eq!(to(&control, 9), errno(Errno::ESRCH));
    assert_eq!(to(&other, 2), errno(Errno::EPERM));
}

#[test]
fn the_pool_is_what_was_set() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    create(&world, &control, 2);
    world.domain(4, false, 1);
    let call = |cmd, id, size| {
        let mut arm = DomctlPagingMempool { size };
        tool(&world, &control, cmd, id, &mut arm).map(|_| arm.size)
    };
    let (get, set) = (
        XEN_DOMCTL_get_paging_mempool_size,
        XEN_DOMCTL_set_paging_mempool_size,
    );
    assert_eq!(call(get, 2, 0), Ok(1 << 20));
    assert_eq!(call(set, 2, 5 << 20), Ok(5 << 20));
    assert_eq!(call(get, 2, 0), Ok(5 << 20));
    assert_eq!(call(set, 2, 4097), errno(Errno::EINVAL));
    assert_eq!(call(get, 4, 0), errno(Errno::EOPNOTSUPP));
    assert_eq!(call(set, 4, 1 << 20), errno(Errno::EOPNOTSUPP));
}

#[test]
fn tables_fit_in_the_pool() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    create(&world, &control, 2);
    let dom = world.hv.domain(2).unwrap();
    let pool = |pages: u64| {
        let mut arm = DomctlPagingMempool { size: pages << 12 };
        let cmd = XEN_DOMCTL_set_paging_mempool_size;
        assert!(tool(&world, &control, cmd, 2, &mut arm).is_ok());
    };
    let tables = || dom.hvm.get().unwrap().nested.tables();
    // A table of each level, then others of the lowest.
    pool(5);
    assert_eq!(populate(&world, &control, 2, 0, 0), Ok(1));
    assert_eq!(populate(&world, &control, 2, 512, 0), Ok(1));
    assert_eq!(tables(), 5);
    assert_eq!(populate(&world, &control, 2, 1024, 0), Ok(0));
    assert_eq!(populate(&world, &control, 2, 513, 0), Ok(1));
    // Less than there are: they stay.
    pool(2);
    assert_eq!(populate(&world, &control, 2, 514, 0), Ok(1));
    assert_eq!(populate(&world, &control, 2, 1024, 0), Ok(0));
    pool(6);
    assert_eq!(populate(&world, &control, 2, 1024, 0), Ok(1));
    assert_eq!(tables(), 6);
}

#[test]
fn operations_on_virtual_machines_answer_the_control_domain() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    create(&world, &control, 2);
    assert_eq!(populate(&world, &control, 2, 0x10, 0), Ok(1));
    let mem_type = |domid, pfn| {
        let mut arg = HvmGetMemType {
            domid,
            pfn,
            ..Default::default()
        };
        world
            .on(&control, 0, 0, |cx| {
                call(cx, &mut arg, |cx, at| {
                    hvm::op::call(cx, [HVMOP_get_mem_type.into(), at])
                })
            })
            .map(|_| arg.mem_type)
    };
    assert_eq!(mem_type(2, 0x10), Ok(HVMMEM_ram_rw));
    assert_eq!(mem_type(2, 0x11), Ok(HVMMEM_mmio_dm));
    assert_eq!(mem_type(2, u64::MAX), Ok(HVMMEM_mmio_dm));
    assert_eq!(mem_type(0, 0x10), errno(Errno::EINVAL));
    assert_eq!(mem_type(9, 0x10), errno(Errno::ESRCH));
    world.on(&control, 0, 0, |cx| {
        for (op, arg, want) in [
            (HVMOP_flush_tlbs, 0, Errno::EINVAL),
            (HVMOP_set_evtchn_upcall_vector, 8, Errno::EINVAL),
            (HVMOP_guest_request_vm_event, 1, Errno::EINVAL),
            (HVMOP_altp2m, 0, Errno::EOPNOTSUPP),
            (HVMOP_xentrace, 8, Errno::EFAULT),
            (HVMOP_pagetable_dying, 8, Errno::EFAULT),
            (99, 0, Errno::ENOSYS),
        ] {
            let answer = hvm::op::call(cx, [op.into(), arg]);
            assert_eq!(answer, errno(want), "{op}");
        }
    });
}
