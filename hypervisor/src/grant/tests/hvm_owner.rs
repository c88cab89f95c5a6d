//! Grants given by a hardware-virtualised domain: frame numbers are those of its physical map.

use super::*;
use crate::mem::p2m;
use machine::Gfn;
use machine::nested::Leaf;
use xen_abi::memory::physmap::*;
use xen_abi::memory::reservation::*;

const GFN: u64 = DATA_VA >> 12;

fn own(dom: &Domain, world: &World, n: u64) -> Page {
    dom.page(world.hv.mem, Gfn(GFN + n)).unwrap()
}

#[test]
fn a_pv_domain_maps_what_the_guest_frame_is() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.hvm_guest(1, false, 1));
    for version in 1..=2 {
        world.on_hvm(&b, 0, 0, |cx| assert_eq!(set_version(cx, version), Ok(0)));
        let page = table_of(&world, &b, 0);
        let grant = |gref, flags, gfn| match version {
            1 => write_v1(&page, gref, flags, 0, gfn),
            _ => write_v2(&page, gref, flags, 0, 0, gfn),
        };
        let frame = own(&b, &world, 3);
        grant(8, GTF_permit_access, GFN + 3);
        grant(9, GTF_permit_access | GTF_readonly, GFN + 3);
        // A machine frame's number is nothing to the domain, nor is a hole.
        grant(10, GTF_permit_access, frame.mfn().0);
        let held = frame.info().count();
        world.on(&a, 0, 0, |cx| {
            assert_eq!(
                map_at(cx, WINDOW, GNTMAP_host_map, 1, 10),
                Err(GNTST_bad_page)
            );
            assert_eq!(
                map_at(cx, WINDOW, GNTMAP_host_map, 1, 9),
                Err(GNTST_general_error)
            );
            let ro = GNTMAP_host_map | GNTMAP_readonly;
            let first = map_at(cx, WINDOW, GNTMAP_host_map, 1, 8).unwrap();
            let second = map_at(cx, WINDOW + 0x1000, ro, 1, 9).unwrap();
            cx.copy_out(crate::guest::GuestPtr::new(WINDOW + 8), &5u64)
                .unwrap();
            assert_eq!(frame.words()[1].load(SeqCst), 5);
            assert!(frame.info().count() > held);
            assert_eq!(unmap_at(cx, WINDOW, first), GNTST_okay);
            assert_eq!(unmap_at(cx, WINDOW + 0x1000, second), GNTST_okay);
        });
        assert_eq!(
            (frame.info().count(), frame.info().page_type().1),
            (held, 0)
        );
    }
}

#[test]
fn a_frame_that_is_taken_while_it_is_mapped_goes_with_the_mapping() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.hvm_guest(1, false, 1));
    let page = table_of(&world, &b, 0);
    write_v1(&page, 8, GTF_permit_access, 0, GFN + 3);
    let mfn = own(&b, &world, 3).mfn();
    let handle = world.on(&a, 0, 0, |cx| map_at(cx, WINDOW, GNTMAP_host_map, 1, 8));
    world.on_hvm(&b, 0, 0, |cx| {
        let list = DATA_VA;
        cx.copy_out(crate::guest::GuestPtr::new(list), &(GFN + 3))
            .unwrap();
        let mut arg = MemoryReservation {
            extent_start: list,
            nr_extents: 1,
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(memory_op(cx, XENMEM_decrease_reservation, &mut arg), Ok(1));
        // Another frame is there now; the grant in use is still of the old one.
        assert_eq!(memory_op(cx, XENMEM_populate_physmap, &mut arg), Ok(1));
    });
    assert_ne!(own(&b, &world, 3).mfn(), mfn);
    world.hv.reap();
    assert_eq!(
        world.hv.mem.frame(mfn).unwrap().owner(),
        1,
        "not anybody else's"
    );
    world.on(&a, 0, 0, |cx| {
        assert_eq!(unmap_at(cx, WINDOW, handle.unwrap()), GNTST_okay);
    });
    world.hv.reap();
    assert_eq!(world.hv.mem.frame(mfn).unwrap().count(), 0);
    assert_eq!(b.pages.total(), testing::DATA_PAGES as u64);
}

#[test]
fn copies_name_guest_frames() {
    let world = World::new(1);
    let (a, b) = (world.hvm_guest(0, true, 1), world.hvm_guest(1, false, 1));
    let page = table_of(&world, &b, 0);
    write_v1(&page, 8, GTF_permit_access, 0, GFN + 3);
    own(&b, &world, 3).write(5, b"some bytes of data");
    let ptr = |u, domid, offset| GnttabCopyPtr {
        u,
        domid,
        offset,
        _pad0: 0,
    };
    let copy = |source, dest, flags| {
        world.on_hvm(&a, 0, 0, |cx| {
            let mut arg = GnttabCopy {
                source,
                dest,
                len: 6,
                flags,
                ..Default::default()
            };
            assert_eq!(op(cx, GNTTABOP_copy, &mut arg), Ok(0));
            arg.status
        })
    };
    let there = ptr(GFN + 1, DOMID_SELF, 100);
    let st = copy(ptr(8, 1, 5), there, GNTCOPY_source_gref);
    assert_eq!(st, GNTST_okay);
    let mut seen = [0; 6];
    own(&a, &world, 1).read(100, &mut seen);
    assert_eq!(&seen, b"some b");
    assert_eq!(copy(there, ptr(8, 1, 0), GNTCOPY_dest_gref), GNTST_okay);
    own(&b, &world, 3).read(0, &mut seen);
    assert_eq!(&seen, b"some b");
    let machine = ptr(own(&a, &world, 1).mfn().0, DOMID_SELF, 0);
    let st = copy(ptr(8, 1, 5), machine, GNTCOPY_source_gref);
    assert_eq!(st, GNTST_bad_page);
    assert_eq!(
        copy(machine, ptr(8, 1, 0), GNTCOPY_dest_gref),
        GNTST_bad_page
    );
}

fn frames(cx: &mut Cx, n: u32) -> [u64; 2] {
    let list = DATA_VA + 0x800;
    let mut arg = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: n,
        frame_list: list,
        ..Default::default()
    };
    assert_eq!(op(cx, GNTTABOP_setup_table, &mut arg), Ok(0));
    assert_eq!(arg.status, GNTST_okay);
    cx.copy_in(crate::guest::GuestPtr::new(list)).unwrap()
}

#[test]
fn the_tables_own_frames_have_one_place() {
    let world = World::new(1);
    let b = world.hvm_guest(1, false, 1);
    let free = world.free_frames();
    world.on_hvm(&b, 0, 0, |cx| {
        let table = XENMAPSPACE_grant_table;
        assert_eq!(frames(cx, 2), [u64::MAX; 2], "nowhere yet");
        assert_eq!(add(cx, table, 0, GFN + 32), Ok(0));
        assert_eq!(add(cx, table, 1, GFN + 33), Ok(0));
        assert_eq!(frames(cx, 2), [GFN + 32, GFN + 33]);
        // Put somewhere else it leaves its old place.
        assert_eq!(add(cx, table, 1, GFN + 34), Ok(0));
        assert_eq!(frames(cx, 2), [GFN + 32, GFN + 34]);
        assert_eq!(remove(cx, GFN + 33), fails(Errno::ENOENT));
        let frame = super::super::frame(cx.hv, cx.cpu, cx.dom, 1, false).unwrap();
        let seen = cx.dom.page(cx.hv.mem, Gfn(GFN + 34)).unwrap();
        assert_eq!(seen.mfn(), frame.mfn());
        assert_eq!(remove(cx, GFN + 34), Ok(0));
        assert_eq!(frames(cx, 2), [GFN + 32, u64::MAX]);
        // Status words: of version 2 only.
        let status = XENMAPIDX_grant_table_status;
        assert_eq!(add(cx, table, status, GFN + 35), fails(Errno::EINVAL));
        assert_eq!(set_version(cx, 2), Ok(0));
        assert_eq!(add(cx, table, status, GFN + 35), Ok(0));
        assert_eq!(add(cx, table, 64, GFN + 35), fails(Errno::EINVAL));
        assert_eq!(add(cx, table, 1 << 40, GFN + 35), fails(Errno::EINVAL));
        assert_eq!(
            add(cx, XENMAPSPACE_shared_info, 1, GFN),
            fails(Errno::EINVAL)
        );
        assert_eq!(add(cx, XENMAPSPACE_dev_mmio, 1, GFN), fails(Errno::EINVAL));
        // Over memory, which goes.
        let mfn = cx.dom.page(cx.hv.mem, Gfn(GFN + 2)).unwrap().mfn();
        assert_eq!(add(cx, XENMAPSPACE_shared_info, 0, GFN + 2), Ok(0));
        cx.hv.reap();
        assert_eq!(cx.hv.mem.frame(mfn).unwrap().count(), 0);
        assert_eq!(cx.dom.pages.total(), 15);
        assert_eq!(
            add(cx, XENMAPSPACE_shared_info, 0, 1 << 36),
            fails(Errno::EINVAL)
        );
    });
    // Two pages of entries, one of status words; a frame went.
    assert_eq!(world.free_frames(), free - 3 + 1);
}

#[test]
fn memory_moves_with_its_contents() {
    let world = World::new(1);
    let b = world.hvm_guest(1, false, 1);
    own(&b, &world, 1).words()[0].store(11, SeqCst);
    own(&b, &world, 2).words()[0].store(22, SeqCst);
    world.on_hvm(&b, 0, 0, |cx| {
        let word = |cx: &Cx, n| {
            let page = cx.dom.page(cx.hv.mem, Gfn(GFN + n))?;
            Some(page.words()[0].load(SeqCst))
        };
        assert_eq!(add(cx, XENMAPSPACE_gmfn, GFN + 1, GFN + 40), Ok(0));
        assert_eq!((word(cx, 1), word(cx, 40)), (None, Some(11)));
        assert_eq!(
            add(cx, XENMAPSPACE_gmfn, GFN + 1, GFN + 41),
            fails(Errno::EACCES)
        );
        assert_eq!(add(cx, XENMAPSPACE_gmfn, GFN + 40, GFN + 40), Ok(0));
        assert_eq!(word(cx, 40), Some(11));
        let mut range = AddToPhysmap {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn_range,
            idx: GFN + 2,
            gpfn: GFN + 50,
            size: 3,
        };
        world.machine.set_patience(Some(1));
        let result = memory_op(cx, XENMEM_add_to_physmap, &mut range);
        assert_eq!(result, Err(Fail::Restart));
        assert_eq!(
            (word(cx, 2), word(cx, 50), word(cx, 51)),
            (None, Some(22), None)
        );
        world.machine.set_patience(None);
        let [cmd, arg] = [cx.regs().rdi, cx.regs().rsi];
        assert_eq!(cmd, 7 | 1 << 6);
        assert_eq!(crate::mem::memory_op::call(cx, [cmd, arg]), Ok(0));
        assert_eq!((word(cx, 4), word(cx, 52)), (None, Some(0)));
        for (done, errno) in [(4, Errno::EILSEQ), (1 << 16, Errno::EDOM)] {
            let result = crate::mem::memory_op::call(cx, [7 | done << 6, arg]);
            assert_eq!(result, fails(errno));
        }
        // A batch says for each item how it went.
        let mut batch = AddToPhysmapBatch {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn as u16,
            size: 2,
            idxs: DATA_VA,
            gpfns: DATA_VA + 0x100,
            errs: DATA_VA + 0x200,
            ..Default::default()
        };
        use crate::guest::GuestPtr;
        cx.copy_out(GuestPtr::new(batch.idxs), &[GFN + 40, GFN + 39])
            .unwrap();
        cx.copy_out(GuestPtr::new(batch.gpfns), &[GFN + 1, GFN + 2])
            .unwrap();
        assert_eq!(
            memory_op(cx, XENMEM_add_to_physmap_batch, &mut batch),
            Ok(0)
        );
        let errors: [i32; 2] = cx.copy_in(GuestPtr::new(batch.errs)).unwrap();
        assert_eq!(errors, [0, Errno::EACCES.neg() as i32]);
        assert_eq!((word(cx, 1), word(cx, 40)), (Some(11), None));
    });
    assert_eq!(b.pages.total(), testing::DATA_PAGES as u64);
}

#[test]
fn a_map_with_many_holes_is_bounded_and_a_dying_one_takes_nothing_in() {
    let world = World::new(1);
    let b = world.hvm_guest(1, false, 1);
    world.on_hvm(&b, 0, 0, |cx| {
        let nested = b.hvm.get().unwrap().nested.clone();
        let mut last = Ok(0);
        // Each place needs two tables of its own.
        for n in 1..2000u64 {
            last = add(cx, XENMAPSPACE_shared_info, 0, n << 18);
            if last != Ok(0) {
                break;
            }
        }
        assert_eq!(last, fails(Errno::ENOMEM));
        assert!(nested.tables() <= 2048);
    });
    b.dying.store(true, SeqCst);
    let mut cpu = world.machine.cpu(0);
    let page = own(&b, &world, 1);
    let leaf = Leaf::Ram(page.another());
    let result = p2m::set(world.hv, &mut cpu, &b, Gfn(GFN + 99), leaf);
    assert_eq!(result.map(|_| ()), Err(Errno::ESRCH));
    while p2m::relinquish(&cpu, &b).is_err() {}
    assert_eq!(page.info().count(), 2, "its allocation, and this");
    assert!(b.page(world.hv.mem, Gfn(GFN)).is_none());
}

#[test]
fn no_frame_of_such_a_domain_becomes_a_page_table() {
    use xen_abi::mmu::*;
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.hvm_guest(1, false, 1));
    let frame = own(&b, &world, 3);
    world.on(&a, 0, 0, |cx| {
        for cmd in [MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L4_TABLE] {
            let mut arg = MmuextOp {
                cmd,
                arg1: frame.mfn().0,
                ..Default::default()
            };
            let result = testing::call(cx, &mut arg, |cx, at| {
                crate::mem::mmuext::call(cx, [at, 1, 0, 1])
            });
            assert_eq!(result, fails(Errno::EINVAL));
        }
    });
    assert_eq!(frame.info().page_type().1, 0);
}
