//! What the tools ask for: maps, promises, resources.

use super::super::call;
use super::*;

#[test]
fn only_the_control_domain_asks_about_others() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let ask = |cx: &mut Cx, domid| op(cx, XENMEM_maximum_reservation, &mut MemoryDomain { domid });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(ask(cx, DOMID_SELF), Ok(1024));
        assert_eq!(ask(cx, 1), Ok(1024));
        assert_eq!(ask(cx, 0), fails(Errno::EPERM));
        assert_eq!(ask(cx, 7), fails(Errno::ESRCH));
        let mut map = MemoryMap::default();
        assert_eq!(
            op(cx, XENMEM_machine_memory_map, &mut map),
            fails(Errno::EPERM)
        );
        assert_eq!(op(cx, XENMEM_memory_map, &mut map), fails(Errno::ENOSYS));
    });
    world.on(&control, 0, 0, |cx| {
        assert_eq!(ask(cx, 1), Ok(1024));
        let entry = E820Entry::new(0, 1 << 20, E820_RAM);
        cx.copy_out(GuestPtr::new(LIST), &entry).unwrap();
        let mut map = ForeignMemoryMap {
            domid: 1,
            map: MemoryMap {
                nr_entries: 1,
                buffer: LIST,
                ..Default::default()
            },
            ..Default::default()
        };
        assert_eq!(op(cx, XENMEM_set_memory_map, &mut map), Ok(0));
        map.map.nr_entries = 1025;
        assert_eq!(
            op(cx, XENMEM_set_memory_map, &mut map),
            fails(Errno::EINVAL)
        );
    });
    world.on(&dom, 0, 0, |cx| {
        let mut map = MemoryMap {
            nr_entries: 5,
            buffer: LIST,
            ..Default::default()
        };
        assert_eq!(op(cx, XENMEM_memory_map, &mut map), Ok(0));
        assert_eq!(map.nr_entries, 1);
        let entry: E820Entry = cx.copy_in(GuestPtr::new(LIST)).unwrap();
        assert_eq!((entry.bytes(), entry.r#type), (1 << 20, E820_RAM));
    });
}

#[test]
fn a_claim_keeps_memory_from_others() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let hv = world.hv;
    control.dom.pages.set_max(u64::MAX);
    dom.dom.pages.set_max(1000);
    let claim = |cx: &mut Cx, nr_extents| {
        let mut arg = MemoryReservation {
            nr_extents,
            domid: 1,
            ..Default::default()
        };
        op(cx, XENMEM_claim_pages, &mut arg)
    };
    world.on(&control, 0, 0, |cx| {
        assert_eq!(claim(cx, 0), Ok(0));
        assert_eq!(claim(cx, 1001), fails(Errno::EINVAL));
        assert_eq!(claim(cx, 1000), Ok(0));
        assert_eq!(claim(cx, 900), fails(Errno::EINVAL));
        assert_eq!(hv.claims.outstanding(), 1000);
        let mut own = extents(1, 0);
        own.extent_start = 0;
        assert_eq!(op(cx, XENMEM_claim_pages, &mut own), fails(Errno::EINVAL));
        // All but what is promised can be had.
        let free = hv.heap.lock().free_frames();
        let mut got = 0;
        while alloc::alloc_domain_pages(hv, cx.cpu, cx.dom, 0, alloc::ANYWHERE).is_ok() {
            got += 1;
        }
        assert_eq!(got, free - 1000);
    });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(populate(cx, &[0], 9), Ok(1));
        assert_eq!(hv.claims.outstanding(), 488);
    });
    world.on(&control, 0, 0, |cx| {
        assert_eq!(claim(cx, 0), Ok(0));
        assert_eq!(hv.claims.outstanding(), 0);
        assert_eq!(populate(cx, &[0], 8), Ok(1));
    });
}

#[test]
fn the_machines_map_has_what_the_hypervisor_keeps() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    control
        .dom
        .irqs
        .permit_iomem(0xfec00, 0xfec00, false)
        .unwrap();
    control
        .dom
        .irqs
        .permit_iomem(0xfee00, 0xfeeff, false)
        .unwrap();
    world.on(&control, 0, 0, |cx| {
        let ask = |cx: &mut Cx, nr_entries, buffer| {
            let mut map = MemoryMap {
                nr_entries,
                buffer,
                ..Default::default()
            };
            (op(cx, XENMEM_machine_memory_map, &mut map), map.nr_entries)
        };
        let ranges = cx.hv.boot.memory.ranges().len() as u32;
        let count = ranges + 2;
        assert_eq!(ask(cx, 0, 0), (Ok(0), count));
        assert_eq!(ask(cx, count, LIST), (fails(Errno::EINVAL), count));
        assert_eq!(ask(cx, count + 1, LIST), (Ok(0), count));
        let at = GuestPtr::<E820Entry>::new(LIST);
        let entry = cx.copy_in(at.add(count as u64 - 1)).unwrap();
        assert_eq!((entry.start(), entry.bytes()), (0xfee0_0000, 0x10_0000));
    });
}

#[test]
fn pv_guests_have_no_physical_map() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let mut one = AddToPhysmap {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_add_to_physmap, &mut one),
            fails(Errno::EACCES)
        );
        one.space = XENMAPSPACE_gmfn_foreign;
        assert_eq!(
            op(cx, XENMEM_add_to_physmap, &mut one),
            fails(Errno::ENOSYS)
        );
        let mut many = AddToPhysmapBatch {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn_range as u16,
            ..Default::default()
        };
        let cmd = XENMEM_add_to_physmap_batch;
        assert_eq!(op(cx, cmd, &mut many), fails(Errno::EOPNOTSUPP));
        many.space = 0;
        assert_eq!(op(cx, cmd, &mut many), fails(Errno::EACCES));
        let mut gone = RemoveFromPhysmap {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_remove_from_physmap, &mut gone),
            fails(Errno::EACCES)
        );
        let mut vnuma = VnumaTopologyInfo {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_get_vnumainfo, &mut vnuma),
            fails(Errno::EOPNOTSUPP)
        );
        assert_eq!(call(cx, [XENMEM_get_sharing_freed_pages.into(), 0]), Ok(0));
    });
}

#[test]
fn the_control_domain_gets_a_guests_grant_frames() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let ask = |cx: &mut Cx, domid, nr_frames, frame_list| {
        let mut arg = MemAcquireResource {
            domid,
            r#type: XENMEM_resource_grant_table,
            nr_frames,
            frame_list,
            ..Default::default()
        };
        (op(cx, XENMEM_acquire_resource, &mut arg), arg.nr_frames)
    };
    world.on(&control, 0, 0, |cx| {
        assert_eq!(ask(cx, DOMID_SELF, 1, LIST).0, fails(Errno::ESRCH));
        assert_eq!(ask(cx, 0, 1, LIST).0, fails(Errno::EPERM));
        let (result, most) = ask(cx, 1, 0, 0);
        assert_eq!(result, Ok(0));
        assert!(most > 1);
        assert_eq!(ask(cx, 1, 2, LIST).0, Ok(0));
        let mfn = read(cx, LIST, 1);
        assert!(cx.hv.mem.get_page(Mfn(mfn), dom.dom.owner()).is_some());
        assert_eq!(ask(cx, 1, most + 1, LIST).0, fails(Errno::EINVAL));
    });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(ask(cx, 0, 1, LIST).0, fails(Errno::EPERM));
    });
}
