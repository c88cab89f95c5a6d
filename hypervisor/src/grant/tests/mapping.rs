//! Mapping and unmapping between two domains.

use super::*;
use crate::grant::release_mappings;
use machine::{CpuApi, PageType, TypeGet};

struct Pair {
    world: World,
    /// The control domain, which maps.
    a: TestDomain,
    /// The domain that grants.
    b: TestDomain,
    table: Page,
}

fn pair() -> Pair {
    let world = World::new(2);
    let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
    let table = table(&world, &b, 0);
    Pair { world, a, b, table }
}

#[test]
fn what_one_writes_the_other_reads() {
    let Pair { world, a, b, table } = pair();
    let page = &b.data[3];
    let counts = page.info().count();
    write_v1(&table, 8, GTF_permit_access, 0, page.mfn().0);
    world.on(&a, 0, 0, |cx| {
        let handle = map_at(cx, WINDOW, GNTMAP_host_map, 1, 8).unwrap();
        cx.cpu.put_guest(WINDOW + 8, &0x1234u64).unwrap();
        assert_eq!(page.words()[1].load(SeqCst), 0x1234);
        assert_eq!(
            flags_v1(&table, 8),
            GTF_permit_access | GTF_reading | GTF_writing
        );
        let flushes = cx.cpu.id();
        let before = world.machine.tlb_counts(flushes);
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_okay);
        assert_ne!(
            world.machine.tlb_counts(flushes),
            before,
            "no flush after unmapping"
        );
        assert_eq!(flags_v1(&table, 8), GTF_permit_access);
        assert!(cx.cpu.get_guest::<u64>(WINDOW + 8).is_err());
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_bad_handle);
        assert_eq!(unmap_at(cx, WINDOW, u32::MAX), GNTST_bad_handle);
    });
    assert_eq!(page.info().count(), counts);
}

#[test]
fn only_what_is_granted() {
    let Pair { world, a, b, table } = pair();
    let frame = b.data[3].mfn().0;
    write_v1(&table, 8, GTF_permit_access | GTF_readonly, 0, frame);
    write_v1(&table, 9, GTF_permit_access, 2, frame);
    write_v1(&table, 10, GTF_accept_transfer, 0, frame);
    write_v1(&table, 11, GTF_permit_access, 0, a.data[0].mfn().0);
    write_v1(&table, 12, GTF_permit_access, 0, u32::MAX.into());
    write_v1(&table, 13, GTF_permit_access, 0, b.root.mfn().0);
    let host = GNTMAP_host_map;
    world.on(&a, 0, 0, |cx| {
        for (flags, dom, gref, status) in [
            (host, 1, 8, GNTST_general_error),
            (host, 1, 9, GNTST_general_error),
            (host, 1, 10, GNTST_general_error),
            (host, 1, 7, GNTST_general_error),
            (host, 1, 11, GNTST_bad_page),
            (host, 1, 12, GNTST_bad_page),
            (host, 1, 13, GNTST_general_error),
            (host, 1, 512, GNTST_bad_gntref),
            (host, 1, u32::MAX, GNTST_bad_gntref),
            (0, 1, 8, GNTST_bad_gntref),
            (host, 3, 8, GNTST_bad_domain),
            (host, DOMID_SELF, 8, GNTST_bad_domain),
        ] {
            assert_eq!(
                map_at(cx, WINDOW, flags, dom, gref),
                Err(status),
                "{dom} {gref}"
            );
        }
        for gref in 8..14 {
            assert_eq!(flags_v1(&table, gref) & (GTF_reading | GTF_writing), 0);
        }
        // A place without a page table.
        let nowhere = map_at(cx, 0x9000_0000_0000, host | GNTMAP_readonly, 1, 8);
        assert_eq!(nowhere, Err(GNTST_general_error));
        assert_eq!(flags_v1(&table, 8), GTF_permit_access | GTF_readonly);
        let read = map_at(cx, WINDOW, host | GNTMAP_readonly, 1, 8).unwrap();
        assert!(cx.cpu.put_guest(WINDOW, &1u64).is_err());
        assert_eq!(
            flags_v1(&table, 8),
            GTF_permit_access | GTF_readonly | GTF_reading
        );
        // Another place than the one it is mapped at.
        assert_eq!(unmap_at(cx, WINDOW + 0x1000, read), GNTST_general_error);
        assert_eq!(unmap_at(cx, WINDOW, read), GNTST_okay);
    });
}

#[test]
fn a_granted_page_cannot_become_a_page_table() {
    let Pair { world, a, b, table } = pair();
    let page = world.page(1);
    write_v1(&table, 8, GTF_permit_access, 0, page.mfn().0);
    let handle = world
        .on(&a, 0, 0, |cx| map_at(cx, WINDOW, GNTMAP_host_map, 1, 8))
        .unwrap();
    assert_eq!(page.get_type(PageType::L1), TypeGet::Mismatch);
    world.on(&a, 0, 0, |cx| {
        // A mapping that the guest removed itself does not end the grant's use.
        crate::mem::update_va::call(cx, [WINDOW, 0, 0]).unwrap();
        assert_eq!(page.get_type(PageType::L1), TypeGet::Mismatch);
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_general_error);
        assert_eq!(unmap_at(cx, 0, handle), GNTST_okay);
    });
    assert_eq!(page.get_type(PageType::L1), TypeGet::Mismatch);
    let _ = b;
}

#[test]
fn a_use_ends_with_a_mapping_of_its_own_kind() {
    let Pair { world, a, b, table } = pair();
    let page = &b.data[3];
    write_v1(&table, 8, GTF_permit_access, 0, page.mfn().0);
    let (write, read) = (GNTMAP_host_map, GNTMAP_host_map | GNTMAP_readonly);
    world.on(&a, 0, 0, |cx| {
        let there = WINDOW + 0x1000;
        let writer = map_at(cx, WINDOW, write, 1, 8).unwrap();
        let reader = map_at(cx, there, read, 1, 8).unwrap();
        // Else the writable entry outlasts the use as writable memory: its own reference would
        // go without a flush, and the frame could be a page table that a TLB lets be written.
        assert_eq!(unmap_at(cx, there, writer), GNTST_general_error);
        assert_eq!(unmap_at(cx, WINDOW, reader), GNTST_general_error);
        assert_ne!(flags_v1(&table, 8) & GTF_writing, 0);
        crate::mem::update_va::call(cx, [WINDOW, 0, 0]).unwrap();
        assert_eq!(page.get_type(PageType::L1), TypeGet::Mismatch);
        let again = map_at(cx, WINDOW, write, 1, 8).unwrap();
        assert_eq!(unmap_at(cx, WINDOW, writer), GNTST_okay);
        assert_eq!(unmap_at(cx, there, reader), GNTST_okay);
        assert_ne!(flags_v1(&table, 8) & GTF_writing, 0);
        let _ = again;
    });
}

#[test]
fn a_mapping_by_its_entry() {
    let Pair { world, a, b, table } = pair();
    write_v1(&table, 8, GTF_permit_access, 0, b.data[3].mfn().0);
    let flags = GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_application_map;
    world.on(&a, 0, 0, |cx| {
        let entry = a.l1.mfn().addr() + 100 * 8;
        let handle = map_at(cx, entry, flags, 1, 8).unwrap();
        cx.cpu.put_guest(WINDOW, &7u64).unwrap();
        assert_eq!(b.data[3].words()[0].load(SeqCst), 7);
        assert_eq!(unmap_at(cx, entry, handle), GNTST_okay);
        assert_eq!(a.l1.words()[100].load(SeqCst), 0);
        for bad in [
            entry + 1,
            a.root.mfn().0 << 12,
            a.data[0].mfn().0 << 12,
            u64::MAX,
            0,
        ] {
            assert_eq!(map_at(cx, bad, flags, 1, 8), Err(GNTST_general_error));
        }
        assert_eq!(flags_v1(&table, 8), GTF_permit_access);
    });
}

#[test]
fn parts_for_cpus_and_devices_end_apart() {
    let Pair { world, a, b, table } = pair();
    let frame = b.data[3].mfn();
    write_v1(&table, 8, GTF_permit_access, 0, frame.0);
    world.on(&a, 0, 0, |cx| {
        let both = GNTMAP_host_map | GNTMAP_device_map;
        let handle = map_at(cx, WINDOW, both, 1, 8).unwrap();
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_okay);
        assert_eq!(
            flags_v1(&table, 8),
            GTF_permit_access | GTF_reading | GTF_writing
        );
        let mut arg = GnttabUnmapGrantRef {
            dev_bus_addr: 4096,
            handle,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
        assert_eq!(arg.status, GNTST_general_error);
        arg.dev_bus_addr = frame.addr();
        assert_eq!(op(cx, GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
        assert_eq!(
            (arg.status, flags_v1(&table, 8)),
            (GNTST_okay, GTF_permit_access)
        );
        assert_eq!(op(cx, GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
        assert_eq!(arg.status, GNTST_bad_handle);
    });
}

#[test]
fn unmap_and_replace_moves_a_page_in() {
    let Pair { world, a, b, table } = pair();
    write_v1(&table, 8, GTF_permit_access, 0, b.data[3].mfn().0);
    a.data[2].words()[0].store(42, SeqCst);
    world.on(&a, 0, 0, |cx| {
        let handle = map_at(cx, WINDOW, GNTMAP_host_map, 1, 8).unwrap();
        let mut arg = GnttabUnmapAndReplace {
            host_addr: WINDOW,
            new_addr: a.va(2, 0),
            handle,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_unmap_and_replace, &mut arg), Ok(0));
        assert_eq!(arg.status, GNTST_okay);
        assert_eq!(cx.cpu.get_guest::<u64>(WINDOW), Ok(42));
        assert!(cx.cpu.get_guest::<u64>(a.va(2, 0)).is_err());
        assert_eq!(flags_v1(&table, 8), GTF_permit_access);
    });
}

#[test]
fn handles_run_out() {
    let Pair { world, a, b, table } = pair();
    write_v1(&table, 8, GTF_permit_access, 0, b.data[3].mfn().0);
    a.dom.grants.set_limits(1, 1, 2);
    world.on(&a, 0, 0, |cx| {
        let device = |cx: &mut Cx| map_at(cx, 0, GNTMAP_device_map, 1, 8);
        for handle in 0..256 {
            assert_eq!(device(cx), Ok(handle));
        }
        assert_eq!(device(cx), Err(GNTST_no_space));
        let dev_bus_addr = b.data[3].mfn().addr();
        let mut arg = GnttabUnmapGrantRef {
            dev_bus_addr,
            handle: 17,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
        assert_eq!(device(cx), Ok(17));
    });
}

#[test]
fn a_batch_goes_on_after_an_interruption() {
    let Pair { world, a, b, table } = pair();
    for gref in 0..10 {
        write_v1(
            &table,
            gref,
            GTF_permit_access,
            0,
            b.data[gref as usize].mfn().0,
        );
    }
    world.machine.set_patience(Some(1));
    world.on(&a, 0, 0, |cx| {
        let list = crate::guest::GuestPtr::<GnttabMapGrantRef>::new(a.va(1, 0));
        for i in 0..10 {
            let host_addr = WINDOW + ((i as u64) << 12);
            let flags = GNTMAP_host_map;
            let op = GnttabMapGrantRef {
                host_addr,
                flags,
                r#ref: i,
                dom: 1,
                ..Default::default()
            };
            cx.copy_out(list.add(i.into()), &op).unwrap();
        }
        let mut args = [GNTTABOP_map_grant_ref.into(), list.addr(), 10];
        let mut restarts = 0;
        while let Err(fail) = crate::grant::call(cx, args) {
            assert_eq!(fail, Fail::Restart);
            args = [cx.regs().rdi, cx.regs().rsi, cx.regs().rdx];
            restarts += 1;
        }
        assert_eq!(restarts, 9);
        for i in 0..10 {
            assert_eq!(cx.copy_in(list.add(i)).unwrap().status, GNTST_okay);
            assert_ne!(flags_v1(&table, i as u32) & GTF_writing, 0);
        }
    });
}

#[test]
fn the_death_of_either_side() {
    let Pair { world, a, b, table } = pair();
    for gref in 8..12 {
        write_v1(&table, gref, GTF_permit_access, 0, b.data[3].mfn().0);
    }
    let handles = world.on(&a, 0, 0, |cx| {
        [8, 9, 10, 11].map(|gref| {
            let at = WINDOW + ((gref as u64) << 12);
            map_at(cx, at, GNTMAP_host_map, 1, gref).unwrap()
        })
    });
    // The owner goes: what is mapped can be unmapped, but not mapped any more.
    b.dom.dying.store(true, SeqCst);
    world.on(&a, 0, 0, |cx| {
        assert_eq!(
            map_at(cx, WINDOW, GNTMAP_host_map, 1, 8),
            Err(GNTST_bad_domain)
        );
        assert_eq!(unmap_at(cx, WINDOW + (8 << 12), handles[0]), GNTST_okay);
    });
    assert_eq!(flags_v1(&table, 8), GTF_permit_access);
    // The mapper goes.
    let cpu = world.machine.cpu(0);
    assert!(release_mappings(world.hv, &cpu, &a.dom));
    for gref in 9..12 {
        assert_eq!(flags_v1(&table, gref), GTF_permit_access);
    }
}

#[test]
fn version_2_marks_the_status_words() {
    let Pair { world, a, b, table } = pair();
    world.on(&b, 0, 0, |cx| assert_eq!(set_version(cx, 2), Ok(0)));
    let status = {
        let mut cpu = world.machine.cpu(0);
        super::super::frame(world.hv, &mut cpu, &b.dom, 0, true).unwrap()
    };
    let word = |gref: usize| status.halves()[gref / 2].load(SeqCst) >> (gref % 2 * 16) & 0xffff;
    write_v2(&table, 9, GTF_permit_access, 0, 0, b.data[3].mfn().0);
    write_v2(
        &table,
        10,
        GTF_permit_access | GTF_sub_page,
        0,
        16 << 16,
        b.data[3].mfn().0,
    );
    write_v2(&table, 11, GTF_transitive, 0, 0, 0);
    world.on(&a, 0, 0, |cx| {
        let handle = map_at(cx, WINDOW, GNTMAP_host_map, 1, 9).unwrap();
        assert_eq!(word(9), (GTF_reading | GTF_writing).into());
        assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_okay);
        for gref in [10, 11, 256] {
            assert!(map_at(cx, WINDOW, GNTMAP_host_map, 1, gref).is_err());
        }
        assert_eq!((word(8), word(9), word(10), word(11)), (0, 0, 0, 0));
    });
}
