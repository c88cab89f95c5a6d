//! The state of vCPUs as a stream of records.

use super::*;

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

pub fn set_context(world: &World, control: &TestDomain, id: u16, bytes: &[u8]) -> HyperResult {
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

pub fn stream(records: &[(u16, u16, Vec<u8>)]) -> Vec<u8> {
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

pub fn header() -> (u16, u16, Vec<u8>) {
    let header = HvmSaveHeader {
        magic: HVM_FILE_MAGIC,
        version: HVM_FILE_VERSION,
        ..Default::default()
    };
    (HVM_SAVE_CODE_HEADER, 0, header.as_bytes().to_vec())
}

pub const END: (u16, u16, Vec<u8>) = (HVM_SAVE_CODE_END, 0, Vec::new());

pub fn flat_cpu() -> HvmHwCpu {
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
