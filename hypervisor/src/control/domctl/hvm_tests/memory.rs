//! Foreign mappings by the physical map; targets for populating on demand.

use super::*;

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
