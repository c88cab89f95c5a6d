//! `GNTTABOP_copy`, and what is refused.

use super::*;

fn copy(cx: &mut Cx, source: GnttabCopyPtr, dest: GnttabCopyPtr, len: u16, flags: u16) -> i16 {
    let mut arg = GnttabCopy {
        source,
        dest,
        len,
        flags,
        ..Default::default()
    };
    assert_eq!(op(cx, GNTTABOP_copy, &mut arg), Ok(0));
    arg.status
}

fn ptr(u: u64, domid: u16, offset: u16) -> GnttabCopyPtr {
    GnttabCopyPtr {
        u,
        domid,
        offset,
        _pad0: 0,
    }
}

#[test]
fn between_a_grant_and_a_page_of_ones_own() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let page = table(&world, &b, 0);
    write_v1(&page, 8, GTF_permit_access, 0, b.data[3].mfn().0);
    write_v1(
        &page,
        9,
        GTF_permit_access | GTF_readonly,
        0,
        b.data[3].mfn().0,
    );
    b.data[3].write(5, b"some bytes of data");
    let own = a.data[0].mfn().0;
    let source = GNTCOPY_source_gref;
    world.on(&a, 0, 0, |cx| {
        let st = copy(cx, ptr(9, 1, 5), ptr(own, DOMID_SELF, 4090), 6, source);
        assert_eq!(st, GNTST_okay);
        let mut seen = [0; 6];
        a.data[0].read(4090, &mut seen);
        assert_eq!(&seen, b"some b");
        let st = copy(
            cx,
            ptr(own, DOMID_SELF, 0),
            ptr(8, 1, 0),
            4096,
            GNTCOPY_dest_gref,
        );
        assert_eq!(st, GNTST_okay);
        assert_eq!(
            b.data[3].words()[511].load(SeqCst),
            a.data[0].words()[511].load(SeqCst)
        );
        for (from, to, len, flags, status) in [
            (
                ptr(9, 1, 0),
                ptr(own, DOMID_SELF, 1),
                4096,
                source,
                GNTST_bad_copy_arg,
            ),
            (
                ptr(9, 1, 0xffff),
                ptr(own, DOMID_SELF, 0),
                1,
                source,
                GNTST_bad_copy_arg,
            ),
            (
                ptr(9, 1, 0),
                ptr(own, 0, 0),
                1,
                source,
                GNTST_permission_denied,
            ),
            (
                ptr(9, 1, 0),
                ptr(b.data[0].mfn().0, 1, 0),
                1,
                source,
                GNTST_permission_denied,
            ),
            (
                ptr(9, 1, 0),
                ptr(b.data[0].mfn().0, DOMID_SELF, 0),
                1,
                source,
                GNTST_bad_page,
            ),
            (
                ptr(9, 1, 0),
                ptr(u64::MAX, DOMID_SELF, 0),
                1,
                source,
                GNTST_bad_page,
            ),
            (
                ptr(9, 1, 0),
                ptr(a.l1.mfn().0, DOMID_SELF, 0),
                1,
                source,
                GNTST_general_error,
            ),
            (ptr(9, 1, 0), ptr(9, 1, 0), 1, 3, GNTST_general_error),
            (
                ptr(7, 1, 0),
                ptr(own, DOMID_SELF, 0),
                1,
                source,
                GNTST_general_error,
            ),
            (
                ptr(9, 5, 0),
                ptr(own, DOMID_SELF, 0),
                1,
                source,
                GNTST_bad_domain,
            ),
            (
                ptr(600, 1, 0),
                ptr(own, DOMID_SELF, 0),
                1,
                source,
                GNTST_bad_gntref,
            ),
        ] {
            assert_eq!(copy(cx, from, to, len, flags), status, "{from:?} {to:?}");
        }
    });
    for gref in [8, 9] {
        assert_eq!(flags_v1(&page, gref) & (GTF_reading | GTF_writing), 0);
    }
}

#[test]
fn within_a_part_of_a_page_and_through_another_domain() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let c = world.domain(2, false, 1);
    for t in [&b, &c] {
        table(&world, t, 0);
        world.on(t, 0, 0, |cx| assert_eq!(set_version(cx, 2), Ok(0)));
    }
    let (tb, tc) = (table(&world, &b, 0), table(&world, &c, 0));
    c.data[2].write(100, b"far away");
    // c lets b, and through it a, see 8 bytes.
    let part = 100 | 8 << 16;
    let kind = GTF_permit_access | GTF_sub_page;
    write_v2(&tc, 20, kind, 1, part, c.data[2].mfn().0);
    write_v2(&tb, 30, GTF_transitive, 0, 2, 20);
    write_v2(&tb, 31, GTF_transitive, 0, 1, 30);
    write_v2(&tb, 32, GTF_transitive, 0, 9, 20);
    write_v2(&tc, 21, GTF_transitive, 1, 1, 30);
    write_v2(&tb, 33, GTF_transitive, 0, 2, 21);
    let own = a.data[0].mfn().0;
    world.on(&a, 0, 0, |cx| {
        let flags = GNTCOPY_source_gref;
        let to = ptr(own, DOMID_SELF, 0);
        assert_eq!(copy(cx, ptr(30, 1, 100), to, 8, flags), GNTST_okay);
        let mut seen = [0; 8];
        a.data[0].read(0, &mut seen);
        assert_eq!(&seen, b"far away");
        for (gref, offset, len) in [
            (30, 99, 8),
            (30, 100, 9),
            (31, 100, 8),
            (32, 100, 8),
            (33, 100, 8),
        ] {
            let from = ptr(gref, 1, offset);
            assert_eq!(
                copy(cx, from, to, len, flags),
                GNTST_general_error,
                "{gref}"
            );
        }
        assert_eq!(copy(cx, ptr(20, 2, 100), to, 8, flags), GNTST_general_error);
    });
    for t in [&b, &c] {
        let mut cpu = world.machine.cpu(0);
        let status = super::super::frame(world.hv, &mut cpu, &t.dom, 0, true).unwrap();
        assert!(status.words().iter().all(|word| word.load(SeqCst) == 0));
    }
}

#[test]
fn transfers_are_refused_and_cost_nothing() {
    let world = World::new(1);
    let a = world.domain(0, true, 1);
    world.on(&a, 0, 0, |cx| {
        let mut arg = GnttabTransfer {
            mfn: a.data[0].mfn().0,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_transfer, &mut arg), Ok(0));
        assert_eq!(arg.status, GNTST_bad_page);
    });
}

#[test]
fn caches_of_what_one_may_touch() {
    let world = World::new(1);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let page = table(&world, &b, 0);
    let foreign = b.data[3].mfn().addr();
    write_v1(&page, 8, GTF_permit_access, 0, b.data[3].mfn().0);
    let own = GnttabCacheFlush {
        a: a.data[0].mfn().addr(),
        length: 64,
        op: GNTTAB_CACHE_CLEAN,
        ..Default::default()
    };
    let flush = |cx: &mut Cx, mut arg: GnttabCacheFlush| op(cx, GNTTABOP_cache_flush, &mut arg);
    world.on(&a, 0, 0, |cx| {
        assert_eq!(flush(cx, own), Ok(0));
        let invalidate = GnttabCacheFlush {
            op: GNTTAB_CACHE_INVAL,
            ..own
        };
        assert_eq!(flush(cx, invalidate), fails(Errno::EOPNOTSUPP));
        let outside = GnttabCacheFlush {
            offset: 4090,
            ..own
        };
        assert_eq!(flush(cx, outside), fails(Errno::EINVAL));
        assert_eq!(
            flush(cx, GnttabCacheFlush { op: 4, ..own }),
            fails(Errno::EINVAL)
        );
        assert_eq!(flush(cx, GnttabCacheFlush { op: 0, ..own }), Ok(0));
        let other = GnttabCacheFlush { a: foreign, ..own };
        assert_eq!(flush(cx, other), fails(Errno::EPERM));
        map_at(cx, WINDOW, GNTMAP_host_map, 1, 8).unwrap();
        assert_eq!(flush(cx, other), Ok(0));
    });
}
