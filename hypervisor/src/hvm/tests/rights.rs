//! What a guest's users may not do by instructions that are emulated, and events that cannot be
//! delivered.

use super::*;

/// Where the task state segment is, and its bitmap in it.
const TSS: u64 = 0x3000;
const BITMAP: u64 = 0x68;

/// Has the users' code run, with their I/O privilege level.
fn as_user(cx: &mut Cx, iopl: u64) {
    let hvm = cx.st.hvm.as_mut().unwrap();
    let stack = Segment {
        attributes: 0xcf3,
        limit: u32::MAX,
        ..Segment::default()
    };
    hvm.state.set_segment(Seg::Ss, stack);
    cx.regs_mut().rflags = rflags::FIXED | iopl << 12;
}

#[test]
fn ports_are_the_kernels_to_open() {
    const OUT: [u8; 1] = [0xee];
    const IN: [u8; 1] = [0xed];
    let world = World::new(1);
    let dom = guest(&world);
    // Users reach all of it.
    for (at, entry) in [
        (TABLES, TABLES + 0x1007),
        (TABLES + 0x1000, TABLES + 0x2007),
        (TABLES + 0x2000, 0x87),
    ] {
        store(&world, &dom, at, &u64::to_le_bytes(entry));
    }
    on(&world, &dom, |cx| {
        let try_it = |cx: &mut Cx, code: &[u8], port: u64, open: bool| {
            cx.regs_mut().rdx = port;
            run(cx, code, HvmExit::Privileged);
            let want = (!open).then_some(Event::exception(13, Some(0)));
            assert_eq!(event(cx), want, "{code:x?} at {port:#x}");
            assert_eq!(cx.regs().rip, CODE + u64::from(open), "{code:x?}");
        };
        try_it(cx, &OUT, 0x80, true);
        as_user(cx, 0);
        let mut tss = Segment {
            attributes: 0x8b,
            limit: (BITMAP + 0x20) as u32,
            base: TSS,
            ..Segment::default()
        };
        let set = |cx: &mut Cx, tss| {
            let hvm = cx.st.hvm.as_mut().unwrap();
            hvm.state.set_segment(Seg::Tr, tss);
        };
        // No task state segment at all.
        set(cx, Segment::default());
        try_it(cx, &OUT, 0x80, false);
        set(cx, tss);
        let word = (BITMAP as u16).to_le_bytes();
        crate::hvm::write(cx, TSS + 0x66, &word).unwrap();
        let mut bitmap = [0xffu8; 0x20];
        // 0x80, and 0x86 to 0x88.
        (bitmap[0x10], bitmap[0x11]) = (0x3e, 0xfe);
        crate::hvm::write(cx, TSS + BITMAP, &bitmap).unwrap();
        for code in [&OUT, &IN] {
            try_it(cx, code, 0x81, false);
            try_it(cx, code, 0x7f, false);
        }
        try_it(cx, &OUT, 0x80, true);
        try_it(cx, &OUT, 0x88, true);
        // Four bytes, of which the last is closed.
        try_it(cx, &IN, 0x86, false);
        crate::hvm::write(cx, TSS + BITMAP + 0x11, &[0xfc]).unwrap();
        try_it(cx, &IN, 0x86, true);
        // Beyond the segment.
        try_it(cx, &OUT, 0x100, false);
        try_it(cx, &OUT, 0xffff, false);
        tss.limit = BITMAP as u32 + 0x10;
        set(cx, tss);
        try_it(cx, &OUT, 0x80, false);
        tss.limit += 1;
        tss.attributes = 0x83;
        set(cx, tss);
        try_it(cx, &OUT, 0x80, false);
        as_user(cx, 3);
        try_it(cx, &OUT, 0x80, true);
    });
}

#[test]
fn an_event_that_no_memory_takes_ends_the_domain() {
    let world = World::new(1);
    let dom = world.hvm_guest(1, false, 1);
    world.on_hvm(&dom, 0, 0, |cx| {
        let set = |cx: &mut Cx| {
            let hvm = cx.st.hvm.as_mut().unwrap();
            hvm.state.set_event(Some(Event::exception(6, None)));
        };
        // Where memory is now, it is tried again.
        set(cx);
        exits::serve(cx, fault(crate::testing::DATA_VA, false));
        assert!(cx.live && cx.dom.shutdown.lock().is_none());
        set(cx);
        exits::serve(cx, fault(0x5000_0000, false));
        assert!(!cx.live && cx.dom.shutdown.lock().is_some());
    });
}
