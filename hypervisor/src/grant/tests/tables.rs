//! Size, version and contents of a domain's own table.

use super::*;
use crate::grant;

#[test]
fn setup_lists_the_frames() {
    let world = World::new(1);
    let a = world.domain(1, false, 1);
    let list = a.va(0, 0);
    world.on(&a, 0, 0, |cx| {
        let mut size = GnttabQuerySize {
            dom: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_query_size, &mut size), Ok(0));
        assert_eq!(
            (size.status, size.nr_frames, size.max_nr_frames),
            (GNTST_okay, 1, 64)
        );
        let mut setup = GnttabSetupTable {
            dom: DOMID_SELF,
            nr_frames: 3,
            frame_list: list,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_setup_table, &mut setup), Ok(0));
        assert_eq!(setup.status, GNTST_okay);
        for i in 0..3 {
            let mfn = machine::Mfn(a.data[0].words()[i].load(SeqCst));
            // The domain can map it, but it stands on no account.
            assert!(cx.hv.mem.get_page(mfn, 1).is_some());
        }
        assert_eq!(cx.dom.pages.total(), 0);
        setup.frame_list = 0x1000;
        assert_eq!(op(cx, GNTTABOP_setup_table, &mut setup), Ok(0));
        assert_eq!(setup.status, GNTST_bad_virt_addr);
        for (dom, nr_frames, status) in [
            (DOMID_SELF, 65, GNTST_general_error),
            (DOMID_SELF, u32::MAX, GNTST_general_error),
            (7, 1, GNTST_bad_domain),
        ] {
            let mut arg = GnttabSetupTable {
                dom,
                nr_frames,
                ..setup
            };
            assert_eq!(op(cx, GNTTABOP_setup_table, &mut arg), Ok(0));
            assert_eq!(arg.status, status);
        }
    });
    let b = world.domain(2, false, 1);
    world.on(&b, 0, 0, |cx| {
        let mut size = GnttabQuerySize {
            dom: 1,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_query_size, &mut size), Ok(0));
        assert_eq!(size.status, GNTST_permission_denied);
        let mut version = GnttabGetVersion {
            dom: 1,
            ..Default::default()
        };
        assert_eq!(
            op(cx, GNTTABOP_get_version, &mut version),
            fails(Errno::EPERM)
        );
        assert_eq!(
            grant::call(cx, [GNTTABOP_query_size.into(), 0, 2]),
            fails(Errno::EINVAL)
        );
        assert_eq!(
            grant::call(cx, [0, 0, u32::MAX.into()]),
            fails(Errno::EINVAL)
        );
        assert_eq!(grant::call(cx, [99, 0, 1]), fails(Errno::ENOSYS));
        assert_eq!(
            grant::call(cx, [GNTTABOP_dump_table.into(), 0, 1]),
            fails(Errno::ENOSYS)
        );
    });
}

#[test]
fn version_changes_keep_the_reserved_entries() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let page = table(&world, &b, 0);
    let frame = b.data[1].mfn().0;
    write_v1(&page, 1, GTF_permit_access, 0, frame);
    write_v1(&page, 9, GTF_permit_access, 0, frame);
    let handle = world
        .on(&a, 0, 0, |cx| map_at(cx, WINDOW, GNTMAP_host_map, 1, 9))
        .unwrap();
    world.on(&b, 0, 0, |cx| {
        assert_eq!(set_version(cx, 2), fails(Errno::EBUSY))
    });
    world.on(&a, 0, 0, |cx| {
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_okay)
    });
    world.on(&b, 0, 0, |cx| {
        assert_eq!(set_version(cx, 3), fails(Errno::EINVAL));
        assert_eq!(set_version(cx, 0), fails(Errno::EINVAL));
        assert_eq!(set_version(cx, 2), Ok(0));
        assert_eq!(page.halves()[4].load(SeqCst), GTF_permit_access.into());
        assert_eq!(page.words()[3].load(SeqCst), frame);
        assert!(page.words()[4..].iter().all(|word| word.load(SeqCst) == 0));
        let mut status = GnttabGetStatusFrames {
            nr_frames: 1,
            dom: DOMID_SELF,
            frame_list: b.va(0, 0),
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_get_status_frames, &mut status), Ok(0));
        assert_eq!(status.status, GNTST_okay);
        status.nr_frames = 2;
        assert_eq!(op(cx, GNTTABOP_get_status_frames, &mut status), Ok(0));
        assert_eq!(status.status, GNTST_general_error);
        // Nothing that version 1 could not say.
        write_v2(&page, 2, GTF_transitive, 0, 0, 0);
        assert_eq!(set_version(cx, 1), fails(Errno::EINVAL));
        write_v2(&page, 2, 0, 0, 0, 0);
        assert_eq!(set_version(cx, 1), Ok(0));
        assert_eq!(
            page.words()[1].load(SeqCst),
            frame << 32 | GTF_permit_access as u64
        );
    });
    b.dom.grants.set_limits(64, 1024, 1);
    world.on(&b, 0, 0, |cx| {
        assert_eq!(set_version(cx, 2), fails(Errno::ENOSYS))
    });
}

#[test]
fn status_words_that_are_mapped_stay() {
    let world = World::new(1);
    let b = world.domain(1, false, 1);
    let before = world.free_frames();
    world.on(&b, 0, 0, |cx| {
        assert_eq!(set_version(cx, 2), Ok(0));
        let mut status = GnttabGetStatusFrames {
            nr_frames: 1,
            dom: DOMID_SELF,
            frame_list: b.va(0, 0),
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_get_status_frames, &mut status), Ok(0));
        let frame = b.data[0].words()[0].load(SeqCst);
        let map = |cx: &mut Cx, entry| crate::mem::update_va::call(cx, [WINDOW, entry, 0]);
        assert_eq!(map(cx, frame << 12 | 7), Ok(0));
        for _ in 0..3 {
            assert_eq!(set_version(cx, 1), fails(Errno::EBUSY));
            assert_eq!(set_version(cx, 2), Ok(0));
        }
        // It still is what it was.
        assert_eq!(op(cx, GNTTABOP_get_status_frames, &mut status), Ok(0));
        assert_eq!(b.data[0].words()[0].load(SeqCst), frame);
        assert_eq!(map(cx, 0), Ok(0));
        assert_eq!(map(cx, frame << 12 | 5), Ok(0));
        assert_eq!(map(cx, 0), Ok(0));
        assert_eq!(set_version(cx, 1), Ok(0));
    });
    // What remains is the page of entries.
    assert_eq!(world.free_frames(), before - 1);
}

#[test]
fn entries_swap_unless_in_use() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let page = table(&world, &b, 0);
    write_v1(&page, 8, GTF_permit_access, 0, b.data[1].mfn().0);
    write_v1(&page, 9, GTF_accept_transfer, 5, 77);
    let swap = |cx: &mut Cx, ref_a, ref_b| {
        let mut arg = GnttabSwapGrantRef {
            ref_a,
            ref_b,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_swap_grant_ref, &mut arg), Ok(0));
        arg.status
    };
    world.on(&b, 0, 0, |cx| {
        assert_eq!(swap(cx, 8, 9), GNTST_okay);
        assert_eq!((flags_v1(&page, 8), flags_v1(&page, 9)), (2, 1));
        assert_eq!(page.halves()[17].load(SeqCst), 77);
        assert_eq!(swap(cx, 8, 512), GNTST_bad_gntref);
        assert_eq!(swap(cx, u32::MAX, 8), GNTST_bad_gntref);
    });
    world.on(&a, 0, 0, |cx| {
        map_at(cx, WINDOW, GNTMAP_host_map, 1, 9).unwrap()
    });
    world.on(&b, 0, 0, |cx| assert_eq!(swap(cx, 8, 9), GNTST_eagain));
}

#[test]
fn resource_frames_grow_the_table() {
    let world = World::new(1);
    let a = world.domain(1, false, 1);
    let mut cpu = world.machine.cpu(0);
    let mut frame = |index, status| grant::frame(world.hv, &mut cpu, &a.dom, index, status);
    let second = frame(1, false).unwrap();
    assert_eq!(frame(1, false).unwrap().mfn(), second.mfn());
    assert!(frame(64, false).is_err() && frame(u32::MAX, false).is_err());
    assert!(frame(0, true).is_err());
    drop(cpu);
    world.on(&a, 0, 0, |cx| assert_eq!(set_version(cx, 2), Ok(0)));
    let mut cpu = world.machine.cpu(0);
    let mut frame = |index, status| grant::frame(world.hv, &mut cpu, &a.dom, index, status);
    assert!(frame(0, true).is_ok() && frame(7, true).is_ok() && frame(8, true).is_err());
}
