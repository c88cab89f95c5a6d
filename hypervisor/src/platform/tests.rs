//! Platform operations and ports, on the simulated machine.

use super::*;
use crate::fail::Fail;
use crate::testing::{World, call as with_arg};

fn op(cx: &mut Cx, op: &mut PlatformOp) -> HyperResult {
    with_arg(cx, op, |cx, at| call(cx, [at]))
}

fn asking<T: zerocopy::IntoBytes + zerocopy::Immutable>(cmd: u32, arg: &T) -> PlatformOp {
    let mut op = PlatformOp {
        cmd,
        interface_version: XENPF_INTERFACE_VERSION,
        ..Default::default()
    };
    op.set_arm(arg);
    op
}

fn errno(errno: Errno) -> HyperResult {
    Err(Fail::Errno(errno))
}

#[test]
fn versions_and_privilege_come_first() {
    let world = World::new(1);
    let (dom0, guest) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let mut wrong = asking(9999, &0u32);
    wrong.interface_version = 1;
    world.on(&dom0, 0, 0, |cx| {
        assert_eq!(op(cx, &mut wrong), errno(Errno::EACCES));
        assert_eq!(op(cx, &mut asking(9999, &0u32)), errno(Errno::ENOSYS));
    });
    world.on(&guest, 0, 0, |cx| {
        assert_eq!(op(cx, &mut wrong), errno(Errno::EACCES));
        assert_eq!(op(cx, &mut asking(9999, &0u32)), errno(Errno::EPERM));
    });
}

#[test]
fn cpus_are_told_by_their_ids() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 1);
    world.machine.set_cpuid(1, 0, [0x306a9, 0, 0, 0]);
    world.on(&dom0, 0, 0, |cx| {
        let mut ask = asking(XENPF_get_cpuinfo, &1u32);
        assert_eq!(op(cx, &mut ask), Ok(0));
        let info: XenpfPcpuinfo = ask.arm();
        assert_eq!(
            (info.apic_id, info.flags, info.max_present),
            (1, XEN_PCPU_FLAGS_ONLINE, 1)
        );
        let mut ask = asking(XENPF_get_cpuinfo, &2u32);
        assert_eq!(op(cx, &mut ask), Ok(0));
        assert_eq!(ask.arm::<XenpfPcpuinfo>().flags, XEN_PCPU_FLAGS_INVALID);
        let mut ask = asking(XENPF_get_cpu_version, &0u32);
        assert_eq!(op(cx, &mut ask), Ok(0));
        let version: XenpfPcpuVersion = ask.arm();
        assert_eq!(&version.vendor_id, b"GenuineIntel");
        assert_eq!(
            (version.family, version.model, version.stepping),
            (6, 0x3a, 9)
        );
    });
}

#[test]
fn memory_type_ranges_are_read_from_the_processor() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.machine.set_msr(0xfe, Some(2));
    world.machine.set_msr(0x200, Some(0xc000_0000));
    world.machine.set_msr(0x201, Some(0xff_c000_0800));
    world.on(&dom0, 0, 0, |cx| {
        let mut ask = asking(XENPF_read_memtype, &0u32);
        assert_eq!(op(cx, &mut ask), Ok(0));
        let range: XenpfReadMemtype = ask.arm();
        assert_eq!(
            (range.mfn, range.nr_mfns, range.r#type),
            (0xc0000, 0x40000, 0)
        );
        let mut ask = asking(XENPF_read_memtype, &1u32);
        assert_eq!(op(cx, &mut ask), Ok(0));
        assert_eq!(ask.arm::<XenpfReadMemtype>().nr_mfns, 0);
        let mut ask = asking(XENPF_read_memtype, &2u32);
        assert_eq!(op(cx, &mut ask), errno(Errno::EINVAL));
    });
}

#[test]
fn ports_of_the_host_read_as_ones_and_take_writes() {
    let world = World::new(1);
    let (dom0, guest) = (world.domain(0, true, 1), world.domain(1, false, 1));
    crate::irq::restrict_control_domain(world.hv, &dom0.dom).unwrap();
    for port in [0x20, 0x40, 0x3f8, 0xcf9, 0x60, 0x1f0] {
        world.machine.set_port(port, 0x12);
    }
    let mut cpu = world.machine.cpu(0);
    let mut inb =
        |dom: &crate::testing::TestDomain, port| ports::read(world.hv, &mut cpu, &dom.dom, port, 1);
    for port in [0x20, 0x40, 0x3f8, 0xcf9] {
        assert_eq!(inb(&dom0, port), 0xff, "port {port:#x}");
    }
    assert_eq!(inb(&dom0, 0x60), 0x12);
    assert_eq!(inb(&dom0, 0x1f0), 0x12);
    assert_eq!(inb(&guest, 0x60), 0xff);
    ports::write(world.hv, &mut cpu, &dom0.dom, 0x20, 1, 0x20);
    ports::write(world.hv, &mut cpu, &guest.dom, 0x60, 1, 0x20);
    assert!(world.machine.take_port_writes().is_empty());
    // Half of it may be used.
    ports::write(world.hv, &mut cpu, &dom0.dom, 0x1f, 2, 0x3412);
    assert_eq!(world.machine.take_port_writes(), [(0x1f, 1, 0x12)]);
}

#[test]
fn the_interval_timers_second_channel_is_the_control_domains() {
    let world = World::new(1);
    let (dom0, guest) = (world.domain(0, true, 1), world.domain(1, false, 1));
    for port in [0x40, 0x41, 0x42, 0x43] {
        world.machine.set_port(port, 0x12);
    }
    world.machine.set_port(0x61, 0xac);
    let mut cpu = world.machine.cpu(0);
    let ports = [0x40, 0x41, 0x42, 0x43, 0x61];
    let read = ports.map(|port| ports::read(world.hv, &mut cpu, &dom0.dom, port, 1));
    assert_eq!(read, [0xff, 0xff, 0x12, 0xff, 0xac]);
    let read = ports.map(|port| ports::read(world.hv, &mut cpu, &guest.dom, port, 1));
    assert_eq!(read, [0xff; 5]);
    assert_eq!(ports::read(world.hv, &mut cpu, &dom0.dom, 0x42, 2), 0xffff);
    let writes = [
        (0x40, 1),
        (0x42, 2),
        (0x43, 0x30),
        (0x43, 0x70),
        (0x43, 0xb0),
        (0x43, 0xc2),
        (0x43, 0xee),
        (0x61, 0xff),
    ];
    for dom in [&guest.dom, &dom0.dom] {
        for (port, value) in writes {
            ports::write(world.hv, &mut cpu, dom, port, 1, value);
        }
    }
    ports::write(world.hv, &mut cpu, &dom0.dom, 0x42, 2, 0xb0b0);
    assert_eq!(
        world.machine.take_port_writes(),
        [
            (0x42, 1, 2),
            (0x43, 1, 0xb0),
            (0x43, 1, 0xe8),
            (0x61, 1, 0xaf)
        ]
    );
}

#[test]
fn configuration_space_is_each_domains_own_address() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.machine.set_port(0xcfe, 0x5678);
    let mut cpu = world.machine.cpu(0);
    let dom = &dom0.dom;
    ports::write(world.hv, &mut cpu, dom, 0xcf8, 4, 0x8000_1803);
    assert_eq!(ports::read(world.hv, &mut cpu, dom, 0xcf8, 4), 0x8000_1803);
    assert!(world.machine.take_port_writes().is_empty());
    assert_eq!(ports::read(world.hv, &mut cpu, dom, 0xcfe, 2), 0x5678);
    assert_eq!(world.machine.take_port_writes(), [(0xcf8, 4, 0x8000_1800)]);
    ports::write(world.hv, &mut cpu, dom, 0xcf8, 4, 0x1800);
    assert_eq!(ports::read(world.hv, &mut cpu, dom, 0xcfe, 2), 0xffff);
    assert!(world.machine.take_port_writes().is_empty());
}

#[test]
fn the_guests_own_rules_are_its_level_and_its_bitmap() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        assert!(!ports::guest_may(cx, 0x60, 1));
        cx.st.iopl = 1;
        assert!(ports::guest_may(cx, 0x60, 1));
        cx.st.kernel_mode = false;
        assert!(!ports::guest_may(cx, 0x60, 1));
        cx.st.io_bitmap = dom0.va(2, 0);
        cx.st.io_bitmap_ports = 0x80;
        let page = &dom0.data[2];
        page.write(0x0c, &[0xfe]);
        page.write(0x0d, &[0x00]);
        page.write(0x0e, &[0xff]);
        assert!(ports::guest_may(cx, 0x60, 1));
        assert!(!ports::guest_may(cx, 0x60, 2));
        assert!(ports::guest_may(cx, 0x6c, 4));
        assert!(!ports::guest_may(cx, 0x6d, 4));
        assert!(!ports::guest_may(cx, 0x80, 1));
    });
}

#[test]
fn only_soft_off_is_slept() {
    use machine::arch::sim::PowerEvent;
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let sleep = XenpfEnterAcpiSleep {
        val_a: 5 << 10,
        val_b: 1 << 10,
        sleep_state: 5,
        flags: 0,
    };
    // This machine has no PM1 control register.
    world.on(&dom0, 0, 0, |cx| {
        let mut ask = asking(XENPF_enter_acpi_sleep, &sleep);
        assert_eq!(op(cx, &mut ask), errno(Errno::EPERM));
        let mut ask = asking(
            XENPF_enter_acpi_sleep,
            &XenpfEnterAcpiSleep { flags: 2, ..sleep },
        );
        assert_eq!(op(cx, &mut ask), errno(Errno::EINVAL));
    });
    let _ = PowerEvent::of(|| {});
}

#[test]
fn firmware_answers_what_it_can() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let ask = |kind, index| {
        world.on(&dom0, 0, 0, |cx| {
            let arg = XenpfFirmwareInfo {
                r#type: kind,
                index,
                ..Default::default()
            };
            op(cx, &mut asking(XENPF_firmware_info, &arg))
        })
    };
    assert_eq!(ask(XEN_FW_DISK_INFO, 0), errno(Errno::ESRCH));
    assert_eq!(ask(XEN_FW_VBEDDC_INFO, 0), errno(Errno::ESRCH));
    assert_eq!(ask(XEN_FW_KBD_SHIFT_FLAGS, 0), Ok(0));
    assert_eq!(ask(XEN_FW_KBD_SHIFT_FLAGS, 1), errno(Errno::ESRCH));
    assert_eq!(
        ask(XEN_FW_EFI_INFO, XEN_FW_EFI_VERSION),
        errno(Errno::ENOSYS)
    );
    assert_eq!(ask(99, 0), errno(Errno::EINVAL));
}

#[test]
fn machine_checks_are_none_and_cpus_are_listed() {
    use xen_abi::mca::*;
    let world = World::new(2);
    let (dom0, guest) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let asking = |cmd| Mc {
        cmd,
        interface_version: XEN_MCA_INTERFACE_VERSION,
        ..Default::default()
    };
    let run = |cx: &mut Cx, op: &mut Mc| with_arg(cx, op, |cx, at| mca::call(cx, [at]));
    world.on(&guest, 0, 0, |cx| {
        let mut op = asking(XEN_MC_physcpuinfo);
        assert_eq!(run(cx, &mut op), errno(Errno::EPERM));
    });
    world.on(&dom0, 0, 0, |cx| {
        let mut op = asking(XEN_MC_physcpuinfo);
        assert_eq!(run(cx, &mut op), Ok(0));
        assert_eq!(op.arm::<McPhyscpuinfo>().ncpus, 2);
        let mut arg = McPhyscpuinfo {
            ncpus: 8,
            _pad0: 0,
            info: dom0.va(0, 0),
        };
        op.set_arm(&arg);
        assert_eq!(run(cx, &mut op), Ok(0));
        assert_eq!(op.arm::<McPhyscpuinfo>().ncpus, 2);
        let list = GuestPtr::<McinfoLogicalCpu>::new(dom0.va(0, 0));
        let second = cx.copy_in(list.add(1)).unwrap();
        assert_eq!((second.mc_cpunr, second.mc_apicid), (1, 1));
        assert!(second.mc_vendorid.starts_with(b"GenuineIntel"));
        arg.ncpus = 0;
        op.set_arm(&arg);
        assert_eq!(run(cx, &mut op), errno(Errno::EINVAL));
        let mut op = asking(XEN_MC_fetch);
        op.set_arm(&McFetch {
            flags: XEN_MC_URGENT,
            data: 0x1000,
            ..Default::default()
        });
        assert_eq!(run(cx, &mut op), Ok(0));
        assert_eq!(op.arm::<McFetch>().flags, XEN_MC_NODATA);
        assert_eq!(run(cx, &mut asking(99)), errno(Errno::EINVAL));
        op.interface_version = 1;
        assert_eq!(run(cx, &mut op), errno(Errno::EACCES));
    });
}
