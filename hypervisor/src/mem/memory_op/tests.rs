//! `memory_op` on the simulated machine; what it answers is what Xen 4.20 answers.

#![allow(
    non_upper_case_globals,
    reason = "operations are named as in Xen's headers"
)]

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::alloc;
use crate::testing::{self, DATA_VA, TestDomain, World};
use core::sync::atomic::Ordering;
use machine::{CpuApi, Mfn, PAGE_SIZE};
use xen_abi::Errno;
use xen_abi::memory::*;
use xen_abi::xen::DOMID_SELF;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Where lists of frames are passed: data page 0.
const LIST: u64 = DATA_VA;
/// And other lists: data page 1.
const OTHER: u64 = DATA_VA + PAGE_SIZE as u64;

fn op<T: FromBytes + IntoBytes + Immutable>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult {
    testing::call(cx, arg, |cx, ptr| super::call(cx, [cmd.into(), ptr]))
}

fn fails(errno: Errno) -> HyperResult {
    Err(Fail::Errno(errno))
}

fn write(cx: &mut Cx, at: u64, frames: &[u64]) {
    for (i, frame) in frames.iter().enumerate() {
        cx.copy_out(GuestPtr::new(at).add(i as u64), frame).unwrap();
    }
}

fn read(cx: &mut Cx, at: u64, n: u64) -> u64 {
    cx.copy_in(GuestPtr::new(at).add(n)).unwrap()
}

fn extents(nr_extents: u64, extent_order: u32) -> MemoryReservation {
    MemoryReservation {
        extent_start: LIST,
        nr_extents,
        extent_order,
        domid: DOMID_SELF,
        ..Default::default()
    }
}

fn populate(cx: &mut Cx, gfns: &[u64], order: u32) -> HyperResult {
    write(cx, LIST, gfns);
    op(
        cx,
        XENMEM_populate_physmap,
        &mut extents(gfns.len() as u64, order),
    )
}

fn decrease(cx: &mut Cx, frames: &[u64]) -> HyperResult {
    write(cx, LIST, frames);
    op(
        cx,
        XENMEM_decrease_reservation,
        &mut extents(frames.len() as u64, 0),
    )
}

fn current(cx: &mut Cx) -> i64 {
    let mut arg = MemoryDomain { domid: DOMID_SELF };
    op(cx, XENMEM_current_reservation, &mut arg).unwrap()
}

fn exchange(cx: &mut Cx, give: &[u64], take: &[u64], orders: (u32, u32)) -> (HyperResult, u64) {
    write(cx, LIST, give);
    write(cx, OTHER, take);
    let mut arg = MemoryExchange {
        r#in: extents(give.len() as u64, orders.0),
        out: MemoryReservation {
            extent_start: OTHER,
            ..extents(take.len() as u64, orders.1)
        },
        nr_exchanged: 0,
    };
    let result = op(cx, XENMEM_exchange, &mut arg);
    (result, arg.nr_exchanged)
}

fn world() -> (World, TestDomain) {
    let world = World::new(2);
    let dom = world.domain(1, false, 1);
    (world, dom)
}

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
        let result = super::call(cx, [XENMEM_populate_physmap.into(), at]);
        assert_eq!(result, Err(Fail::Restart));
        let (cmd, arg) = (cx.cpu.regs().rdi, cx.cpu.regs().rsi);
        let done = cmd >> 6;
        assert!(0 < done && done < 64, "{done}");
        assert_eq!((current(cx), arg), (done as i64, at));
        cx.copy_out(GuestPtr::new(at), &extents(64, 0)).unwrap();
        world.machine.set_patience(None);
        assert_eq!(super::call(cx, [cmd, arg]), Ok(64));
        assert_eq!(current(cx), 64);
    });
}

#[test]
fn what_cannot_be_read_is_as_much_as_was_done() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let cmd = u64::from(XENMEM_populate_physmap);
        assert_eq!(super::call(cx, [cmd | 3 << 6, 0x1000]), Ok(3));
        assert_eq!(super::call(cx, [63, 0]), fails(Errno::ENOSYS));
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
fn only_the_control_domain_asks_about_others() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let ask = |cx: &mut Cx, domid| op(cx, XENMEM_maximum_reservation, &mut MemoryDomain { domid });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(ask(cx, DOMID_SELF), Ok(1024));
        assert_eq!(ask(cx, 1), Ok(1024));
        assert_eq!(ask(cx, 0), fails(Errno::EPERM));
        assert_eq!(ask(cx, 7), fails(Errno::ESRCH));
        let mut map = MemoryMap::default();
        assert_eq!(
            op(cx, XENMEM_machine_memory_map, &mut map),
            fails(Errno::EPERM)
        );
        assert_eq!(op(cx, XENMEM_memory_map, &mut map), fails(Errno::ENOSYS));
    });
    world.on(&control, 0, 0, |cx| {
        assert_eq!(ask(cx, 1), Ok(1024));
        let entry = E820Entry::new(0, 1 << 20, E820_RAM);
        cx.copy_out(GuestPtr::new(LIST), &entry).unwrap();
        let mut map = ForeignMemoryMap {
            domid: 1,
            map: MemoryMap {
                nr_entries: 1,
                buffer: LIST,
                ..Default::default()
            },
            ..Default::default()
        };
        assert_eq!(op(cx, XENMEM_set_memory_map, &mut map), Ok(0));
        map.map.nr_entries = 1025;
        assert_eq!(
            op(cx, XENMEM_set_memory_map, &mut map),
            fails(Errno::EINVAL)
        );
    });
    world.on(&dom, 0, 0, |cx| {
        let mut map = MemoryMap {
            nr_entries: 5,
            buffer: LIST,
            ..Default::default()
        };
        assert_eq!(op(cx, XENMEM_memory_map, &mut map), Ok(0));
        assert_eq!(map.nr_entries, 1);
        let entry: E820Entry = cx.copy_in(GuestPtr::new(LIST)).unwrap();
        assert_eq!((entry.bytes(), entry.r#type), (1 << 20, E820_RAM));
    });
}

#[test]
fn a_claim_keeps_memory_from_others() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let hv = world.hv;
    control.dom.pages.set_max(u64::MAX);
    dom.dom.pages.set_max(1000);
    let claim = |cx: &mut Cx, nr_extents| {
        let mut arg = MemoryReservation {
            nr_extents,
            domid: 1,
            ..Default::default()
        };
        op(cx, XENMEM_claim_pages, &mut arg)
    };
    world.on(&control, 0, 0, |cx| {
        assert_eq!(claim(cx, 0), Ok(0));
        assert_eq!(claim(cx, 1001), fails(Errno::EINVAL));
        assert_eq!(claim(cx, 1000), Ok(0));
        assert_eq!(claim(cx, 900), fails(Errno::EINVAL));
        assert_eq!(hv.claims.outstanding(), 1000);
        let mut own = extents(1, 0);
        own.extent_start = 0;
        assert_eq!(op(cx, XENMEM_claim_pages, &mut own), fails(Errno::EINVAL));
        // All but what is promised can be had.
        let free = hv.heap.lock().free_frames();
        let mut got = 0;
        while alloc::alloc_domain_pages(hv, cx.cpu, cx.dom, 0, alloc::ANYWHERE).is_ok() {
            got += 1;
        }
        assert_eq!(got, free - 1000);
    });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(populate(cx, &[0], 9), Ok(1));
        assert_eq!(hv.claims.outstanding(), 488);
    });
    world.on(&control, 0, 0, |cx| {
        assert_eq!(claim(cx, 0), Ok(0));
        assert_eq!(hv.claims.outstanding(), 0);
        assert_eq!(populate(cx, &[0], 8), Ok(1));
    });
}

#[test]
fn the_machines_map_has_what_the_hypervisor_keeps() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    control
        .dom
        .irqs
        .permit_iomem(0xfec00, 0xfec00, false)
        .unwrap();
    control
        .dom
        .irqs
        .permit_iomem(0xfee00, 0xfeeff, false)
        .unwrap();
    world.on(&control, 0, 0, |cx| {
        let ask = |cx: &mut Cx, nr_entries, buffer| {
            let mut map = MemoryMap {
                nr_entries,
                buffer,
                ..Default::default()
            };
            (op(cx, XENMEM_machine_memory_map, &mut map), map.nr_entries)
        };
        let ranges = cx.hv.boot.memory.ranges().len() as u32;
        let count = ranges + 2;
        assert_eq!(ask(cx, 0, 0), (Ok(0), count));
        assert_eq!(ask(cx, count, LIST), (fails(Errno::EINVAL), count));
        assert_eq!(ask(cx, count + 1, LIST), (Ok(0), count));
        let at = GuestPtr::<E820Entry>::new(LIST);
        let entry = cx.copy_in(at.add(count as u64 - 1)).unwrap();
        assert_eq!((entry.start(), entry.bytes()), (0xfee0_0000, 0x10_0000));
    });
}

#[test]
fn pv_guests_have_no_physical_map() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        let mut one = AddToPhysmap {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_add_to_physmap, &mut one),
            fails(Errno::EACCES)
        );
        one.space = XENMAPSPACE_gmfn_foreign;
        assert_eq!(
            op(cx, XENMEM_add_to_physmap, &mut one),
            fails(Errno::ENOSYS)
        );
        let mut many = AddToPhysmapBatch {
            domid: DOMID_SELF,
            space: XENMAPSPACE_gmfn_range as u16,
            ..Default::default()
        };
        let cmd = XENMEM_add_to_physmap_batch;
        assert_eq!(op(cx, cmd, &mut many), fails(Errno::EOPNOTSUPP));
        many.space = 0;
        assert_eq!(op(cx, cmd, &mut many), fails(Errno::EACCES));
        let mut gone = RemoveFromPhysmap {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_remove_from_physmap, &mut gone),
            fails(Errno::EACCES)
        );
        let mut vnuma = VnumaTopologyInfo {
            domid: DOMID_SELF,
            ..Default::default()
        };
        assert_eq!(
            op(cx, XENMEM_get_vnumainfo, &mut vnuma),
            fails(Errno::EOPNOTSUPP)
        );
        assert_eq!(
            super::call(cx, [XENMEM_get_sharing_freed_pages.into(), 0]),
            Ok(0)
        );
    });
}

#[test]
fn the_control_domain_gets_a_guests_grant_frames() {
    let (world, dom) = world();
    let control = world.domain(0, true, 1);
    let ask = |cx: &mut Cx, domid, nr_frames, frame_list| {
        let mut arg = MemAcquireResource {
            domid,
            r#type: XENMEM_resource_grant_table,
            nr_frames,
            frame_list,
            ..Default::default()
        };
        (op(cx, XENMEM_acquire_resource, &mut arg), arg.nr_frames)
    };
    world.on(&control, 0, 0, |cx| {
        assert_eq!(ask(cx, DOMID_SELF, 1, LIST).0, fails(Errno::ESRCH));
        assert_eq!(ask(cx, 0, 1, LIST).0, fails(Errno::EPERM));
        let (result, most) = ask(cx, 1, 0, 0);
        assert_eq!(result, Ok(0));
        assert!(most > 1);
        assert_eq!(ask(cx, 1, 2, LIST).0, Ok(0));
        let mfn = read(cx, LIST, 1);
        assert!(cx.hv.mem.get_page(Mfn(mfn), dom.dom.owner()).is_some());
        assert_eq!(ask(cx, 1, most + 1, LIST).0, fails(Errno::EINVAL));
    });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(ask(cx, 0, 1, LIST).0, fails(Errno::EPERM));
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
