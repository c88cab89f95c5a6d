//! Hardware-virtualised domains as the tools make, fill, set, look at and end them.

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

/// The whole state; the control domain's data pages are the buffer.
fn context(world: &World, control: &TestDomain, id: u16) -> Vec<u8> {
    let mut arm = DomctlHvmcontext::default();
    let get = XEN_DOMCTL_gethvmcontext;
    assert_eq!(tool(world, control, get, id, &mut arm), Ok(0));
    let most = arm.size;
    arm.buffer = control.va(0, 0);
    arm.size = most - 1;
    assert_eq!(
        tool(world, control, get, id, &mut arm),
        errno(Errno::ENOSPC)
    );
    arm.size = most;
    assert_eq!(tool(world, control, get, id, &mut arm), Ok(0));
    let mut bytes = vec![0; arm.size as usize];
    for (page, part) in control.data.iter().zip(bytes.chunks_mut(PAGE_SIZE)) {
        page.read(0, part);
    }
    bytes
}

fn set_context(world: &World, control: &TestDomain, id: u16, bytes: &[u8]) -> HyperResult {
    for (page, part) in control.data.iter().zip(bytes.chunks(PAGE_SIZE)) {
        page.write(0, part);
    }
    let mut arm = DomctlHvmcontext {
        size: bytes.len() as u32,
        _pad0: 0,
        buffer: control.va(0, 0),
    };
    tool(world, control, XEN_DOMCTL_sethvmcontext, id, &mut arm)
}

/// A stream's records.
fn records(mut stream: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let Ok((head, rest)) = HvmSaveDescriptor::read_from_prefix(stream) {
        let (record, rest) = rest.split_at(head.length as usize);
        found.push((head.typecode, head.instance, record.to_vec()));
        stream = rest;
    }
    found
}

fn stream(records: &[(u16, u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (typecode, instance, record) in records {
        let head = HvmSaveDescriptor {
            typecode: *typecode,
            instance: *instance,
            length: record.len() as u32,
        };
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(record);
    }
    bytes
}

fn header() -> (u16, u16, Vec<u8>) {
    let header = HvmSaveHeader {
        magic: HVM_FILE_MAGIC,
        version: HVM_FILE_VERSION,
        ..Default::default()
    };
    (HVM_SAVE_CODE_HEADER, 0, header.as_bytes().to_vec())
}

const END: (u16, u16, Vec<u8>) = (HVM_SAVE_CODE_END, 0, Vec::new());

fn flat_cpu() -> HvmHwCpu {
    HvmHwCpu {
        cr0: 0x11,
        rip: 0x10_0000,
        rbx: 0x7000,
        rflags: 2,
        cs_limit: u32::MAX,
        cs_arbytes: 0xc9b,
        ds_limit: u32::MAX,
        ds_arbytes: 0xc93,
        ss_limit: u32::MAX,
        ss_arbytes: 0xc93,
        tr_limit: 0x67,
        tr_arbytes: 0x8b,
        ..Default::default()
    }
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
fn a_context_is_what_was_set() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let dom = create(&world, &control, 2);
    let first = records(&context(&world, &control, 2));
    let codes: Vec<u16> = first.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes.first(), Some(&HVM_SAVE_CODE_HEADER));
    assert_eq!(codes.last(), Some(&HVM_SAVE_CODE_END));
    // No vCPU is up; both have the rest.
    assert!(!codes.contains(&HVM_SAVE_CODE_CPU));
    let count = |code| codes.iter().filter(|c| **c == code).count();
    assert_eq!(
        (count(HVM_SAVE_CODE_MTRR), count(HVM_SAVE_CODE_LAPIC)),
        (2, 2)
    );
    // As libxc starts a domain: memory types, then registers.
    let mut mtrr = HvmHwMtrr::default();
    let (_, _, record) = first
        .iter()
        .find(|(c, ..)| *c == HVM_SAVE_CODE_MTRR)
        .unwrap();
    mtrr.as_mut_bytes().copy_from_slice(record);
    mtrr.msr_mtrr_def_type = 6 | 1 << 11;
    let set = |code, record: &[u8]| {
        let all = [header(), (code, 0, record.to_vec()), END];
        set_context(&world, &control, 2, &stream(&all))
    };
    assert_eq!(set(HVM_SAVE_CODE_MTRR, mtrr.as_bytes()), Ok(0));
    let cpu = flat_cpu();
    assert_eq!(set(HVM_SAVE_CODE_CPU, cpu.as_bytes()), Ok(0));
    {
        let vcpu = dom.vcpu(0).unwrap();
        assert!(vcpu.sched.online() && !dom.vcpu(1).unwrap().sched.online());
        let state = vcpu.state.lock();
        let hvm = state.hvm.as_ref().unwrap();
        assert_eq!(
            (hvm.state.regs.rip, hvm.state.regs.rbx),
            (0x10_0000, 0x7000)
        );
        assert_eq!(hvm.state.get(Reg::Cr0), 0x11);
        assert_eq!(hvm.state.segment(Seg::Cs).attributes, 0xc9b);
        assert_eq!(hvm.mtrr.read(0x2ff), Some(0x806));
    }
    // One record, and all of them again.
    let mut part = DomctlHvmcontextPartial {
        r#type: HVM_SAVE_CODE_CPU.into(),
        instance: 0,
        bufsz: PAGE_SIZE as u64,
        buffer: control.va(0, 0),
    };
    let get = XEN_DOMCTL_gethvmcontext_partial;
    assert_eq!(tool(&world, &control, get, 2, &mut part), Ok(0));
    assert_eq!(part.bufsz, size_of::<HvmHwCpu>() as u64);
    part.bufsz -= 1;
    let short = tool(&world, &control, get, 2, &mut part);
    assert_eq!(short, errno(Errno::ENOSPC));
    for (kind, instance, want) in [
        (HVM_SAVE_CODE_CPU.into(), 1, Errno::ENOENT),
        (HVM_SAVE_CODE_CPU.into(), 2, Errno::ENOENT),
        (HVM_SAVE_CODE_PIC.into(), 0, Errno::EINVAL),
        (u32::MAX, 0, Errno::EINVAL),
    ] {
        (part.r#type, part.instance, part.buffer) = (kind, instance, 0);
        assert_eq!(tool(&world, &control, get, 2, &mut part), errno(want));
    }
    let all = context(&world, &control, 2);
    assert_eq!(set_context(&world, &control, 2, &all), Ok(0));
    let again = context(&world, &control, 2);
    let without_tsc = |stream: &[u8]| {
        let mut records = records(stream);
        for (code, _, record) in &mut records {
            if *code == HVM_SAVE_CODE_CPU {
                let at = core::mem::offset_of!(HvmHwCpu, tsc);
                record[at..at + 8].fill(0);
            }
        }
        records
    };
    assert_eq!(without_tsc(&all), without_tsc(&again));
}

#[test]
fn malformed_streams_are_refused() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let dom = create(&world, &control, 2);
    let set = |records: &[_]| set_context(&world, &control, 2, &stream(records));
    let cpu = |change: &dyn Fn(&mut HvmHwCpu)| {
        let mut cpu = flat_cpu();
        change(&mut cpu);
        (HVM_SAVE_CODE_CPU, 0, cpu.as_bytes().to_vec())
    };
    let invalid = || errno(Errno::EINVAL);
    assert_eq!(set(&[]), errno(Errno::ENODATA));
    assert_eq!(set(&[header()]), errno(Errno::ENODATA));
    assert_eq!(set(&[END]), invalid());
    assert_eq!(set(&[header(), header(), END]), invalid());
    let mut bad = header();
    bad.2[0] ^= 1;
    assert_eq!(set(&[bad, END]), invalid());
    for record in [
        cpu(&|c| c.cr0 = 1 << 31),
        cpu(&|c| c.cr0 = 1 << 32 | 1),
        cpu(&|c| c.cr4 = 1 << 13),
        cpu(&|c| c.msr_efer = 1 << 12),
        cpu(&|c| c.msr_efer = 1 << 10),
        cpu(&|c| c.pending_event = 1 << 31 | 7 << 8),
        (HVM_SAVE_CODE_CPU, 2, flat_cpu().as_bytes().to_vec()),
        (HVM_SAVE_CODE_CPU, 0, vec![0; 8]),
        (HVM_SAVE_CODE_MTRR, 0, vec![0xff; size_of::<HvmHwMtrr>()]),
        (HVM_SAVE_CODE_LAPIC, 0, vec![0xff; size_of::<HvmHwLapic>()]),
        (
            HVM_SAVE_CODE_VMCE_VCPU,
            0,
            vec![0xff; size_of::<HvmVmceVcpu>()],
        ),
        (HVM_SAVE_CODE_TSC_ADJUST, 0, vec![1; 8]),
        (HVM_SAVE_CODE_CPU_XSAVE, 0, vec![0xff; 700]),
        (HVM_SAVE_CODE_CPU_MSR, 0, vec![1, 0, 0, 0, 0, 0, 0, 0]),
        (HVM_SAVE_CODE_PIC, 0, vec![0; 8]),
        (99, 0, vec![]),
    ] {
        let code = record.0;
        assert_eq!(set(&[header(), record, END]), invalid(), "{code}");
    }
    assert!(!dom.vcpu(0).unwrap().sched.online());
    // What came before the end that is missing was taken.
    assert_eq!(set(&[header(), cpu(&|_| {})]), errno(Errno::ENODATA));
    assert!(dom.vcpu(0).unwrap().sched.online());
    // A length beyond the buffer, a buffer that is none, too long a one.
    let mut short = stream(&[header(), cpu(&|_| {}), END]);
    short.truncate(short.len() - 9);
    let refused = set_context(&world, &control, 2, &short);
    assert_eq!(refused, errno(Errno::ENODATA));
    for (size, buffer, want) in [
        (64, 0x66_6666_0000, Errno::EFAULT),
        (u32::MAX, control.va(0, 0), Errno::E2BIG),
    ] {
        let mut arm = DomctlHvmcontext {
            size,
            _pad0: 0,
            buffer,
        };
        let refused = tool(&world, &control, XEN_DOMCTL_sethvmcontext, 2, &mut arm);
        assert_eq!(refused, errno(want));
    }
    // Not for PV guests, nor for who calls.
    world.domain(4, false, 1);
    for id in [0, 4] {
        let mut arm = DomctlHvmcontext::default();
        let refused = tool(&world, &control, XEN_DOMCTL_gethvmcontext, id, &mut arm);
        assert_eq!(refused, errno(Errno::EINVAL));
    }
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

/// Sets entry 500 of the control domain's own table to `gfn` of domain 2.
fn map(world: &World, control: &TestDomain, how: u64, frame: u64) -> HyperResult {
    let mut update = MmuUpdate {
        ptr: control.l1.mfn().addr() + 500 * 8 + how,
        val: frame << 12 | 7,
    };
    world.on(control, 0, 0, |cx| {
        call(cx, &mut update, |cx, at| {
            mmu_update::call(cx, [at, 1, 0, 2])
        })
    })
}

#[test]
fn the_control_domain_maps_by_the_physical_map() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let before = world.free_frames();
    let dom = create(&world, &control, 2);
    assert_eq!(populate(&world, &control, 2, 0x200, 9), Ok(1));
    let entry = || control.l1.words()[500].load(Ordering::Relaxed);
    let page = dom.page(world.hv.mem, Gfn(0x234)).unwrap();
    assert_eq!(map(&world, &control, MMU_NORMAL_PT_UPDATE, 0x234), Ok(0));
    assert_eq!(entry() >> 12, page.mfn().0);
    assert_eq!(
        map(&world, &control, MMU_PT_UPDATE_PRESERVE_AD, 0x235),
        Ok(0)
    );
    assert_eq!(entry() >> 12, page.mfn().0 + 1);
    // By its own number, as frames of a resource are mapped.
    let own = MMU_PT_UPDATE_NO_TRANSLATE;
    assert_eq!(map(&world, &control, own, page.mfn().0), Ok(0));
    assert_eq!(entry() >> 12, page.mfn().0);
    for hole in [0, 0x1ff, 0x400, 1 << 36, (1 << 40) - 1] {
        let refused = map(&world, &control, MMU_NORMAL_PT_UPDATE, hole);
        assert_eq!(refused, errno(Errno::EINVAL), "{hole:#x}");
    }
    assert_eq!(entry() >> 12, page.mfn().0);
    // What it maps outlives the domain, and ends with the entry.
    drop(page);
    let ended = tool(&world, &control, XEN_DOMCTL_destroydomain, 2, &mut 0u64);
    assert_eq!(ended, Ok(0));
    drop(dom);
    world.hv.reap();
    crate::domain::bury(world.hv, &world.machine.cpu(0));
    let zombie = world.hv.domains.any(2).expect("its memory is mapped");
    assert_eq!(zombie.pages.total(), 1);
    drop(zombie);
    assert_eq!(
        map(&world, &control, MMU_NORMAL_PT_UPDATE, 0x234),
        errno(Errno::ESRCH)
    );
    let mut clear = MmuUpdate {
        ptr: control.l1.mfn().addr() + 500 * 8,
        val: 0,
    };
    let cleared = world.on(&control, 0, 0, |cx| {
        call(cx, &mut clear, |cx, at| {
            mmu_update::call(cx, [at, 1, 0, 0x7ff0])
        })
    });
    assert_eq!(cleared, Ok(0));
    world.hv.reap();
    crate::domain::bury(world.hv, &world.machine.cpu(0));
    assert!(world.hv.domains.any(2).is_none());
    assert_eq!(world.free_frames(), before);
}

#[test]
fn a_target_for_populating_on_demand_is_taken() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    create(&world, &control, 2);
    world.domain(4, false, 1);
    assert_eq!(populate(&world, &control, 2, 0, 4), Ok(1));
    let target = |op: u32, domid, target_pages| {
        let mut arg = PodTarget {
            target_pages,
            domid,
            tot_pages: 99,
            pod_entries: 99,
            ..Default::default()
        };
        let result = world.on(&control, 0, 0, |cx| {
            call(cx, &mut arg, |cx, at| memory_op::call(cx, [op.into(), at]))
        });
        result.map(|_| (arg.tot_pages, arg.pod_entries))
    };
    assert_eq!(target(XENMEM_set_pod_target, 2, 8), Ok((16, 0)));
    assert_eq!(target(XENMEM_get_pod_target, 2, 0), Ok((16, 0)));
    let beyond = target(XENMEM_set_pod_target, 2, 1 << 40);
    assert_eq!(beyond, errno(Errno::EINVAL));
    assert_eq!(target(XENMEM_set_pod_target, 4, 8), errno(Errno::EINVAL));
    assert_eq!(target(XENMEM_set_pod_target, 7, 8), errno(Errno::ESRCH));
}
