//! A control domain's devices: pins, messages, configuration space.

use super::*;
use crate::hvm::devices::{self, Devices};
use crate::hvm::mmio;
use crate::irq::{self, Function};
use crate::platform::ports;
use alloc::boxed::Box;
use machine::ioapic::{self, RouteEntry};
use machine::nested::Kind;
use machine::platform::{ConfigSpace, IoApicEntry, IommuEntry, Platform};

const IO_APIC: u64 = 0xfec0_0000;
const MMCFG: u64 = 0xb000_0000;
const BAR: u64 = 0xfe00_0000;
const EOI: u64 = 0xfee0_00b0;
/// 00:1f.2.
const DEVFN: u8 = 0xfa;
/// Pin of the power-event interrupt.
const SCI: u32 = 9;

/// A world with a device and a domain that drives it, whose local APIC is on.
fn world(pci: bool) -> (World, Arc<Domain>) {
    let bare = World::new(1);
    let mut platform = Platform {
        local_apic: 0xfee0_0000,
        ..Platform::default()
    };
    platform.power.sci = SCI as u16;
    platform.io_apics.push(IoApicEntry {
        id: 2,
        addr: IO_APIC,
        gsi_base: 0,
    });
    platform.config_spaces.push(ConfigSpace {
        addr: MMCFG,
        segment: 0,
        first_bus: 0,
        last_bus: 0xff,
    });
    platform.iommus.push(IommuEntry {
        addr: 0xfed8_0000,
        segment: 0,
        device: 0x18,
        flags: 0,
    });
    let mut hv = crate::testing::hypervisor(bare.machine, crate::xsm::Policy::Dummy);
    hv.platform = Box::leak(Box::new(platform));
    let world = World {
        machine: bare.machine,
        hv: Box::leak(Box::new(hv)),
    };
    device(&world);
    let dom = guest(&world);
    irq::restrict_control_domain(world.hv, &dom).unwrap();
    let own = Devices::new(world.hv, pci).unwrap();
    dom.hvm.get().unwrap().devices.call_once(|| own);
    on(&world, &dom, |cx| {
        let now = cx.cpu.now();
        let hvm = cx.st.hvm.as_mut().unwrap();
        let _ = hvm.lapic.write(reg::SVR, 0x1ff, now);
        cx.vcpu.posted.publish(hvm.lapic.address());
    });
    (world, dom)
}

/// MSI (64-bit, mask bits, 8 messages) at 0x50, MSI-X (4 entries, at 0x1000 of region 4) at 0x70;
/// and an IOMMU at 00:03.0.
fn device(world: &World) {
    let set = |register, value| world.machine.set_config(0, DEVFN, register, value);
    set(0x00, 0x2922_8086);
    set(0x04, 0x0010_0002);
    set(0x08, 0x0106_0102);
    set(0x34, 0x50);
    set(0x50, 0x0186_7005);
    set(0x54, 0);
    set(0x58, 0);
    set(0x5c, 0xabcd_0000);
    set(0x60, 0);
    set(0x64, 0);
    set(0x70, 0x0003_0011);
    set(0x74, 0x1004);
    set(0x78, 0x2004);
    set(0x20, BAR as u32 | 4);
    set(0x24, 0);
    world.machine.set_config(0, 0x18, 0x00, 0x1419_1022);
    world.machine.set_config(0, 0x18, 0x40, 7);
}

fn pin(cx: &mut Cx, number: u64, entry: u64) {
    for (register, value) in [(0x11, entry >> 32), (0x10, entry)] {
        assert!(devices::write(cx, IO_APIC, 4, register + 2 * number));
        assert!(devices::write(cx, IO_APIC + 0x10, 4, value & 0xffff_ffff));
    }
}

fn config_read(cx: &mut Cx, register: u16, bytes: u8) -> u32 {
    let address = 1 << 31 | u32::from(DEVFN) << 8 | u32::from(register & 0xfc);
    ports::write(cx.hv, cx.cpu, cx.dom, 0xcf8, 4, address);
    ports::read(cx.hv, cx.cpu, cx.dom, 0xcfc | register & 3, bytes)
}

fn config_write(cx: &mut Cx, register: u16, bytes: u8, value: u32) {
    let address = 1 << 31 | u32::from(DEVFN) << 8 | u32::from(register & 0xfc);
    ports::write(cx.hv, cx.cpu, cx.dom, 0xcf8, 4, address);
    ports::write(cx.hv, cx.cpu, cx.dom, 0xcfc | register & 3, bytes, value);
}

/// What the guest is given next, when it can take interrupts.
fn next(cx: &mut Cx) -> Option<u8> {
    cx.regs_mut().rflags |= rflags::IF;
    deliver::deliver(cx);
    event(cx).map(|event| event.vector)
}

fn real(gsi: u32) -> RouteEntry {
    ioapic::read_entry(gsi).unwrap()
}

#[test]
fn a_pin_is_masked_from_its_interrupt_to_the_guests_end_of_it() {
    let (world, dom) = world(true);
    on(&world, &dom, |cx| {
        assert!(real(17).masked);
        pin(cx, 17, 0xa051);
        let now = real(17);
        assert!(!now.masked && now.level && now.active_low);
        assert_eq!((now.destination, next(cx)), (0, None));
        irq::handle(cx.hv, cx.cpu, now.vector);
        assert!(real(17).masked);
        assert_eq!((next(cx), next(cx)), (Some(0x51), None));
        assert!(real(17).masked);
        mmio::write(cx, EOI, 4, 0);
        assert_eq!((real(17).masked, next(cx)), (false, None));
        // Masked by the guest: it comes later.
        pin(cx, 17, 0x1_a051);
        irq::handle(cx.hv, cx.cpu, now.vector);
        assert_eq!((next(cx), real(17).masked), (None, true));
        pin(cx, 17, 0xa052);
        assert_eq!(next(cx), Some(0x52));
        // The end by the entry, not by the local APIC.
        pin(cx, 17, 0x1_2052);
        assert!(!real(17).masked);
        mmio::write(cx, EOI, 4, 0);
        // It became edge-triggered, and is served at once.
        pin(cx, 17, 0x0053);
        assert!(!real(17).level);
        irq::handle(cx.hv, cx.cpu, now.vector);
        assert_eq!((real(17).masked, next(cx)), (false, Some(0x53)));
    });
}

#[test]
fn the_hosts_pins_are_not_opened() {
    let (world, dom) = world(true);
    on(&world, &dom, |cx| {
        pin(cx, 0, 0x51);
        assert!(real(0).masked, "the timer");
        let own = RouteEntry {
            vector: 0xf1,
            masked: false,
            ..real(4)
        };
        assert!(ioapic::write_entry(4, own));
        pin(cx, 4, 0xa051);
        assert_eq!(real(4), own, "the console");
        pin(cx, u64::from(SCI), 0xa052);
        let sci = real(SCI);
        assert!(!sci.masked && !sci.active_low, "as the firmware says");
        assert!(devices::write(cx, IO_APIC, 4, 0xff));
        assert!(devices::write(cx, IO_APIC + 0x10, 4, 0x51));
        // Read as bytes.
        assert!(devices::write(cx, IO_APIC, 4, 1));
        assert_eq!(devices::read(cx, IO_APIC + 0x10, 4), Some(0x17_0011));
        assert_eq!(
            devices::read(cx, IO_APIC + 0x12, 1).map(|v| v & 0xff),
            Some(0x17)
        );
    });
}

#[test]
fn a_message_goes_to_whom_the_guest_means() {
    let (world, dom) = world(true);
    let config = |register| world.machine.config(0, DEVFN, register).unwrap();
    on(&world, &dom, |cx| {
        assert_eq!(config_read(cx, 0x00, 4), 0x2922_8086);
        assert_eq!(config_read(cx, 0x50, 4), 0x0180_7005, "one message");
        config_write(cx, 0x54, 4, 0xfee0_0000);
        config_write(cx, 0x58, 4, 0);
        config_write(cx, 0x5c, 2, 0x4061);
        assert_eq!((config(0x54), config(0x5c)), (0, 0xabcd_0000));
        config_write(cx, 0x52, 2, 0x0181);
        assert_eq!(config_read(cx, 0x52, 2), 0x0181);
        assert_eq!(config(0x50) >> 16 & 0x71, 1);
        let vector = config(0x5c) as u8;
        assert_ne!(vector, 0x61);
        assert_eq!(config(0x54), 0xfee0_0000);
        assert_eq!(config_read(cx, 0x5c, 4), 0xabcd_4061);
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!((next(cx), next(cx)), (Some(0x61), None));
        mmio::write(cx, EOI, 4, 0);
        // Another vector, under way.
        config_write(cx, 0x5c, 2, 0x4071);
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), Some(0x71));
        mmio::write(cx, EOI, 4, 0);
        config_write(cx, 0x60, 4, 1);
        assert_eq!((config(0x60), config_read(cx, 0x60, 4)), (1, 1));
        config_write(cx, 0x60, 4, 0);
        assert_eq!(config(0x60), 0);
        // Memory that is no APIC's: nothing comes.
        config_write(cx, 0x58, 4, 1);
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), None);
        config_write(cx, 0x52, 2, 0x0180);
        assert_eq!((config(0x50) >> 16 & 1, config(0x60)), (0, 1));
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), None);
        // Once more, and the same again is no change.
        config_write(cx, 0x52, 2, 0x0181);
        config_write(cx, 0x52, 2, 0x0181);
        assert_eq!(config_read(cx, 0x52, 2), 0x0181);
    });
}

#[test]
fn a_table_of_messages_is_the_hosts_behind_the_guests() {
    let (world, dom) = world(true);
    let nested = dom.hvm.get().unwrap().nested.clone();
    let config = |register| world.machine.config(0, DEVFN, register).unwrap();
    let table = BAR + 0x1000;
    let register = |at: u64| world.machine.register(table + at);
    on(&world, &dom, |cx| {
        // Before anybody knows of the table its page is memory like any other.
        assert!(p2m::map_device(cx, Gfn(table >> 12)));
        assert!(p2m::map_device(cx, Gfn((BAR >> 12) + 2)));
        assert_eq!(config_read(cx, 0x70, 4), 0x0003_0011);
        assert_eq!(nested.lookup(Gfn(table >> 12)), None);
        assert!(!p2m::map_device(cx, Gfn(table >> 12)));
        let other = nested.lookup(Gfn((BAR >> 12) + 2)).unwrap();
        assert_eq!(other.kind, Kind::Mmio);

        for (at, value) in [(0x10, 0xfee0_0000), (0x14, 0), (0x18, 0x62)] {
            assert!(devices::write(cx, table + at, 4, value));
        }
        assert_eq!(register(0x18), None, "not before it is switched on");
        config_write(cx, 0x72, 2, 0x8003);
        assert_eq!(config(0x70) >> 16, 0x8003);
        assert_eq!(register(0x18), None, "it is masked");
        assert!(devices::write(cx, table + 0x1c, 4, 0));
        let vector = register(0x18).unwrap() as u8;
        assert_eq!(
            (register(0x10), register(0x1c)),
            (Some(0xfee0_0000), Some(0))
        );
        assert_eq!(devices::read(cx, table + 0x10, 8), Some(0xfee0_0000));
        assert_eq!(devices::read(cx, table + 0x18, 8), Some(0x62));
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), Some(0x62));
        mmio::write(cx, EOI, 4, 0);
        assert!(devices::write(cx, table + 0x1c, 4, 1));
        assert_eq!(register(0x1c), Some(1));
        assert!(devices::write(cx, table + 0x18, 8, 0x63));
        assert_eq!(register(0x1c), Some(0));
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), Some(0x63));
        // Beside the table: the device's.
        assert!(devices::write(cx, table + 0x800, 4, 5));
        assert_eq!(register(0x800), Some(5));
        assert!(devices::write(cx, table + 0x802, 1, 7));
        assert_eq!(devices::read(cx, table + 0x800, 4), Some(0x7_0005));

        // The memory moves, and the table with it.
        config_write(cx, 0x20, 4, 0xfd00_0004);
        assert!(!devices::traps(cx.hv, cx.dom, Gfn(table >> 12)));
        assert!(devices::traps(cx.hv, cx.dom, Gfn(0xfd001)));
        config_write(cx, 0x04, 2, 0);
        assert!(!devices::traps(cx.hv, cx.dom, Gfn(0xfd001)));
        config_write(cx, 0x72, 2, 3);
        assert_eq!(config(0x70) >> 16, 3);
        irq::handle(cx.hv, cx.cpu, vector);
        assert_eq!(next(cx), None);
    });
}

#[test]
fn configuration_space_in_memory_is_the_same() {
    let (world, dom) = world(true);
    on(&world, &dom, |cx| {
        let at = MMCFG + (u64::from(DEVFN) << 12);
        assert!(devices::traps(cx.hv, cx.dom, Gfn(at >> 12)));
        assert!(!p2m::map_device(cx, Gfn(at >> 12)));
        assert_eq!(devices::read(cx, at, 4), Some(0x2922_8086));
        assert_eq!(devices::read(cx, at + 2, 2), Some(0x2922));
        assert_eq!(
            devices::read(cx, at + 1, 2),
            Some(0xffff_ffff),
            "not aligned"
        );
        assert!(devices::write(cx, at + 0x5c, 2, 0x61));
        assert_eq!(config_read(cx, 0x5c, 2), 0x61);
        assert!(devices::write(cx, at + 0x104, 2, 0x1234));
        assert_eq!(devices::read(cx, at + 0x104, 4), Some(0x1234));
        // No such function, whatever its memory says.
        assert_eq!(devices::read(cx, at + 0x1104, 4), Some(0xffff_ffff));
        // The IOMMU may be looked at.
        let iommu = MMCFG + (0x18 << 12);
        assert!(devices::write(cx, iommu + 0x40, 4, 0));
        assert_eq!(devices::read(cx, iommu + 0x40, 4), Some(7));
        let mapped = p2m::map_device(cx, Gfn(0xfed80));
        assert!(!mapped, "nor its registers");
    });
}

#[test]
fn without_an_iommu_there_is_no_bus() {
    let (world, dom) = world(false);
    on(&world, &dom, |cx| {
        assert_eq!(config_read(cx, 0, 4), u32::MAX);
        config_write(cx, 0x04, 2, 0x407);
        let at = MMCFG + (u64::from(DEVFN) << 12);
        assert_eq!(devices::read(cx, at, 4), Some(0xffff_ffff));
        pin(cx, 17, 0xa051);
        assert!(!real(17).masked);
    });
    assert_eq!(world.machine.config(0, DEVFN, 4), Some(0x0010_0002));
}

#[test]
fn nonsense_does_no_harm() {
    let (world, dom) = world(true);
    let mut x = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    on(&world, &dom, |cx| {
        for _ in 0..20_000 {
            let value = random();
            let bytes = 1 << (value >> 60 & 3);
            let base = match value & 7 {
                0 | 1 => IO_APIC,
                2 | 3 => MMCFG + (u64::from(DEVFN) << 12),
                4 => BAR + 0x1000,
                5 => 0xfec0_0000 | value >> 40 & 0xfff,
                _ => {
                    irq::handle(cx.hv, cx.cpu, (value >> 8) as u8);
                    let _ = next(cx);
                    mmio::write(cx, EOI, 4, 0);
                    continue;
                }
            };
            let offset = (random() & 0xff) & !(bytes - 1);
            if value & 8 != 0 {
                let _ = devices::write(cx, base + offset, bytes, random());
            } else {
                let _ = devices::read(cx, base + offset, bytes);
            }
        }
        let function = Function {
            bus: 0,
            devfn: 0x18,
        };
        devices::config_write(cx.hv, cx.cpu, cx.dom, (function, 0x40), 4, 0);
    });
    assert_eq!(world.machine.config(0, 0x18, 0x40), Some(7));
}
