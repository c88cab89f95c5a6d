//! Messages: MSI and MSI-X of a device on the simulated machine.

use super::*;

/// A function 1f.2 with MSI (64-bit, mask bits) at 0x50 and MSI-X (4 entries, in region 4 at
/// 0x1000) at 0x70.
fn device(world: &World) {
    let set = |register, value| world.machine.set_config(0, 0xfa, register, value);
    set(0x00, 0x2922_8086);
    set(0x04, 0x0010_0002);
    set(0x34, 0x50);
    set(0x50, 0x0180_7005);
    set(0x54, 0);
    set(0x58, 0xffff_ffff);
    set(0x5c, 0xabcd_0000);
    set(0x60, 0);
    set(0x70, 0x0003_0011);
    set(0x74, 0x1004);
    set(0x20, 0xfe00_0004);
    set(0x24, 0);
}

fn map_message(cx: &mut Cx, entry: Option<i32>) -> Result<u32, Fail> {
    let mut map = PhysdevMapPirq {
        domid: 0x7ff0,
        r#type: MAP_PIRQ_TYPE_MSI_SEG,
        index: -1,
        pirq: -1,
        bus: 0,
        devfn: 0xfa,
        entry_nr: entry.unwrap_or(0),
        table_base: entry.map_or(0, |_| 0xfe00_1000),
        ..Default::default()
    };
    physdev(cx, PHYSDEVOP_map_pirq, &mut map)?;
    Ok(map.pirq as u32)
}

fn unmap(cx: &mut Cx, pirq: u32) {
    let mut arg = PhysdevUnmapPirq {
        domid: 0x7ff0,
        _pad0: 0,
        pirq: pirq as i32,
    };
    assert_eq!(physdev(cx, PHYSDEVOP_unmap_pirq, &mut arg), Ok(0));
}

#[test]
fn a_message_is_written_masked_and_unmasked_when_bound() {
    let world = World::new(1);
    device(&world);
    let dom0 = world.domain(0, true, 1);
    let config = |register| world.machine.config(0, 0xfa, register).unwrap();
    world.on(&dom0, 0, 0, |cx| {
        let pirq = map_message(cx, None).unwrap();
        assert_eq!(pirq, cx.hv.irqs.count() - 1);
        assert_eq!(map_message(cx, None), Err(Fail::Errno(Errno::EEXIST)));
        assert_eq!((config(0x54), config(0x58)), (0xfee0_0000, 0));
        assert_eq!(config(0x5c) >> 16, 0xabcd, "the other half is kept");
        assert_eq!(config(0x60), 1);
        let port = bind(cx, pirq, false).unwrap();
        assert_eq!(config(0x60), 0);
        handle(cx.hv, cx.cpu, config(0x5c) as u8);
        assert!(pending(cx, port));
        assert_eq!(config(0x60), 0);
        // A device forgets in reset; the domain asks for it again.
        world.machine.set_config(0, 0xfa, 0x54, 0);
        let mut at = PhysdevRestoreMsi {
            bus: 0,
            devfn: 0xfa,
        };
        assert_eq!(physdev(cx, PHYSDEVOP_restore_msi, &mut at), Ok(0));
        assert_eq!(config(0x54), 0xfee0_0000);
        close(cx, port);
        assert_eq!(config(0x60), 1);
        let vector = config(0x5c) as u8;
        unmap(cx, pirq);
        assert_eq!(cx.hv.irqs.vectors.line(0, vector), None);
        assert_eq!(map_message(cx, None), Ok(pirq));
    });
}

#[test]
fn several_messages_at_once_need_remapping_and_one_does_not() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    device(&world);
    let map = |count, table_base| {
        world.on(&dom0, 0, 0, |cx| {
            let mut map = PhysdevMapPirq {
                domid: 0x7ff0,
                r#type: MAP_PIRQ_TYPE_MULTI_MSI,
                index: -1,
                pirq: -1,
                bus: 0,
                devfn: 0xfa,
                entry_nr: count,
                table_base,
                ..Default::default()
            };
            physdev(cx, PHYSDEVOP_map_pirq, &mut map)
        })
    };
    for count in [0, -1, 33] {
        assert_eq!(map(count, 0), errno(Errno::EDOM));
    }
    for count in [2, 32] {
        assert_eq!(map(count, 0), errno(Errno::EOPNOTSUPP));
    }
    assert_eq!(map(1, 0x1000), errno(Errno::EINVAL));
    assert_eq!(map(1, 0), Ok(0));
}

#[test]
fn messages_of_a_table_are_each_their_own() {
    let world = World::new(1);
    device(&world);
    let dom0 = world.domain(0, true, 1);
    let register = |entry: u64, at| world.machine.register(0xfe00_1000 + 16 * entry + at);
    world.on(&dom0, 0, 0, |cx| {
        assert_eq!(map_message(cx, Some(4)), Err(Fail::Errno(Errno::EINVAL)));
        let first = map_message(cx, Some(0)).unwrap();
        let last = map_message(cx, Some(3)).unwrap();
        assert_eq!(map_message(cx, Some(3)), Err(Fail::Errno(Errno::EEXIST)));
        assert_ne!(register(0, 8), register(3, 8));
        assert_eq!(
            (register(3, 0), register(3, 4)),
            (Some(0xfee0_0000), Some(0))
        );
        assert_eq!((register(0, 12), register(3, 12)), (Some(1), Some(1)));
        let port = bind(cx, last, false).unwrap();
        assert_eq!((register(0, 12), register(3, 12)), (Some(1), Some(0)));
        handle(cx.hv, cx.cpu, register(3, 8).unwrap() as u8);
        assert!(pending(cx, port));
        unmap(cx, last);
        unmap(cx, first);
        assert_eq!(register(3, 12), Some(1));
    });
}

#[test]
fn a_table_is_nowhere_but_at_a_device() {
    let world = World::new(1);
    device(&world);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        let refused = Err(Fail::Errno(Errno::ENXIO));
        // Region 4 moved onto memory, onto the message area, to no address, switched off.
        for region in [0x20_0004, 0xfee0_0004, 4, 1] {
            world.machine.set_config(0, 0xfa, 0x20, region);
            assert_eq!(map_message(cx, Some(0)), refused, "region {region:#x}");
        }
        world.machine.set_config(0, 0xfa, 0x20, 0xfe00_0004);
        world.machine.set_config(0, 0xfa, 0x04, 0x0010_0000);
        assert_eq!(map_message(cx, Some(0)), refused);
        // A list of capabilities that is a circle ends.
        world.machine.set_config(0, 0xfa, 0x50, 0x0180_5009);
        assert_eq!(map_message(cx, None), Err(Fail::Errno(Errno::ENODEV)));
    });
}
