//! `memory_op` in 32-bit form.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem::{self, Page, pte};
use guest_rt::pvh::narrow::{self, call, low, op};
use guest_rt::{all_refused, check, ok, pvh, refused, same};
use xen_abi::hypercall as nr;
use xen_abi::memory::*;
use xen_abi::xen::DOMID_SELF;

fn memory<T: xen_abi::compat::Layout>(page: Page, cmd: u32, arg: &mut T) -> HyperResult {
    op(page, nr::MEMORY_OP, cmd, arg)
}

fn put_list(page: Page, at: usize, list: &[u32]) {
    for (n, &value) in list.iter().enumerate() {
        page.dword(at / 4 + n).store(value, SeqCst);
    }
}

pub fn reservation() -> Outcome {
    let page = mem::alloc();
    let mut named = MemoryDomain { domid: DOMID_SELF };
    let has = ok!(memory(page, XENMEM_current_reservation, &mut named));
    check!((1000..1 << 20).contains(&has), "it has {has}");
    check!(
        ok!(memory(page, XENMEM_maximum_gpfn, &mut named)) > 1000,
        "no frames"
    );
    Ok(())
}

fn extents(list: u32, count: u64) -> MemoryReservation {
    MemoryReservation {
        extent_start: list.into(),
        nr_extents: count,
        domid: DOMID_SELF,
        ..Default::default()
    }
}

/// Frames go and come, and the list of them has words of 32 bits.
pub fn there_and_back() -> Outcome {
    let [page, list] = [mem::alloc(), mem::alloc()];
    let run = mem::alloc_run(3);
    let gfn = pvh::gfn(run) as u32;
    put_list(list, 0, &[gfn, gfn + 2, 0xffff_ffff]);
    let mut wish = extents(low(list), 3);
    same!(ok!(memory(page, XENMEM_decrease_reservation, &mut wish)), 2);
    refused!(call(nr::XEN_VERSION, [1, low(run), 0, 0, 0]), EFAULT);
    put_list(list, 0, &[gfn, gfn + 2, 7]);
    let mut wish = extents(low(list), 2);
    same!(ok!(memory(page, XENMEM_populate_physmap, &mut wish)), 2);
    same!(list.get(0), u64::from(gfn) | u64::from(gfn + 2) << 32);
    same!(list.get(1) as u32, 7);
    run.set(0, 5);
    run.nth(2).set(0, 6);
    same!((run.get(0), run.nth(2).get(0)), (5, 6));
    Ok(())
}

/// Lists that end at 4 GiB, that are nowhere, and that are too long.
pub fn lists_cut_off() -> Outcome {
    let page = mem::alloc();
    let run = mem::alloc();
    let own = mem::alloc_run(2);
    let gfn = pvh::gfn(own) as u32;
    let top = pvh::map_top(run, pte::P | pte::RW);
    put_list(run, 4096 - 8, &[gfn, gfn + 1]);
    let mut wish = extents(top + 4096 - 8, 3);
    same!(ok!(memory(page, XENMEM_decrease_reservation, &mut wish)), 2);
    let mut wish = extents(top + 4096 - 8, 2);
    same!(ok!(memory(page, XENMEM_populate_physmap, &mut wish)), 2);
    pvh::map_top(run, 0);
    for (list, count) in [(top, 1), (0xffff_fffc, 2), (low(page), 0xffff_ffff)] {
        let mut wish = extents(list, count);
        same!(ok!(memory(page, XENMEM_decrease_reservation, &mut wish)), 0);
    }
    Ok(())
}

fn add(space: u32, idx: u64, gpfn: u64) -> AddToPhysmap {
    AddToPhysmap {
        domid: DOMID_SELF,
        space,
        idx,
        gpfn,
        ..Default::default()
    }
}

pub fn moves() -> Outcome {
    let page = mem::alloc();
    let [from, to] = [mem::alloc(), mem::alloc()];
    from.set(0, 0x1234);
    let mut wish = add(XENMAPSPACE_gmfn, pvh::gfn(from), pvh::gfn(to));
    ok!(memory(page, XENMEM_add_to_physmap, &mut wish));
    same!(to.get(0), 0x1234);
    let mut gone = RemoveFromPhysmap {
        domid: DOMID_SELF,
        gpfn: pvh::gfn(to),
        ..Default::default()
    };
    ok!(memory(page, XENMEM_remove_from_physmap, &mut gone));
    refused!(memory(page, XENMEM_remove_from_physmap, &mut gone), ENOENT);
    Ok(())
}

pub fn range() -> Outcome {
    let page = mem::alloc();
    let [from, to] = [mem::alloc_run(3), mem::alloc_run(3)];
    for n in 0..3 {
        from.nth(n).set(0, n as u64 + 1);
    }
    let mut wish = add(XENMAPSPACE_gmfn_range, pvh::gfn(from), pvh::gfn(to));
    wish.size = 3;
    ok!(memory(page, XENMEM_add_to_physmap, &mut wish));
    for n in 0..3 {
        same!(to.nth(n).get(0), n as u64 + 1);
    }
    Ok(())
}

pub fn batch() -> Outcome {
    let [page, lists] = [mem::alloc(), mem::alloc()];
    let [from, to] = [mem::alloc_run(3), mem::alloc_run(3)];
    for n in 0..3 {
        from.nth(n).set(0, n as u64 + 1);
    }
    let [from_gfn, to_gfn] = [from, to].map(|run| pvh::gfn(run) as u32);
    put_list(lists, 0, &[from_gfn, 0x7fff_ffff, from_gfn + 2]);
    put_list(lists, 0x100, &[to_gfn, to_gfn + 1, to_gfn + 2]);
    put_list(lists, 0x200, &[9, 9, 9, 9]);
    let mut wish = AddToPhysmapBatch {
        domid: DOMID_SELF,
        space: XENMAPSPACE_gmfn as u16,
        size: 3,
        idxs: low(lists).into(),
        gpfns: u64::from(low(lists)) + 0x100,
        errs: u64::from(low(lists)) + 0x200,
        ..Default::default()
    };
    ok!(memory(page, XENMEM_add_to_physmap_batch, &mut wish));
    let error = |n: usize| lists.dword(0x80 + n).load(SeqCst) as i32;
    same!((error(0), error(2), error(3)), (0, 0, 9));
    check!(error(1) < 0, "{}", error(1));
    same!((to.get(0), to.nth(2).get(0)), (1, 3));
    wish.idxs = 0xffff_fffc;
    refused!(memory(page, XENMEM_add_to_physmap_batch, &mut wish), EFAULT);
    Ok(())
}

pub fn memory_map() -> Outcome {
    let [page, list] = [mem::alloc(), mem::alloc()];
    let mut map = MemoryMap {
        nr_entries: 200,
        buffer: low(list).into(),
        ..Default::default()
    };
    ok!(memory(page, XENMEM_memory_map, &mut map));
    check!((1..200).contains(&map.nr_entries), "{}", map.nr_entries);
    // Each has 20 bytes: an address, a size and a kind.
    let first: [u32; 5] = narrow::take(list, 0);
    same!((first[1], first[3], first[4]), (0, 0, E820_RAM));
    map.buffer = 0xffff_fffc;
    refused!(memory(page, XENMEM_memory_map, &mut map), EFAULT);
    Ok(())
}

pub fn refused() -> Outcome {
    let page = mem::alloc();
    let mut nobodys = MemoryDomain { domid: 500 };
    let mut wish = extents(low(page), 1);
    wish.domid = 500;
    let mut other = add(99, 0, 1);
    all_refused! {
        memory(page, XENMEM_current_reservation, &mut nobodys) => ESRCH;
        memory(page, XENMEM_add_to_physmap, &mut other) => EINVAL;
        memory(page, 63, &mut nobodys) => ENOSYS;
    }
    same!(ok!(memory(page, XENMEM_decrease_reservation, &mut wish)), 0);
    Ok(())
}
