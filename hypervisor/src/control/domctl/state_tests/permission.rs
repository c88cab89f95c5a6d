//! Interrupts, ports and memory of devices.

use super::{fails, op, worlds};
use crate::cx::Cx;
use crate::fail::Fail;
use crate::mem::pte::{P, PAT_PSE, PCD, PWT, Pte, US};
use crate::testing;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::event_channel::{EVTCHNOP_bind_pirq, EvtchnBindPirq};
use xen_abi::physdev::{MAP_PIRQ_TYPE_GSI, PHYSDEVOP_map_pirq, PhysdevMapPirq};

#[test]
fn permission_is_what_was_given() {
    let (world, dom0, dom1) = worlds();
    let irqs = &dom1.dom.irqs;
    let ioport = |first_port, nr_ports, allow_access| DomctlIoportPermission {
        first_port,
        nr_ports,
        allow_access,
        ..Default::default()
    };
    let iomem = |first_mfn, nr_mfns, allow_access| DomctlIomemPermission {
        first_mfn,
        nr_mfns,
        allow_access,
        ..Default::default()
    };
    world.on(&dom0, 0, 0, |cx| {
        let cmd = XEN_DOMCTL_ioport_permission;
        assert_eq!(op(cx, cmd, 1, &mut ioport(0x2f8, 8, 1)), Ok(0));
        assert!(irqs.port_allowed(0x2f8, 8) && !irqs.port_allowed(0x2f7, 2));
        assert!(!irqs.port_allowed(0x300, 1));
        assert_eq!(op(cx, cmd, 1, &mut ioport(0x2f8, 1, 0)), Ok(0));
        assert!(!irqs.port_allowed(0x2f8, 1) && irqs.port_allowed(0x2f9, 1));
        assert_eq!(op(cx, cmd, 1, &mut ioport(0x20, 1, 1)), fails(Errno::EPERM));
        for (first, count) in [(0, 0), (0xffff, 2), (u32::MAX, 2), (0, u32::MAX)] {
            let result = op(cx, cmd, 1, &mut ioport(first, count, 1));
            assert_eq!(result, fails(Errno::EINVAL));
        }
        let cmd = XEN_DOMCTL_iomem_permission;
        assert_eq!(op(cx, cmd, 1, &mut iomem(0xfe000, 2, 1)), Ok(0));
        assert!(irqs.iomem_range_allowed(0xfe000, 0xfe001) && !irqs.iomem_allowed(0xfe002));
        assert_eq!(op(cx, cmd, 1, &mut iomem(0xfe001, 1, 0)), Ok(0));
        assert!(!irqs.iomem_allowed(0xfe001));
        for (first, count, errno) in [
            (5, 0, Errno::EINVAL),
            (5, u64::MAX, Errno::EINVAL),
            (0, u64::MAX, Errno::EPERM),
        ] {
            let result = op(cx, cmd, 1, &mut iomem(first, count, 1));
            assert_eq!(result, fails(errno));
        }
        let mut map = DomctlMemoryMapping {
            first_mfn: 0xfe000,
            nr_mfns: 1,
            ..Default::default()
        };
        assert_eq!(op(cx, XEN_DOMCTL_memory_mapping, 1, &mut map), Ok(0));
        map.nr_mfns = 2;
        let result = op(cx, XEN_DOMCTL_memory_mapping, 1, &mut map);
        assert_eq!(result, fails(Errno::EPERM));
        let gsi = |gsi, flags| DomctlGsiPermission { gsi, flags };
        let end = cx.hv.irqs.gsi_end();
        for (pin, flags, result) in [
            (end, 1, fails(Errno::EINVAL)),
            (1, 2, fails(Errno::EINVAL)),
            (
                0,
                1,
                fails(if end > 0 { Errno::EPERM } else { Errno::EINVAL }),
            ),
        ] {
            let cmd = XEN_DOMCTL_gsi_permission;
            assert_eq!(op(cx, cmd, 1, &mut gsi(pin, flags)), result);
        }
        let mut irq = DomctlIrqPermission {
            pirq: u32::MAX,
            ..Default::default()
        };
        let result = op(cx, XEN_DOMCTL_irq_permission, 1, &mut irq);
        assert_eq!(result, fails(Errno::EINVAL));
    });
}

/// As `xl create` does it for `irqs` and `iomem`: the guest can then use just these.
#[test]
fn a_guest_uses_what_it_was_given() {
    let (world, dom0, dom1) = worlds();
    let bind = |cx: &mut Cx, pirq| {
        let mut arg = EvtchnBindPirq {
            pirq,
            ..Default::default()
        };
        testing::call(cx, &mut arg, |cx, at| {
            crate::event::call(cx, [EVTCHNOP_bind_pirq.into(), at])
        })
    };
    let permit = |cx: &mut Cx, pirq, allow_access| {
        let mut arg = DomctlIrqPermission {
            pirq,
            allow_access,
            ..Default::default()
        };
        op(cx, XEN_DOMCTL_irq_permission, 1, &mut arg)
    };
    let map = |cx: &mut Cx, domid| {
        let mut arg = PhysdevMapPirq {
            domid,
            r#type: MAP_PIRQ_TYPE_GSI,
            index: 5,
            pirq: 5,
            ..Default::default()
        };
        testing::call(cx, &mut arg, |cx, at| {
            crate::irq::physdev_op(cx, [PHYSDEVOP_map_pirq.into(), at])
        })
    };
    // How its own memory is cached is nothing for a guest without devices.
    let own = world.page(dom1.dom.owner());
    let caching = |expected| {
        world.on(&dom1, 0, 0, |cx| {
            for bit in [PWT, PCD, PAT_PSE] {
                let pte = Pte(own.mfn().0 << 12 | P | US | bit);
                assert_eq!(cx.tables().get_l1e(pte, 1), expected);
            }
        });
    };
    caching(Err(Fail::Errno(Errno::EINVAL)));
    world.on(&dom0, 0, 0, |cx| {
        for stranger in [77, 0x7ff1, 0x7ff4, u16::MAX] {
            assert_eq!(map(cx, stranger), fails(Errno::ESRCH));
        }
        assert_eq!(map(cx, 1), Ok(0));
        assert_eq!(permit(cx, 5, 1), Ok(0));
        let mut memory = DomctlIomemPermission {
            first_mfn: 0xfe000,
            nr_mfns: 1,
            allow_access: 1,
            ..Default::default()
        };
        let cmd = XEN_DOMCTL_iomem_permission;
        assert_eq!(op(cx, cmd, 1, &mut memory), Ok(0));
    });
    world.on(&dom1, 0, 0, |cx| {
        assert_eq!(map(cx, 1), fails(Errno::EPERM));
        assert_eq!(bind(cx, 6), fails(Errno::EPERM));
        assert_eq!(bind(cx, 5), Ok(0));
        let mut entry = |mfn: u64| cx.tables().get_l1e(Pte(mfn << 12 | 7), 1);
        assert_eq!(entry(0xfe000), Ok(()));
        assert_eq!(entry(0xfe001), Err(Fail::Errno(Errno::EPERM)));
    });
    caching(Ok(()));
    world.on(&dom0, 0, 0, |cx| assert_eq!(permit(cx, 5, 0), Ok(0)));
    assert!(!dom1.dom.irqs.line_allowed(5));
}
