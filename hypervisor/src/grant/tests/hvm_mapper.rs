//! Grants and foreign frames mapped by a hardware-virtualised domain: entries of its physical
//! map.

use super::*;
use crate::guest::GuestPtr;
use crate::mem::p2m;
use alloc::sync::Arc;
use machine::arch::sim::GuestOp;
use machine::hvm::{HvmApi, HvmCpu, HvmExit};
use machine::nested::{Found, Kind};
use machine::{Gfn, PageType};
use xen_abi::memory::reservation::*;

/// A guest frame where nothing is.
const HOLE: u64 = 0x10_0000 >> 12;
const RO: u32 = GNTMAP_host_map | GNTMAP_readonly;
const RW: u32 = GNTMAP_host_map;

fn lookup(dom: &Domain, gfn: u64) -> Option<Found> {
    dom.hvm.get().unwrap().nested.lookup(Gfn(gfn))
}

/// The guest's own access: `Ok` when it went through.
fn access(cx: &mut Cx, gfn: u64, write: bool) -> Result<u64, HvmExit> {
    let va = gfn << 12;
    cx.cpu.script([match write {
        true => GuestOp::Write {
            va,
            size: 8,
            value: 77,
        },
        false => GuestOp::Read { va, size: 8 },
    }]);
    let hvm = cx.st.hvm.as_mut().unwrap();
    match cx.cpu.enter_hvm(&mut hvm.state) {
        HvmExit::Interrupt(_) => Ok(cx.regs().rax),
        exit => Err(exit),
    }
}

fn vector_of(cx: &mut Cx, exit: HvmExit) -> Option<u8> {
    crate::hvm::serve_exit(cx, exit);
    let state = &mut cx.st.hvm.as_mut().unwrap().state;
    let event = state.event();
    state.set_event(None);
    event.map(|event| event.vector)
}

/// A hardware-virtualised control domain, and a PV domain whose page 3 is granted to it by 8
/// and, for reading alone, by 9.
fn pair(world: &World) -> (Arc<Domain>, TestDomain, Page) {
    let (a, b) = (world.hvm_guest(0, true, 2), world.domain(1, false, 1));
    let page = table(world, &b, 0);
    let mfn = b.data[3].mfn().0;
    write_v1(&page, 8, GTF_permit_access, 0, mfn);
    write_v1(&page, 9, GTF_permit_access | GTF_readonly, 0, mfn);
    (a, b, page)
}

#[test]
fn a_mapping_is_an_entry_with_its_rights() {
    let world = World::new(1);
    let (a, b, page) = pair(&world);
    let frame = &b.data[3];
    let before = (frame.info().count(), frame.info().page_type().1);
    world.on_hvm(&a, 0, 0, |cx| {
        let write = map_at(cx, HOLE << 12, RW, 1, 8).unwrap();
        let read = map_at(cx, (HOLE + 1) << 12, RO, 1, 9).unwrap();
        assert_eq!(flags_v1(&page, 8) & GTF_writing, GTF_writing);
        let found = lookup(cx.dom, HOLE).unwrap();
        assert_eq!((found.kind, found.mfn), (Kind::Grant, frame.mfn()));
        assert!(found.writable && !lookup(cx.dom, HOLE + 1).unwrap().writable);
        // Nobody takes it for the domain's own memory.
        assert!(cx.dom.page(cx.hv.mem, Gfn(HOLE)).is_none());
        assert!(access(cx, HOLE, true).is_ok());
        assert_eq!(access(cx, HOLE + 1, false), Ok(77));
        let exit = access(cx, HOLE + 1, true).unwrap_err();
        assert_eq!(vector_of(cx, exit), Some(13));
        // The hypervisor's copies heed it, too.
        let at = GuestPtr::<u64>::new((HOLE << 12) + 8);
        cx.copy_out(at, &5).unwrap();
        assert_eq!(frame.words()[1].load(SeqCst), 5);
        let at = GuestPtr::<u64>::new((HOLE + 1) << 12);
        assert_eq!(cx.copy_out(at, &5), Err(Errno::EFAULT));
        assert_eq!(cx.copy_in(at), Ok(77));
        assert_eq!(unmap_at(cx, HOLE << 12, write), GNTST_okay);
        assert_eq!(unmap_at(cx, HOLE << 12, write), GNTST_bad_handle);
        assert!(access(cx, HOLE, true).is_err() && access(cx, HOLE, false).is_err());
        assert_eq!(unmap_at(cx, (HOLE + 1) << 12, read), GNTST_okay);
        assert!(lookup(cx.dom, HOLE).is_none() && lookup(cx.dom, HOLE + 1).is_none());
    });
    assert_eq!(flags_v1(&page, 8), GTF_permit_access);
    let after = (frame.info().count(), frame.info().page_type().1);
    assert_eq!(after, before);
}

#[test]
fn a_handle_ends_with_an_entry_of_its_frame_and_rights_only() {
    let world = World::new(1);
    let (a, b, page) = pair(&world);
    write_v1(&page, 10, GTF_permit_access, 0, b.data[4].mfn().0);
    let typed = |n: usize| b.data[n].info().page_type().1;
    let before = typed(3);
    world.on_hvm(&a, 0, 0, |cx| {
        let at = |n: u64| (HOLE + n) << 12;
        let write = map_at(cx, at(0), RW, 1, 8).unwrap();
        let read = map_at(cx, at(1), RO, 1, 8).unwrap();
        let other = map_at(cx, at(2), RW, 1, 10).unwrap();
        // The entry that may write must not outlive the last handle that may.
        assert_eq!(unmap_at(cx, at(1), write), GNTST_general_error);
        assert_eq!(unmap_at(cx, at(0), read), GNTST_general_error);
        assert_eq!(unmap_at(cx, at(2), write), GNTST_general_error);
        assert_eq!(unmap_at(cx, at(7), write), GNTST_general_error);
        assert_eq!(unmap_at(cx, DATA_VA, write), GNTST_general_error);
        assert_eq!(typed(3), before + 1);
        let mut replace = GnttabUnmapAndReplace {
            host_addr: at(0),
            new_addr: DATA_VA,
            handle: write,
            ..Default::default()
        };
        assert_eq!(op(cx, GNTTABOP_unmap_and_replace, &mut replace), Ok(0));
        assert_eq!(replace.status, GNTST_general_error);
        // Nor does anybody else take one out.
        assert_eq!(remove(cx, HOLE), fails(Errno::ENOENT));
        let add_there = add(cx, XENMAPSPACE_shared_info, 0, HOLE);
        assert_eq!(add_there, fails(Errno::ENXIO));
        assert_eq!(
            add(cx, XENMAPSPACE_gmfn, HOLE, HOLE + 9),
            fails(Errno::EACCES)
        );
        cx.copy_out(GuestPtr::new(DATA_VA), &HOLE).unwrap();
        for (cmd, done) in [
            (XENMEM_decrease_reservation, 0),
            (XENMEM_populate_physmap, 0),
        ] {
            let mut arg = MemoryReservation {
                extent_start: DATA_VA,
                nr_extents: 1,
                domid: DOMID_SELF,
                ..Default::default()
            };
            assert_eq!(memory_op(cx, cmd, &mut arg), Ok(done));
        }
        assert_eq!(map_at(cx, at(0), RW, 1, 10), Err(GNTST_general_error));
        for flags in [
            GNTMAP_host_map | GNTMAP_application_map,
            GNTMAP_host_map | GNTMAP_contains_pte,
            GNTMAP_host_map | GNTMAP_device_map,
        ] {
            assert_eq!(map_at(cx, at(8), flags, 1, 8), Err(GNTST_general_error));
        }
        assert_eq!(map_at(cx, 1 << 48, RW, 1, 8), Err(GNTST_general_error));
        for (n, handle) in [(0, write), (1, read), (2, other)] {
            assert_eq!(unmap_at(cx, at(n), handle), GNTST_okay);
        }
    });
    assert_eq!(typed(3), before);
}

#[test]
fn memory_that_a_mapping_takes_the_place_of_goes() {
    let world = World::new(1);
    let (a, _b, _page) = pair(&world);
    world.on_hvm(&a, 0, 0, |cx| {
        let gfn = (DATA_VA >> 12) + 2;
        let old = cx.dom.page(cx.hv.mem, Gfn(gfn)).unwrap().mfn();
        assert!(access(cx, gfn, true).is_ok());
        let handle = map_at(cx, gfn << 12, RW, 1, 8).unwrap();
        cx.hv.reap();
        assert_eq!(cx.hv.mem.frame(old).unwrap().count(), 0);
        assert!(access(cx, gfn, true).is_ok());
        assert_eq!(unmap_at(cx, gfn << 12, handle), GNTST_okay);
        assert!(access(cx, gfn, true).is_err());
        assert_eq!(cx.dom.pages.total(), 15);
    });
}

#[test]
fn a_page_table_can_be_read_but_never_written() {
    let world = World::new(1);
    let (a, b, page) = pair(&world);
    write_v1(&page, 8, GTF_permit_access, 0, b.l1.mfn().0);
    world.on_hvm(&a, 0, 0, |cx| {
        assert!(map_at(cx, HOLE << 12, RW, 1, 8).is_err());
        let handle = map_at(cx, HOLE << 12, RO, 1, 8).unwrap();
        let first = b.l1.words()[0].load(SeqCst);
        assert_eq!(access(cx, HOLE, false), Ok(first));
        assert_eq!(unmap_at(cx, HOLE << 12, handle), GNTST_okay);
    });
}

#[test]
fn the_end_of_the_mapping_domain_gives_all_back() {
    let world = World::new(1);
    let (a, b, page) = pair(&world);
    let frame = &b.data[3];
    let before = (frame.info().count(), frame.info().page_type().1);
    world.on_hvm(&a, 0, 0, |cx| {
        for n in 0..20 {
            let (flags, gref) = if n % 2 == 0 { (RW, 8) } else { (RO, 9) };
            map_at(cx, (HOLE + n) << 12, flags, 1, gref).unwrap();
        }
        assert_eq!(foreign(cx, DOMID_SELF, 1, frame.mfn().0, HOLE + 30), Ok(0));
    });
    a.dying.store(true, SeqCst);
    let cpu = world.machine.cpu(0);
    while p2m::relinquish(&cpu, &a).is_err() {}
    while !crate::grant::release_mappings(world.hv, &cpu, &a) {}
    let after = (frame.info().count(), frame.info().page_type().1);
    assert_eq!(after, before);
    assert!(!crate::grant::in_use(&b.dom));
    assert_eq!(flags_v1(&page, 8), GTF_permit_access);
}

/// Maps `owner`'s frame `idx` at `gfn` of `dom`; the item's own result.
fn foreign(cx: &mut Cx, dom: u16, owner: u16, idx: u64, gfn: u64) -> HyperResult {
    let mut batch = AddToPhysmapBatch {
        domid: dom,
        space: XENMAPSPACE_gmfn_foreign as u16,
        size: 1,
        u: owner,
        idxs: DATA_VA,
        gpfns: DATA_VA + 8,
        errs: DATA_VA + 16,
    };
    cx.copy_out(GuestPtr::new(DATA_VA), &[idx, gfn, 1]).unwrap();
    memory_op(cx, XENMEM_add_to_physmap_batch, &mut batch)?;
    let error: i32 = cx.copy_in(GuestPtr::new(batch.errs)).unwrap();
    Ok(error.into())
}

#[test]
fn foreign_frames_are_for_who_controls_their_domain() {
    let world = World::new(1);
    let (a, b, _page) = pair(&world);
    let c = world.hvm_guest(2, false, 1);
    let einval = Ok(Errno::EINVAL.neg());
    let frame = &b.data[5];
    let before = frame.info().page_type().1;
    world.on_hvm(&a, 0, 0, |cx| {
        // A PV domain's frame, its page table, a guest frame of a hardware-virtualised domain's.
        assert_eq!(foreign(cx, DOMID_SELF, 1, frame.mfn().0, HOLE), Ok(0));
        assert_eq!(foreign(cx, DOMID_SELF, 1, b.l1.mfn().0, HOLE + 1), Ok(0));
        let theirs = DATA_VA >> 12;
        assert_eq!(foreign(cx, DOMID_SELF, 2, theirs, HOLE + 2), Ok(0));
        assert_eq!(frame.info().page_type().1, before + 1);
        assert!(access(cx, HOLE, true).is_ok() && access(cx, HOLE + 2, true).is_ok());
        let exit = access(cx, HOLE + 1, true).unwrap_err();
        assert_eq!(vector_of(cx, exit), Some(13));
        assert_eq!(frame.words()[0].load(SeqCst), 77);
        let mfn = c.page(cx.hv.mem, Gfn(theirs)).unwrap().mfn().0;
        for (owner, idx) in [(2, mfn), (2, HOLE), (1, mfn), (1, u64::MAX)] {
            assert_eq!(foreign(cx, DOMID_SELF, owner, idx, HOLE + 3), einval);
        }
        for (owner, errno) in [
            (DOMID_SELF, Errno::EINVAL),
            (0, Errno::EINVAL),
            (7, Errno::ESRCH),
        ] {
            let result = foreign(cx, DOMID_SELF, owner, theirs, HOLE + 3);
            assert_eq!(result, Ok(errno.neg()));
        }
        // Mapped into a domain that has no right to it.
        let eperm = Ok(Errno::EPERM.neg());
        assert_eq!(foreign(cx, 2, 1, frame.mfn().0, HOLE), eperm);
        assert_eq!(foreign(cx, 1, 2, theirs, HOLE), fails(Errno::EACCES));
        // Something else in its place, or nothing.
        assert_eq!(foreign(cx, DOMID_SELF, 2, theirs, HOLE), Ok(0));
        assert_eq!(frame.info().page_type().1, before);
        for n in 0..3 {
            assert_eq!(remove(cx, HOLE + n), Ok(0));
            assert!(access(cx, HOLE + n, false).is_err());
        }
    });
    world.on_hvm(&c, 0, 0, |cx| {
        let result = foreign(cx, DOMID_SELF, 1, frame.mfn().0, HOLE);
        assert_eq!(result, Ok(Errno::EPERM.neg()));
        let mut arg = AddToPhysmap {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn_foreign,
            ..Default::default()
        };
        assert_eq!(
            memory_op(cx, XENMEM_add_to_physmap, &mut arg),
            fails(Errno::ENOSYS)
        );
    });
}

#[test]
fn a_foreign_frame_becomes_a_page_table_once_it_is_removed() {
    let world = World::new(1);
    let (a, b, _page) = pair(&world);
    // Not mapped writable by its own domain.
    let frame = world.page(1);
    let fresh = || {
        matches!(
            frame.get_type(PageType::L1),
            machine::TypeGet::Validate { .. }
        )
    };
    world.on_hvm(&a, 0, 0, |cx| {
        assert_eq!(foreign(cx, DOMID_SELF, 1, frame.mfn().0, HOLE), Ok(0));
        assert!(access(cx, HOLE, true).is_ok());
        assert!(!fresh());
        assert_eq!(remove(cx, HOLE), Ok(0));
        assert!(fresh());
        assert!(access(cx, HOLE, true).is_err(), "no translation is left");
    });
    drop(b);
}
