//! Frames for a domain and back, and others for them.

use super::super::call;
use super::*;

#[test]
fn populate_and_decrease() {
    let (world, dom) = world();
    let free = world.free_frames();
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(populate(cx, &[100, 101, 102], 0), Ok(3));
        assert_eq!(current(cx), 3);
        let mfns = [0, 1, 2].map(|i| read(cx, LIST, i));
        for (i, mfn) in mfns.into_iter().enumerate() {
            assert_eq!(cx.hv.mem.m2p(Mfn(mfn)), Some(100 + i as u64));
            let page = cx.hv.mem.get_page(Mfn(mfn), 1).unwrap();
            assert!(page.words().iter().all(|w| w.load(Ordering::Relaxed) == 0));
            page.words()[5].store(7, Ordering::Relaxed);
        }
        assert_eq!(decrease(cx, &[mfns[2], mfns[0]]), Ok(2));
        assert_eq!(current(cx), 1);
        assert_eq!(cx.hv.mem.m2p(Mfn(mfns[0])), Some(u64::MAX));
        // What is not the domain's ends the list.
        assert_eq!(decrease(cx, &[mfns[1], mfns[0], mfns[1]]), Ok(1));
        assert_eq!(decrease(cx, &[u64::MAX]), Ok(0));
        assert_eq!(current(cx), 0);
    });
    assert_eq!(world.free_frames(), free);
}

#[test]
fn extents_are_adjacent_and_aligned() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(populate(cx, &[512], 9), Ok(1));
        let first = read(cx, LIST, 0);
        assert_eq!(first % 512, 0);
        assert_eq!(cx.hv.mem.m2p(Mfn(first + 511)), Some(1023));
        assert_eq!(current(cx), 512);
        // Too large for who has no devices; too much for the domain's limit of 1024.
        assert_eq!(populate(cx, &[0], 10), Ok(0));
        assert_eq!(populate(cx, &[0, 512], 9), Ok(1));
        let mut back = extents(1, 9);
        write(cx, LIST, &[first]);
        assert_eq!(op(cx, XENMEM_decrease_reservation, &mut back), Ok(1));
        assert_eq!(current(cx), 512);
    });
}

#[test]
fn a_frame_in_use_goes_when_its_use_ends() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        populate(cx, &[9], 0).unwrap();
        let mfn = read(cx, LIST, 0);
        let used = cx.hv.mem.get_page(Mfn(mfn), 1).unwrap();
        assert_eq!(
            exchange(cx, &[mfn], &[9], (0, 0)),
            (fails(Errno::EINVAL), 0)
        );
        assert_eq!(decrease(cx, &[mfn, mfn]), Ok(2));
        assert_eq!(current(cx), 1);
        drop(used);
        assert_eq!(current(cx), 0);
    });
}

#[test]
fn exchange_keeps_the_account() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let gfns: [u64; 16] = core::array::from_fn(|i| i as u64);
        assert_eq!(populate(cx, &gfns, 0), Ok(16));
        // At its limit, too.
        cx.dom.pages.set_max(16);
        let old: [u64; 16] = core::array::from_fn(|i| read(cx, LIST, i as u64));
        assert_eq!(exchange(cx, &old, &[32], (0, 4)), (Ok(0), 16));
        let first = read(cx, OTHER, 0);
        assert_eq!(first % 16, 0);
        assert_eq!(cx.hv.mem.m2p(Mfn(first + 15)), Some(47));
        assert!(old.iter().all(|&mfn| {
            (first..first + 16).contains(&mfn) || cx.hv.mem.m2p(Mfn(mfn)) == Some(u64::MAX)
        }));
        assert_eq!(current(cx), 16);
        assert_eq!(exchange(cx, &[first], &gfns, (4, 0)), (Ok(0), 1));
        assert_eq!(current(cx), 16);
        // The second one is not there: the first is exchanged, and the second's place is as
        // it was.
        let good = read(cx, OTHER, 0);
        let result = exchange(cx, &[good, first + 4096], &[1, 2], (0, 0));
        assert_eq!(result, (fails(Errno::EINVAL), 1));
        assert_eq!(read(cx, OTHER, 1), 2);
        assert_eq!(current(cx), 16);
    });
}

#[test]
fn a_failed_exchange_leaves_everything() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        populate(cx, &[1, 2], 0).unwrap();
        let mfns = [read(cx, LIST, 0), read(cx, LIST, 1)];
        let used = cx.hv.mem.get_page(Mfn(mfns[1]), 1).unwrap();
        let result = exchange(cx, &mfns, &[8], (0, 1));
        assert_eq!(result, (fails(Errno::EINVAL), 0));
        drop(used);
        assert_eq!(current(cx), 2);
        assert_eq!(decrease(cx, &mfns), Ok(2));
        assert_eq!(current(cx), 0);
        // No memory for the other side.
        populate(cx, &[1], 0).unwrap();
        let mfn = read(cx, LIST, 0);
        let mut arg = MemoryExchange {
            r#in: extents(1, 0),
            out: MemoryReservation {
                mem_flags: 13,
                ..extents(1, 0)
            },
            nr_exchanged: 0,
        };
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), fails(Errno::ENOMEM));
        assert_eq!(decrease(cx, &[mfn]), Ok(1));
        assert_eq!(current(cx), 0);
    });
}

#[test]
fn exchange_refuses_what_does_not_fit() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let mut arg = MemoryExchange {
            r#in: extents(1, 0),
            out: extents(1, 1),
            nr_exchanged: 0,
        };
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), fails(Errno::EINVAL));
        arg.out = extents(1, 0);
        arg.r#in.nr_extents = u64::MAX;
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), fails(Errno::EINVAL));
        arg.r#in = extents(1, 10);
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), fails(Errno::EPERM));
        arg.r#in = extents(0, 0);
        arg.out = extents(0, 0);
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), Ok(0));
        arg.nr_exchanged = 1;
        assert_eq!(op(cx, XENMEM_exchange, &mut arg), fails(Errno::EINVAL));
        let cmd = XENMEM_exchange | 1 << 6;
        assert_eq!(op(cx, cmd, &mut arg), fails(Errno::EINVAL));
    });
}

#[test]
fn a_long_list_is_interrupted_and_goes_on() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let gfns: [u64; 64] = core::array::from_fn(|i| i as u64);
        write(cx, LIST, &gfns);
        let at = DATA_VA + (testing::ARG_PAGE * PAGE_SIZE) as u64;
        cx.copy_out(GuestPtr::new(at), &extents(64, 0)).unwrap();
        world.machine.set_patience(Some(10));
        let result = call(cx, [XENMEM_populate_physmap.into(), at]);
        assert_eq!(result, Err(Fail::Restart));
        let (cmd, arg) = (cx.cpu.regs().rdi, cx.cpu.regs().rsi);
        let done = cmd >> 6;
        assert!(0 < done && done < 64, "{done}");
        assert_eq!((current(cx), arg), (done as i64, at));
        cx.copy_out(GuestPtr::new(at), &extents(64, 0)).unwrap();
        world.machine.set_patience(None);
        assert_eq!(call(cx, [cmd, arg]), Ok(64));
        assert_eq!(current(cx), 64);
    });
}

#[test]
fn what_cannot_be_read_is_as_much_as_was_done() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let cmd = u64::from(XENMEM_populate_physmap);
        assert_eq!(call(cx, [cmd | 3 << 6, 0x1000]), Ok(3));
        assert_eq!(call(cx, [63, 0]), fails(Errno::ENOSYS));
        assert_eq!(
            op(cx, XENMEM_populate_physmap, &mut extents(u64::MAX, 0)),
            Ok(0)
        );
        assert_eq!(op(cx, XENMEM_populate_physmap, &mut extents(1, 40)), Ok(0));
        let mut there = extents(1, 0);
        there.domid = 5;
        assert_eq!(op(cx, XENMEM_populate_physmap, &mut there), Ok(0));
        let mut null = extents(1, 0);
        null.extent_start = 0;
        assert_eq!(op(cx, XENMEM_increase_reservation, &mut null), Ok(1));
        assert_eq!(op(cx, XENMEM_populate_physmap, &mut null), Ok(0));
    });
}

#[test]
fn dead_frames_are_found_under_other_locks() {
    let (world, dom) = world();
    let hv = world.hv;
    dom.dom.pages.set_max(u64::MAX);
    world.on(&dom, 0, 0, |cx| {
        let mut last = None;
        while let Ok(mfn) = alloc::alloc_domain_pages(hv, cx.cpu, cx.dom, 0, alloc::ANYWHERE) {
            last = Some(mfn);
        }
        let page = hv.mem.get_page(last.unwrap(), dom.dom.owner()).unwrap();
        drop(page.end_allocation());
        drop(page);
        // The grant table is locked while it gets its first page.
        assert!(crate::grant::frame(hv, cx.cpu, cx.dom, 0, false).is_ok());
        assert!(crate::grant::frame(hv, cx.cpu, cx.dom, 1, false).is_err());
    });
}

#[test]
fn many_dead_frames_are_given_back_in_steps() {
    let (world, dom) = world();
    let hv = world.hv;
    dom.dom.pages.set_max(700);
    world.on(&dom, 0, 0, |cx| {
        for _ in 0..700 {
            let mfn = alloc::alloc_domain_pages(hv, cx.cpu, cx.dom, 0, alloc::ANYWHERE).unwrap();
            drop(hv.mem.get_page(mfn, 1).unwrap().end_allocation());
        }
        world.machine.set_patience(Some(0));
        let mut arg = MemoryDomain { domid: DOMID_SELF };
        let mut ask = || op(cx, XENMEM_current_reservation, &mut arg);
        assert_eq!(ask(), Err(Fail::Restart));
        assert_eq!(dom.dom.pages.total(), 700 - 512);
        assert_eq!(ask(), Ok(0));
    });
}
