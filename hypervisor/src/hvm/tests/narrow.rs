//! Calls from 32-bit code, in all modes that it runs in.

use super::*;
use core::ops::Range;
use xen_abi::compat::Layout;
use xen_abi::grant_table::*;
use xen_abi::hypercall as nr;
use xen_abi::memory::*;
use xen_abi::sched::{SCHEDOP_poll, SchedPoll};
use xen_abi::version::*;
use xen_abi::xen::{DOMID_SELF, MulticallEntry};
use zerocopy::{FromBytes, IntoBytes};

/// Where arguments are: the page, and the range of lists in it.
pub const ARGS: u64 = 0x5000;
/// Lists of arguments.
pub const LIST: u64 = ARGS + 0x800;

const FAULT: i32 = Errno::EFAULT.neg() as i32;

/// Runs 32-bit code of the kernel in the paging mode that the guest is in.
pub fn narrow(cx: &mut Cx) {
    let hvm = cx.st.hvm.as_mut().unwrap();
    let mut cs = hvm.state.segment(Seg::Cs);
    cs.attributes = 0xc9b;
    hvm.state.set_segment(Seg::Cs, cs);
}

/// Makes a call as 32-bit code does.
pub fn call32(cx: &mut Cx, nr: u32, args: [u32; 3]) -> i32 {
    let r = cx.regs_mut();
    // What is above is not the code's own.
    r.rax = 0xdead << 32 | u64::from(nr);
    [r.rbx, r.rcx, r.rdx] = args.map(|arg| 0xbeef << 32 | u64::from(arg));
    (r.rsi, r.rdi, r.rbp, r.r10, r.r8) = (21, 22, 23, 24, 25);
    let before = *r;
    run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
    let r = *cx.regs();
    assert_eq!(r.rip, CODE + 3);
    assert_eq!(r.rax >> 32, 0);
    let own = |r: &machine::GuestRegs| [r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r10, r.r8];
    assert_eq!(own(&r), own(&before));
    r.rax as i32
}

/// Puts a structure where arguments are, in its 32-bit form, and makes the call.
pub fn with<T: Layout>(cx: &mut Cx, nr: u32, cmd: u32, arg: &mut T) -> i32 {
    crate::hvm::write(cx, ARGS, arg.narrow().as_bytes()).unwrap();
    let result = call32(cx, nr, [cmd, ARGS as u32, 1]);
    *arg = T::widen(read32(cx, ARGS));
    result
}

pub fn read32<T: FromBytes + IntoBytes>(cx: &mut Cx, at: u64) -> T {
    let mut value = T::new_zeroed();
    crate::hvm::read(cx, at, value.as_mut_bytes()).unwrap();
    value
}

fn put_list(cx: &mut Cx, at: u64, list: &[u32]) {
    crate::hvm::write(cx, at, list.as_bytes()).unwrap();
}

/// Leaves long mode and paging.
fn flat(cx: &mut Cx) {
    let hvm = cx.st.hvm.as_mut().unwrap();
    hvm.start_flat(CODE as u32, 0);
}

/// 32-bit paging, by tables of its own in the pages of the guest's 64-bit ones.
fn paged(world: &World, cx: &mut Cx, pae: bool) {
    flat(cx);
    let hvm = cx.st.hvm.as_mut().unwrap();
    let cr4 = if pae {
        control::CR4_PAE
    } else {
        control::CR4_PSE
    };
    assert!(hvm.set_cr4(cr4, 0x7ff));
    let root = 0x18_000;
    hvm.state
        .set(Reg::Cr3, if pae { root + 0x40 } else { root });
    if pae {
        // Four entries within a page, and the first 2 MiB at 0 and at 3 GiB.
        for n in 0..4u64 {
            store(
                world,
                cx.dom,
                root + 0x40 + n * 8,
                &(root + 0x1001).to_le_bytes(),
            );
        }
        store(world, cx.dom, root + 0x1000, &0x83u64.to_le_bytes());
    } else {
        // The first 4 MiB by a page of that size and, at 4 MiB, by a table: its third page only.
        store(world, cx.dom, root, &0x83u32.to_le_bytes());
        store(
            world,
            cx.dom,
            root + 4,
            &(root as u32 + 0x1003).to_le_bytes(),
        );
        store(
            world,
            cx.dom,
            root + 0x1008,
            &(ARGS as u32 + 3).to_le_bytes(),
        );
    }
    assert!(hvm.set_cr0(0x8001_0011));
}

#[test]
fn each_mode_of_32_bit_code_calls() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let far = |base: u64| base + ARGS;
        type Mode<'a> = (&'a dyn Fn(&mut Cx), Option<u64>);
        let modes: [Mode; 4] = [
            (&narrow, None),
            (&flat, None),
            (&|cx| paged(&world, cx, true), Some(far(3 << 30))),
            (&|cx| paged(&world, cx, false), Some(0x40_2000)),
        ];
        for (n, (enter, elsewhere)) in modes.iter().enumerate() {
            enter(cx);
            assert_eq!(
                call32(cx, nr::XEN_VERSION, [XENVER_version, 0, 0]),
                4 << 16 | 20
            );
            let mut features = FeatureInfo::default();
            assert_eq!(
                with(cx, nr::XEN_VERSION, XENVER_get_features, &mut features),
                0
            );
            assert_ne!(features.submap, 0, "mode {n}");
            if let Some(at) = elsewhere {
                crate::hvm::write(cx, ARGS, &[0; 8]).unwrap();
                let args = [XENVER_get_features, *at as u32, 0];
                assert_eq!(call32(cx, nr::XEN_VERSION, args), 0);
                assert_eq!(read32::<FeatureInfo>(cx, ARGS).submap, features.submap);
            }
            for gone in [0xffff_fffc, 0xffff_ffff, (RAM as u32) << 12 | 0x4000_0000] {
                let args = [XENVER_extraversion, gone, 0];
                assert_eq!(
                    call32(cx, nr::XEN_VERSION, args),
                    FAULT,
                    "mode {n}: {gone:#x}"
                );
            }
            assert_eq!(
                call32(cx, nr::SET_TRAP_TABLE, [0; 3]),
                Errno::ENOSYS.neg() as i32
            );
            assert_eq!(
                call32(cx, nr::PLATFORM_OP, [0; 3]),
                Errno::ENOSYS.neg() as i32
            );
        }
    });
}

#[test]
fn users_do_not_call_and_real_mode_does() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let refused = |cx: &mut Cx| {
            cx.regs_mut().rax = nr::XEN_VERSION.into();
            exits::serve(cx, HvmExit::Hypercall);
            assert_eq!(cx.regs().rax as i32, Errno::EPERM.neg() as i32);
        };
        narrow(cx);
        let hvm = cx.st.hvm.as_mut().unwrap();
        let mut ss = hvm.state.segment(Seg::Ss);
        ss.attributes |= 3 << 5;
        hvm.state.set_segment(Seg::Ss, ss);
        refused(cx);
        cx.st.hvm.as_mut().unwrap().start_real(1);
        cx.regs_mut().rax = nr::XEN_VERSION.into();
        exits::serve(cx, HvmExit::Hypercall);
        assert_eq!(cx.regs().rax, 4 << 16 | 20);
    });
}

#[test]
fn nothing_lies_beyond_4_gib() {
    let world = World::new(1);
    let dom = guest(&world);
    // The last page below 4 GiB and the first above, which 32-bit code cannot name.
    for (at, entry) in [
        (TABLES + 0x3000 + 0x1ff * 8, TABLES + 0x4003),
        (TABLES + 0x4000 + 0x1ff * 8, ARGS + 0x1003),
        (TABLES + 0x1020, TABLES + 0x2003),
    ] {
        store(&world, &dom, at, &entry.to_le_bytes());
    }
    on(&world, &dom, |cx| {
        let last: u64 = 0xffff_fff8;
        crate::hvm::write(cx, last, &[0; 8]).unwrap();
        narrow(cx);
        let ask = |cx: &mut Cx, cmd, at: u64| call32(cx, nr::XEN_VERSION, [cmd, at as u32, 0]);
        assert_eq!(ask(cx, XENVER_get_features, last), 0);
        assert_eq!(ask(cx, XENVER_get_features, last + 4), FAULT);
        assert_eq!(ask(cx, XENVER_extraversion, last), FAULT);
        // A list that ends beyond.
        let mut wish = MemoryReservation {
            extent_start: last,
            nr_extents: 3,
            domid: DOMID_SELF,
            ..Default::default()
        };
        crate::hvm::write(cx, last, [50u32, 51].as_bytes()).unwrap();
        let done = with(cx, nr::MEMORY_OP, XENMEM_decrease_reservation, &mut wish);
        assert_eq!(done, 2);
        assert!(cx.dom.page(cx.hv.mem, Gfn(51)).is_none());
    });
}

#[test]
fn memory_in_32_bit_form() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let op = |cx: &mut Cx, cmd, list: &[u32]| {
            put_list(cx, LIST, list);
            let mut wish = MemoryReservation {
                extent_start: LIST,
                nr_extents: list.len() as u64,
                domid: DOMID_SELF,
                ..Default::default()
            };
            with(cx, nr::MEMORY_OP, cmd, &mut wish)
        };
        let has = |cx: &mut Cx, gfns: Range<u64>| {
            gfns.clone()
                .filter(|gfn| cx.dom.page(cx.hv.mem, Gfn(*gfn)).is_some())
                .count()
        };
        assert_eq!(op(cx, XENMEM_decrease_reservation, &[50, 51, 52]), 3);
        assert_eq!(has(cx, 50..53), 0);
        assert_eq!(op(cx, XENMEM_populate_physmap, &[50, 51, 52]), 3);
        assert_eq!(has(cx, 50..53), 3);
        assert_eq!(read32::<[u32; 4]>(cx, LIST), [50, 51, 52, 0]);
        let mut named = MemoryDomain { domid: DOMID_SELF };
        let total = with(cx, nr::MEMORY_OP, XENMEM_current_reservation, &mut named);
        assert_eq!(total as u64, cx.dom.pages.total());
        let mut add = AddToPhysmap {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn,
            idx: 50,
            gpfn: 60,
            ..Default::default()
        };
        assert_eq!(with(cx, nr::MEMORY_OP, XENMEM_add_to_physmap, &mut add), 0);
        assert_eq!((has(cx, 50..51), has(cx, 60..61)), (0, 1));
        put_list(cx, LIST, &[51, 52]);
        put_list(cx, LIST + 0x100, &[61, 62]);
        put_list(cx, LIST + 0x200, &[9, 9, 9]);
        let mut batch = AddToPhysmapBatch {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn as u16,
            size: 2,
            idxs: LIST,
            gpfns: LIST + 0x100,
            errs: LIST + 0x200,
            ..Default::default()
        };
        let done = with(cx, nr::MEMORY_OP, XENMEM_add_to_physmap_batch, &mut batch);
        assert_eq!(done, 0);
        assert_eq!(read32::<[i32; 3]>(cx, LIST + 0x200), [0, 0, 9]);
        assert_eq!((has(cx, 51..53), has(cx, 61..63)), (0, 2));
        let mut gone = RemoveFromPhysmap {
            domid: DOMID_SELF,
            gpfn: 61,
            ..Default::default()
        };
        let done = with(cx, nr::MEMORY_OP, XENMEM_remove_from_physmap, &mut gone);
        assert_eq!((done, has(cx, 61..62)), (0, 0));
    });
}

#[test]
fn grants_in_32_bit_form() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let op = |cx: &mut Cx, cmd| call32(cx, nr::GRANT_TABLE_OP, [cmd, ARGS as u32, 1]);
        let mut add = AddToPhysmap {
            domid: DOMID_SELF,
            space: XENMAPSPACE_grant_table,
            gpfn: 58,
            ..Default::default()
        };
        assert_eq!(with(cx, nr::MEMORY_OP, XENMEM_add_to_physmap, &mut add), 0);
        let mut table = GnttabSetupTable {
            dom: DOMID_SELF,
            nr_frames: 1,
            frame_list: LIST,
            ..Default::default()
        };
        put_list(cx, LIST, &[7, 7]);
        assert_eq!(
            with(cx, nr::GRANT_TABLE_OP, GNTTABOP_setup_table, &mut table),
            0
        );
        assert_eq!(table.status, GNTST_okay);
        assert_eq!(read32::<[u32; 2]>(cx, LIST), [58, 7]);
        // Two copies between its own pages, the second of which is wrong.
        let own = |gfn: u64, offset| GnttabCopyPtr {
            u: gfn,
            domid: DOMID_SELF,
            offset,
            ..Default::default()
        };
        let copy = GnttabCopy {
            source: own(ARGS >> 12, 0x900),
            dest: own(ARGS >> 12, 0xa00),
            len: 16,
            ..Default::default()
        };
        put_list(cx, ARGS + 0x900, &[1, 2, 3, 4]);
        let list = [
            copy,
            GnttabCopy {
                dest: own(1 << 31, 0),
                ..copy
            },
        ];
        crate::hvm::write(cx, ARGS, list.narrow().as_bytes()).unwrap();
        let args = [GNTTABOP_copy, ARGS as u32, 2];
        assert_eq!(call32(cx, nr::GRANT_TABLE_OP, args), 0);
        let done = <[GnttabCopy; 2]>::widen(read32(cx, ARGS));
        assert_eq!(done.map(|copy| copy.status), [GNTST_okay, GNTST_bad_page]);
        assert_eq!(read32::<[u32; 4]>(cx, ARGS + 0xa00), [1, 2, 3, 4]);
        // Frames of status words are listed in 64 bits.
        crate::hvm::write(cx, ARGS, &2u32.to_le_bytes()).unwrap();
        assert_eq!(op(cx, GNTTABOP_set_version), 0);
        let mut status = GnttabGetStatusFrames {
            nr_frames: 1,
            dom: DOMID_SELF,
            frame_list: LIST,
            ..Default::default()
        };
        let done = with(
            cx,
            nr::GRANT_TABLE_OP,
            GNTTABOP_get_status_frames,
            &mut status,
        );
        assert_eq!((done, status.status), (0, GNTST_okay));
        assert_eq!(read32::<u64>(cx, LIST), u64::MAX, "it stands nowhere");
        assert_eq!(
            call32(
                cx,
                nr::GRANT_TABLE_OP,
                [GNTTABOP_query_size, ARGS as u32, u32::MAX]
            ),
            Errno::EINVAL.neg() as i32
        );
    });
}

#[test]
fn a_multicall_in_32_bit_form_goes_on_after_a_restart() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let entry = |op: u32, args: [u64; 2]| MulticallEntry {
            op: op.into(),
            result: 0,
            args: [args[0], args[1], 0, 0, 0, 0],
        };
        let mut list = [entry(nr::XEN_VERSION, [0, 0]); 7];
        list[1] = entry(nr::PLATFORM_OP, [0, 0]);
        list[2] = entry(nr::MULTICALL, [0, 0]);
        list[3] = entry(nr::XEN_VERSION, [XENVER_extraversion.into(), LIST]);
        list[4] = entry(nr::XEN_VERSION, [XENVER_extraversion.into(), 0xffff_fff0]);
        crate::hvm::write(cx, ARGS, list.narrow().as_bytes()).unwrap();
        world.machine.set_patience(Some(1));
        let r = cx.regs_mut();
        (r.rax, r.rbx, r.rcx, r.rdx) = (nr::MULTICALL.into(), ARGS, 7, 99);
        run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
        let r = *cx.regs();
        assert_eq!((r.rip, r.rax, r.rcx), (CODE, nr::MULTICALL.into(), 3));
        assert_eq!((r.rbx, r.rdx), (ARGS + 4 * 32, 99));
        world.machine.set_patience(None);
        exits::serve(cx, HvmExit::Hypercall);
        assert_eq!((cx.regs().rip, cx.regs().rax), (CODE + 3, 0));
        let done = <[MulticallEntry; 7]>::widen(read32(cx, ARGS));
        let version = 4 << 16 | 20;
        for (n, want) in [
            (0, version),
            (1, Errno::ENOSYS.neg() as i32),
            (2, Errno::EINVAL.neg() as i32),
            (3, 0),
            (4, FAULT),
            (6, version),
        ] {
            assert_eq!(done[n].result as i32, want, "{n}");
        }
    });
}

#[test]
fn a_deadline_has_two_registers_and_a_poll_four_words() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        narrow(cx);
        let due = world.machine.now() + (5 << 32);
        let args = [due as u32, (due >> 32) as u32, 0];
        assert_eq!(call32(cx, nr::SET_TIMER_OP, args), 0);
        // Ports that there are not are looked at, so their place was found.
        put_list(cx, LIST, &[4000]);
        let mut poll = SchedPoll {
            ports: LIST,
            nr_ports: 1,
            timeout: 1,
            ..Default::default()
        };
        let done = with(cx, nr::SCHED_OP, SCHEDOP_poll, &mut poll);
        assert_eq!(done, Errno::EINVAL.neg() as i32);
        poll.ports = 0xffff_fffc;
        let done = with(cx, nr::SCHED_OP, SCHEDOP_poll, &mut poll);
        assert_eq!(done, FAULT);
    });
}
