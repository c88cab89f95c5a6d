//! The guest's own page tables, and its physical map.

use super::*;

#[test]
fn copies_walk_the_guests_own_tables() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let at = GuestPtr::<u64>::new(0x2ffc);
        cx.copy_out(at, &0x1122_3344_5566_7788).unwrap();
        assert_eq!(cx.copy_in(at), Ok(0x1122_3344_5566_7788));
        for bad in [0x4000_0000, 0x8000_0000_0000, u64::MAX - 3, 0xfee0_0000] {
            assert_eq!(cx.copy_in(GuestPtr::<u64>::new(bad)), Err(Errno::EFAULT));
            assert_eq!(
                crate::hvm::read(cx, bad, &mut []),
                Ok(()),
                "nothing is read"
            );
            assert!(crate::hvm::read(cx, bad, &mut [0]).is_err());
        }
        // 2 MiB are mapped, but there is less memory.
        let beyond = GuestPtr::<u64>::new(RAM << 12);
        assert_eq!(cx.copy_in(beyond), Err(Errno::EFAULT));
        // Both accessed and dirty bits were set in the entry.
        let mut entry = [0; 8];
        crate::hvm::read(cx, TABLES + 0x2000, &mut entry).unwrap();
        assert_eq!(u64::from_le_bytes(entry), 0xe3);
    });
}

#[test]
fn walks_heed_every_right() {
    let world = World::new(1);
    let dom = guest(&world);
    let entry = TABLES + 0x2000;
    let try_it = |bits: u64, cr4: u64, flags: u64, access: Access| {
        store(&world, &dom, entry, &bits.to_le_bytes());
        on(&world, &dom, |cx| {
            let hvm = cx.st.hvm.as_mut().unwrap();
            hvm.state.set(Reg::Cr4, control::CR4_PAE | cr4);
            hvm.translate(0x5123, flags, access)
        })
    };
    let access = |write, exec, user| Access { write, exec, user };
    let refused = |error| Err(Trap::page_fault(0x5123, error));
    assert_eq!(try_it(0x83, 0, 0, access(true, true, false)), Ok(0x5123));
    // The tables above are the supervisor's, so nothing is the users'.
    assert_eq!(try_it(0x87, 0, 0, access(false, false, true)), refused(5));
    assert_eq!(try_it(0x81, 0, 0, access(true, false, false)), refused(3));
    assert_eq!(try_it(0x82, 0, 0, access(true, false, false)), refused(2));
    let nx = 1 << 63 | 0x83;
    assert_eq!(try_it(nx, 0, 0, access(false, true, false)), refused(0x11));
    assert_eq!(try_it(nx, 0, 0, access(false, false, false)), Ok(0x5123));
    // The users' all the way.
    for at in [TABLES, TABLES + 0x1000] {
        let next = at + 0x1007;
        store(&world, &dom, at, &next.to_le_bytes());
    }
    let (smep, smap) = (control::CR4_SMEP, control::CR4_SMAP);
    assert_eq!(try_it(0x87, 0, 0, access(true, false, true)), Ok(0x5123));
    assert_eq!(
        try_it(0x87, smep, 0, access(false, true, false)),
        refused(0x11)
    );
    assert_eq!(
        try_it(0x87, smap, 0, access(false, false, false)),
        refused(1)
    );
    let ac = rflags::AC;
    assert_eq!(
        try_it(0x87, smap, ac, access(false, false, false)),
        Ok(0x5123)
    );
}

#[test]
fn the_quick_walk_says_what_the_whole_one_says() {
    let world = World::new(1);
    let dom = guest(&world);
    let mut found = 0;
    for case in 0..1u32 << 13 {
        let bit = |index: u32| u64::from(case >> index & 1);
        // Rights and marks of the leaf, rights of what is above it, and the processor's mode.
        let marks = bit(3) << 5 | bit(4) << 6;
        let leaf = 0x80 | bit(0) | bit(1) << 1 | bit(2) << 2 | marks;
        let upper = 0x21 | bit(5) << 1 | bit(6) << 2;
        let access = Access {
            write: bit(7) != 0,
            exec: bit(8) != 0,
            user: bit(9) != 0,
        };
        let cr4 = bit(10) * (control::CR4_SMEP | control::CR4_SMAP);
        let flags = bit(11) * rflags::AC;
        let cr0 = control::CR0_PG | control::CR0_PE | (bit(12) * control::CR0_WP);
        let tables = || {
            for (at, next) in [(0, 0x1000), (0x1000, 0x2000)] {
                let entry = (TABLES + next) | upper;
                store(&world, &dom, TABLES + at, &entry.to_le_bytes());
            }
            store(&world, &dom, TABLES + 0x2000, &leaf.to_le_bytes());
        };
        let walk = |whole: bool| {
            tables();
            let got = on(&world, &dom, |cx| {
                let hvm = cx.st.hvm.as_mut().unwrap();
                hvm.state.set(Reg::Cr0, cr0);
                hvm.state.set(Reg::Cr4, control::CR4_PAE | cr4);
                match whole {
                    true => hvm.translate_any(0x5123, flags, access),
                    false => hvm.translate(0x5123, flags, access),
                }
            });
            let mut marks = [0; 8];
            load(&world, &dom, TABLES + 0x2000, &mut marks);
            (got, marks)
        };
        let whole = walk(true);
        assert_eq!(walk(false), whole, "{case:#x}");
        found += u32::from(whole.0.is_ok());
    }
    assert!(found > 1000, "{found}");
}

#[test]
fn frames_come_and_go_with_their_places() {
    let world = World::new(1);
    let dom = guest(&world);
    let free = world.free_frames();
    on(&world, &dom, |cx| {
        let dom = cx.dom.clone();
        let first = dom.page(cx.hv.mem, Gfn(50)).unwrap().mfn();
        let mut pending = p2m::Pending::default();
        assert!(p2m::depopulate(cx, &dom, 50, 0, &mut pending).is_some());
        assert!(p2m::depopulate(cx, &dom, 50, 0, &mut pending).is_none());
        pending.settle(cx.cpu);
        assert!(p2m::populate(cx, &dom, 51, 0, u64::MAX).is_none(), "taken");
        let _ = first;
    });
    assert_eq!(world.free_frames(), free + 1);
    on(&world, &dom, |cx| {
        let dom = cx.dom.clone();
        assert!(p2m::populate(cx, &dom, 50, 0, u64::MAX).is_some());
    });
    assert_eq!(world.free_frames(), free);
    assert_eq!(dom.pages.total(), RAM);
}

#[test]
fn a_dying_domain_gives_its_map_back_in_pieces() {
    let world = World::new(1);
    let dom = guest(&world);
    let held = dom.page(world.hv.mem, Gfn(3)).unwrap();
    assert_eq!(held.info().count(), 3, "the allocation, the map, this");
    world.machine.set_patience(Some(1));
    let mut rounds = 0;
    loop {
        let cpu = world.machine.cpu(0);
        match p2m::relinquish(&cpu, &dom) {
            Ok(()) => break,
            Err(Fail::Restart) => rounds += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(rounds > 3, "{rounds}");
    assert_eq!(held.info().count(), 2);
    assert!(dom.page(world.hv.mem, Gfn(3)).is_none());
}

#[test]
fn a_taken_frame_is_no_longer_reached() {
    use machine::arch::sim::GuestOp;
    let world = World::new(1);
    let dom = guest(&world);
    let mfn = dom.page(world.hv.mem, Gfn(50)).unwrap().mfn();
    let write = GuestOp::Write {
        va: 50 << 12,
        size: 8,
        value: 1,
    };
    on(&world, &dom, |cx| {
        cx.cpu.script([write]);
        let exit = cx.cpu.enter_hvm(&mut cx.st.hvm.as_mut().unwrap().state);
        assert!(matches!(exit, HvmExit::Interrupt(_)));
        let dom = cx.dom.clone();
        let mut pending = p2m::Pending::default();
        assert!(p2m::depopulate(cx, &dom, 50, 0, &mut pending).is_some());
        pending.settle(cx.cpu);
        cx.cpu.script([write]);
        let exit = cx.cpu.enter_hvm(&mut cx.st.hvm.as_mut().unwrap().state);
        assert_eq!(exit, fault(50 << 12, true));
    });
    world.hv.reap();
    assert_eq!(world.hv.mem.frame(Mfn(mfn.0)).unwrap().count(), 0);
}
