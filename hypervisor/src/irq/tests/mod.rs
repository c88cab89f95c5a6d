//! Range sets, numbers, delivery and messages, on the simulated machine.

mod messages;

use super::*;
use crate::cx::Cx;
use crate::event;
use crate::fail::Fail;
use crate::testing::{World, call};
use machine::ioapic;
use xen_abi::Errno;
use xen_abi::event_channel::*;
use xen_abi::physdev::*;

fn physdev<T>(cx: &mut Cx, cmd: u32, arg: &mut T) -> Result<i64, Fail>
where
    T: xen_abi::compat::Layout,
{
    call(cx, arg, |cx, at| physdev_op(cx, [u64::from(cmd), at]))
}

fn errno(errno: Errno) -> Result<i64, Fail> {
    Err(Fail::Errno(errno))
}

/// Maps a pin under its own number and binds it; the port.
fn bind_gsi(cx: &mut Cx, gsi: u32, share: bool) -> Result<u32, Fail> {
    let mut map = PhysdevMapPirq {
        domid: 0x7ff0,
        r#type: MAP_PIRQ_TYPE_GSI,
        index: gsi as i32,
        pirq: gsi as i32,
        ..Default::default()
    };
    physdev(cx, PHYSDEVOP_map_pirq, &mut map)?;
    bind(cx, map.pirq as u32, share)
}

fn bind(cx: &mut Cx, pirq: u32, share: bool) -> Result<u32, Fail> {
    let mut bind = EvtchnBindPirq {
        pirq,
        flags: if share { BIND_PIRQ__WILL_SHARE } else { 0 },
        port: 0,
    };
    call(cx, &mut bind, |cx, at| {
        event::call(cx, [u64::from(EVTCHNOP_bind_pirq), at])
    })?;
    Ok(bind.port)
}

fn close(cx: &mut Cx, port: u32) {
    let mut arg = EvtchnClose { port };
    let closed = call(cx, &mut arg, |cx, at| {
        event::call(cx, [u64::from(EVTCHNOP_close), at])
    });
    assert_eq!(closed, Ok(0));
}

fn pending(cx: &mut Cx, port: u32) -> bool {
    event::port_pending(cx.dom, port).unwrap()
}

fn vector(gsi: u32) -> u8 {
    ioapic::read_entry(gsi).unwrap().vector
}

fn setup(cx: &mut Cx, gsi: i32, triggering: u8, polarity: u8) -> Result<i64, Fail> {
    let mut arg = PhysdevSetupGsi {
        gsi,
        triggering,
        polarity,
        _pad0: 0,
    };
    physdev(cx, PHYSDEVOP_setup_gsi, &mut arg)
}

#[test]
fn a_level_line_stays_masked_until_its_end() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        assert_eq!(setup(cx, 20, 0, 0), Ok(0));
        assert_eq!(setup(cx, 20, 1, 1), Ok(0));
        assert_eq!(setup(cx, 24, 1, 1), errno(Errno::EINVAL));
        let port = bind_gsi(cx, 20, true).unwrap();
        assert_eq!(setup(cx, 20, 0, 0), errno(Errno::EEXIST));
        let entry = ioapic::read_entry(20).unwrap();
        assert!(entry.level && entry.active_low && !entry.masked);
        assert!((0x30..=0xef).contains(&entry.vector));
        handle(cx.hv, cx.cpu, entry.vector);
        assert!(pending(cx, port));
        assert!(ioapic::read_entry(20).unwrap().masked);
        let mut end = PhysdevEoi { irq: 20 };
        assert_eq!(physdev(cx, PHYSDEVOP_eoi, &mut end), Ok(0));
        assert!(!ioapic::read_entry(20).unwrap().masked);
        close(cx, port);
        assert!(ioapic::read_entry(20).unwrap().masked);
    });
    assert_eq!(world.machine.eois(0), 1);
}

#[test]
fn an_edge_line_is_never_masked() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        let port = bind_gsi(cx, 4, false).unwrap();
        let entry = ioapic::read_entry(4).unwrap();
        assert!(!entry.level && !entry.active_low && !entry.masked);
        handle(cx.hv, cx.cpu, entry.vector);
        assert!(pending(cx, port));
        assert!(!ioapic::read_entry(4).unwrap().masked);
        assert_eq!(bind(cx, 4, false), Err(Fail::Errno(Errno::EEXIST)));
    });
}

#[test]
fn an_interrupt_that_nobody_takes_is_ended_and_masked() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        let port = bind_gsi(cx, 21, true).unwrap();
        let at = vector(21);
        close(cx, port);
        handle(cx.hv, cx.cpu, at);
        assert!(ioapic::read_entry(21).unwrap().masked);
        handle(cx.hv, cx.cpu, 0x99);
    });
    assert_eq!(world.machine.eois(0), 2);
}

#[test]
fn the_hosts_own_pins_are_not_for_domains() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let guest = world.domain(1, false, 1);
    world.on(&dom0, 0, 0, |cx| {
        let entry = ioapic::RouteEntry {
            vector: 0xfc,
            masked: false,
            ..ioapic::read_entry(4).unwrap()
        };
        ioapic::write_entry(4, entry);
        assert_eq!(setup(cx, 4, 0, 0), errno(Errno::EEXIST));
        assert_eq!(bind_gsi(cx, 4, true), Err(Fail::Errno(Errno::EBUSY)));
    });
    world.on(&guest, 0, 0, |cx| {
        assert_eq!(bind_gsi(cx, 5, true), Err(Fail::Errno(Errno::EPERM)));
        assert_eq!(bind(cx, 5, true), Err(Fail::Errno(Errno::EPERM)));
        assert_eq!(setup(cx, 20, 1, 1), errno(Errno::EPERM));
        let mut end = PhysdevEoi { irq: 5 };
        assert_eq!(physdev(cx, PHYSDEVOP_eoi, &mut end), errno(Errno::EINVAL));
    });
}

#[test]
fn a_line_follows_its_vcpu_and_lets_the_old_vector_go() {
    let world = World::new(2);
    let dom0 = world.domain(0, true, 2);
    let (old, new) = world.on(&dom0, 0, 0, |cx| {
        let port = bind_gsi(cx, 22, true).unwrap();
        let old = ioapic::read_entry(22).unwrap();
        assert_eq!(old.destination, 0);
        let mut arg = EvtchnBindVcpu { port, vcpu: 1 };
        let moved = call(cx, &mut arg, |cx, at| {
            event::call(cx, [u64::from(EVTCHNOP_bind_vcpu), at])
        });
        assert_eq!(moved, Ok(0));
        let new = ioapic::read_entry(22).unwrap();
        assert_eq!(new.destination, 1);
        // One that was on its way still arrives.
        handle(cx.hv, cx.cpu, old.vector);
        assert!(pending(cx, port));
        (old.vector, new.vector)
    });
    let mut cpu = world.machine.cpu(1);
    assert!(world.hv.irqs.vectors.line(0, old).is_some());
    handle(world.hv, &mut cpu, new);
    assert_eq!(world.hv.irqs.vectors.line(0, old), None);
}

#[test]
fn two_domains_share_a_level_line_until_both_have_served_it() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let guest = world.domain(1, false, 1);
    guest.dom.irqs.permit_line(23, true).unwrap();
    let at = world.on(&dom0, 0, 0, |cx| {
        bind_gsi(cx, 23, true).unwrap();
        let mut map = PhysdevMapPirq {
            domid: 1,
            r#type: MAP_PIRQ_TYPE_GSI,
            index: 23,
            pirq: -1,
            ..Default::default()
        };
        assert_eq!(physdev(cx, PHYSDEVOP_map_pirq, &mut map), Ok(0));
        assert_eq!(map.pirq, 16);
        vector(23)
    });
    world.on(&guest, 0, 0, |cx| {
        assert_eq!(bind(cx, 16, false), Err(Fail::Errno(Errno::EBUSY)));
        bind(cx, 16, true).unwrap();
        handle(cx.hv, cx.cpu, at);
        eoi(cx.hv, cx.cpu, &dom0.dom, 23).unwrap();
        assert!(ioapic::read_entry(23).unwrap().masked);
        eoi(cx.hv, cx.cpu, cx.dom, 16).unwrap();
        assert!(!ioapic::read_entry(23).unwrap().masked);
        // A domain that goes while the interrupt is with it takes its claim along.
        handle(cx.hv, cx.cpu, at);
        eoi(cx.hv, cx.cpu, &dom0.dom, 23).unwrap();
        destroy(cx.hv, cx.cpu, cx.dom);
        assert!(!ioapic::read_entry(23).unwrap().masked);
    });
}

#[test]
fn the_page_of_bits_says_what_needs_an_end() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    let page = &dom0.data[3];
    world.on(&dom0, 0, 0, |cx| {
        bind_gsi(cx, 17, true).unwrap();
        let mut query = PhysdevIrqStatusQuery { irq: 17, flags: 0 };
        assert_eq!(physdev(cx, PHYSDEVOP_irq_status_query, &mut query), Ok(0));
        assert_eq!(query.flags, XENIRQSTAT_needs_eoi | XENIRQSTAT_shared);
        let mut map = PhysdevPirqEoiGmfn { gmfn: page.mfn().0 };
        assert_eq!(physdev(cx, PHYSDEVOP_pirq_eoi_gmfn_v2, &mut map), Ok(0));
        assert_eq!(
            physdev(cx, PHYSDEVOP_pirq_eoi_gmfn_v1, &mut map),
            errno(Errno::EBUSY)
        );
        bind_gsi(cx, 18, true).unwrap();
        bind_gsi(cx, 3, true).unwrap();
        let bits = page.u32_at(0).unwrap();
        assert_eq!(bits.load(core::sync::atomic::Ordering::Relaxed), 3 << 17);
        assert_eq!(physdev(cx, PHYSDEVOP_irq_status_query, &mut query), Ok(0));
        assert_eq!(query.flags, XENIRQSTAT_shared);
        let mut unmap = PhysdevUnmapPirq {
            domid: 0,
            _pad0: 0,
            pirq: 17,
        };
        assert_eq!(physdev(cx, PHYSDEVOP_unmap_pirq, &mut unmap), Ok(0));
        assert_eq!(bits.load(core::sync::atomic::Ordering::Relaxed), 1 << 18);
    });
}

#[test]
fn numbers_are_refused_as_xen_does() {
    let world = World::new(1);
    let dom0 = world.domain(0, true, 1);
    world.on(&dom0, 0, 0, |cx| {
        let mut end = PhysdevEoi { irq: u32::MAX };
        assert_eq!(physdev(cx, PHYSDEVOP_eoi, &mut end), errno(Errno::EINVAL));
        let mut unmap = |domid, pirq| {
            let mut arg = PhysdevUnmapPirq {
                domid,
                _pad0: 0,
                pirq,
            };
            physdev(cx, PHYSDEVOP_unmap_pirq, &mut arg)
        };
        assert_eq!(unmap(0x7ff0, -1), errno(Errno::EINVAL));
        assert_eq!(unmap(0x7ff0, 50), errno(Errno::EINVAL));
        assert_eq!(unmap(77, 1), errno(Errno::ESRCH));
        let mut map = |r#type, index, pirq| {
            let mut arg = PhysdevMapPirq {
                domid: 0x7ff0,
                r#type,
                index,
                pirq,
                ..Default::default()
            };
            physdev(cx, PHYSDEVOP_map_pirq, &mut arg)
        };
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, 24, -1), errno(Errno::EINVAL));
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, -1, -1), errno(Errno::EINVAL));
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, 5, 1 << 20), errno(Errno::EINVAL));
        assert_eq!(map(MAP_PIRQ_TYPE_UNKNOWN, 5, -1), errno(Errno::EINVAL));
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, 5, 5), Ok(0));
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, 5, -1), Ok(0));
        assert_eq!(map(MAP_PIRQ_TYPE_GSI, 6, 5), errno(Errno::EEXIST));
        // No device answers on the simulated bus.
        assert_eq!(map(MAP_PIRQ_TYPE_MSI, -1, -1), errno(Errno::ENODEV));
        assert_eq!(map(MAP_PIRQ_TYPE_MSI, 0, -1), errno(Errno::EINVAL));
        let mut iopl = PhysdevSetIopl { iopl: 4 };
        assert_eq!(
            physdev(cx, PHYSDEVOP_set_iopl, &mut iopl),
            errno(Errno::EINVAL)
        );
        assert_eq!(physdev(cx, 99, &mut iopl), errno(Errno::ENOSYS));
    });
}

#[test]
fn a_guest_is_refused_before_its_number_is_looked_at() {
    let world = World::new(1);
    let guest = world.domain(1, false, 1);
    world.on(&guest, 0, 0, |cx| {
        for (domid, pirq, expected) in [
            (0x7ff0, -1, Errno::EPERM),
            (0x7ff0, 5, Errno::EPERM),
            (77, -1, Errno::ESRCH),
        ] {
            let mut arg = PhysdevUnmapPirq {
                domid,
                _pad0: 0,
                pirq,
            };
            assert_eq!(physdev(cx, PHYSDEVOP_unmap_pirq, &mut arg), errno(expected));
        }
    });
}

#[test]
fn range_sets_join_and_split() {
    let mut set = RangeSet::new();
    set.add(10, 19).unwrap();
    set.add(30, 39).unwrap();
    set.add(20, 29).unwrap();
    assert_eq!(set.iter().collect::<alloc::vec::Vec<_>>(), [(10, 39)]);
    set.remove(15, 24).unwrap();
    assert_eq!(
        set.iter().collect::<alloc::vec::Vec<_>>(),
        [(10, 14), (25, 39)]
    );
    assert!(set.contains(10, 14) && !set.contains(10, 15) && !set.contains(14, 25));
    assert!(set.intersects(12, 30) && set.intersects(20, 25) && !set.intersects(15, 24));
    set.remove(0, 12).unwrap();
    set.remove(30, u64::MAX).unwrap();
    assert_eq!(
        set.iter().collect::<alloc::vec::Vec<_>>(),
        [(13, 14), (25, 29)]
    );
    set.remove(14, 26).unwrap();
    assert_eq!(
        set.iter().collect::<alloc::vec::Vec<_>>(),
        [(13, 13), (27, 29)]
    );
    set.add(0, u64::MAX).unwrap();
    assert_eq!(set.iter().collect::<alloc::vec::Vec<_>>(), [(0, u64::MAX)]);
    set.remove(0, u64::MAX).unwrap();
    assert_eq!(set.iter().count(), 0);
    assert_eq!(set.add(2, 1), Err(Errno::EINVAL));
}

#[test]
fn range_sets_agree_with_a_plain_table() {
    let (mut set, mut plain) = (RangeSet::new(), [false; 64]);
    let mut seed = 7u64;
    let mut random = |n: u64| {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    for _ in 0..20_000 {
        let (a, b) = (random(64), random(64));
        let (first, last) = (a.min(b), a.max(b));
        let on = random(2) == 0;
        if on {
            set.add(first, last).unwrap();
        } else {
            set.remove(first, last).unwrap();
        }
        plain[first as usize..=last as usize].fill(on);
        for at in 0..64u64 {
            assert_eq!(set.contains(at, at), plain[at as usize]);
        }
        let ranges: alloc::vec::Vec<_> = set.iter().collect();
        assert!(ranges.windows(2).all(|w| w[0].1 + 1 < w[1].0));
    }
}

#[test]
fn vectors_run_out_one_cpu_after_the_other() {
    let world = World::new(2);
    let vectors = &world.hv.irqs.vectors;
    let slots: alloc::vec::Vec<_> = core::iter::from_fn(|| vectors.take(1, 7)).collect();
    // 0x30 to 0xef without 0x80, twice.
    assert_eq!(slots.len(), 2 * 191);
    assert!(slots.iter().take(191).all(|slot| slot.cpu == 1));
    assert!(slots.iter().all(|slot| slot.vector != 0x80));
    vectors.give(slots[5]);
    assert_eq!(vectors.take(0, 9), Some(slots[5]));
    assert_eq!(vectors.line(1, slots[5].vector), Some(9));
}
