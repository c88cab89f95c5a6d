//! Guest-physical memory: sizes of pages, the shared page, holes.

use guest_rt::harness::Outcome;
use guest_rt::{all_refused, check, hypercall, mem, ok, pvh, refused, same};
use xen_abi::memory::physmap::*;
use xen_abi::memory::reservation::*;
use xen_abi::xen::DOMID_SELF;

/// A place in RAM that nobody uses, in the middle of the domain's memory.
const SPARE: u64 = 0x800_0000;

pub fn large_pages() -> Outcome {
    for at in (SPARE..SPARE + (8 << 20)).step_by(1 << 18) {
        mem::write_uncaught(at, at ^ 0x5555);
    }
    for at in (SPARE..SPARE + (8 << 20)).step_by(1 << 18) {
        same!(mem::read_uncaught(at), at ^ 0x5555);
    }
    Ok(())
}

pub fn shared_info() -> Outcome {
    same!(ok!(pvh::map_shared_info()), 0);
    let info = mem::shared_info();
    // The clock's version has been even and the multiplier set since the vCPU runs.
    let time = info
        .dword(32 / 4)
        .load(core::sync::atomic::Ordering::SeqCst);
    same!(time & 1, 0);
    Ok(())
}

/// Puts a page of `space` at guest frame `gpfn`.
pub fn add(space: u32, idx: u64, gpfn: u64) -> hypercall::HyperResult {
    let mut wish = AddToPhysmap {
        domid: DOMID_SELF,
        space,
        idx,
        gpfn,
        ..Default::default()
    };
    hypercall::memory(XENMEM_add_to_physmap, &mut wish)
}

/// Takes the page at `gpfn` out.
pub fn remove(gpfn: u64) -> hypercall::HyperResult {
    let mut wish = RemoveFromPhysmap {
        domid: DOMID_SELF,
        gpfn,
        ..Default::default()
    };
    hypercall::memory(XENMEM_remove_from_physmap, &mut wish)
}

/// The grant table's page in the middle of a large page: what is around it stays.
pub fn split() -> Outcome {
    let at = SPARE + (16 << 20) + 0x5000;
    for page in 0..16 {
        mem::write_uncaught(at + page * 4096, page + 1);
    }
    ok!(add(XENMAPSPACE_grant_table, 0, (at >> 12) + 3));
    for page in 0..16 {
        let want = if page == 3 { 0 } else { page + 1 };
        same!(mem::read_uncaught(at + page * 4096), want);
    }
    ok!(remove((at >> 12) + 3));
    same!(mem::read_uncaught(at + 2 * 4096), 3);
    Ok(())
}

/// Gives the frame at `gfn` back, which leaves a hole.
pub fn give_back(gfn: u64) -> hypercall::HyperResult {
    let list = [gfn];
    let mut wish = MemoryReservation {
        extent_start: list.as_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    hypercall::memory(XENMEM_decrease_reservation, &mut wish)
}

/// A frame given back leaves a hole.
pub fn hole() -> Outcome {
    let gfn = (SPARE >> 12) + 0x1803;
    mem::write_uncaught(gfn << 12, 7);
    let list = [gfn];
    let mut wish = MemoryReservation {
        extent_start: list.as_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    same!(
        ok!(hypercall::memory(XENMEM_decrease_reservation, &mut wish)),
        1
    );
    same!(mem::read_uncaught(gfn << 12), u64::MAX);
    mem::write_uncaught(gfn << 12, 9);
    same!(mem::read_uncaught(gfn << 12), u64::MAX);
    same!(
        ok!(hypercall::memory(XENMEM_populate_physmap, &mut wish)),
        1
    );
    mem::write_uncaught(gfn << 12, 9);
    same!(mem::read_uncaught(gfn << 12), 9);
    Ok(())
}

pub fn out_of_reach() -> Outcome {
    all_refused! {
        add(99, 0, SPARE >> 12) => EINVAL;
        add(XENMAPSPACE_shared_info, 1, SPARE >> 12) => EINVAL;
        remove(1 << 40) => ENOENT;
    }
    Ok(())
}

/// Frames for what follows.
const MOVES: u64 = 0xb00_0000 >> 12;

fn word(gfn: u64) -> u64 {
    mem::read_uncaught(gfn << 12)
}

/// A frame of RAM is put elsewhere and is no longer where it was.
pub fn moves() -> Outcome {
    mem::write_uncaught(MOVES << 12, 11);
    mem::write_uncaught((MOVES + 1) << 12, 22);
    ok!(add(XENMAPSPACE_gmfn, MOVES, MOVES + 1));
    same!((word(MOVES), word(MOVES + 1)), (u64::MAX, 11));
    refused!(add(XENMAPSPACE_gmfn, MOVES, MOVES + 2), EACCES);
    ok!(add(XENMAPSPACE_gmfn, MOVES + 1, MOVES));
    same!((word(MOVES), word(MOVES + 1)), (11, u64::MAX));
    all_refused! {
        add(XENMAPSPACE_gmfn, 1 << 30, MOVES) => EACCES;
        add(XENMAPSPACE_dev_mmio, 0, MOVES) => EINVAL;
        add(XENMAPSPACE_gmfn_foreign, MOVES, MOVES) => ENOSYS;
    }
    ok!(remove(MOVES));
    refused!(remove(MOVES), ENOENT);
    Ok(())
}

pub fn range() -> Outcome {
    for n in 0..4 {
        mem::write_uncaught((MOVES + 8 + n) << 12, 100 + n);
    }
    let mut wish = AddToPhysmap {
        domid: DOMID_SELF,
        space: XENMAPSPACE_gmfn_range,
        idx: MOVES + 8,
        gpfn: MOVES + 16,
        size: 4,
    };
    same!(ok!(hypercall::memory(XENMEM_add_to_physmap, &mut wish)), 0);
    for n in 0..4 {
        same!(
            (word(MOVES + 8 + n), word(MOVES + 16 + n)),
            (u64::MAX, 100 + n)
        );
    }
    Ok(())
}

pub fn batch() -> Outcome {
    let at = MOVES + 32;
    mem::write_uncaught(at << 12, 5);
    let (idxs, gfns, mut errs) = ([at, 1 << 30], [at + 1, at + 2], [1i32; 2]);
    let mut wish = AddToPhysmapBatch {
        domid: DOMID_SELF,
        space: XENMAPSPACE_gmfn as u16,
        size: 2,
        idxs: idxs.as_ptr() as u64,
        gpfns: gfns.as_ptr() as u64,
        errs: errs.as_mut_ptr() as u64,
        ..Default::default()
    };
    same!(
        ok!(hypercall::memory(XENMEM_add_to_physmap_batch, &mut wish)),
        0
    );
    same!(errs, [0, xen_abi::Errno::EACCES.neg() as i32]);
    same!((word(at), word(at + 1)), (u64::MAX, 5));
    wish.space = XENMAPSPACE_gmfn_range as u16;
    refused!(
        hypercall::memory(XENMEM_add_to_physmap_batch, &mut wish),
        EOPNOTSUPP
    );
    wish.space = XENMAPSPACE_gmfn_foreign as u16;
    wish.u = 77;
    errs = [0; 2];
    wish.errs = errs.as_mut_ptr() as u64;
    same!(
        ok!(hypercall::memory(XENMEM_add_to_physmap_batch, &mut wish)),
        0
    );
    same!(errs, [xen_abi::Errno::ESRCH.neg() as i32; 2]);
    Ok(())
}

/// What is about machine frames is for guests that know theirs.
pub fn machine_frames() -> Outcome {
    let mut wish = [0u64; 16];
    ok!(hypercall::memory(XENMEM_machphys_mfn_list, &mut wish));
    refused!(
        hypercall::memory(XENMEM_machphys_mapping, &mut wish),
        ENOSYS
    );
    let exchanged = hypercall::memory(XENMEM_exchange, &mut wish);
    check!(exchanged.is_err(), "{exchanged:?}");
    Ok(())
}

/// A frame that was given back is not given back again, nor is one that never was.
pub fn taken_twice() -> Outcome {
    let gfn = MOVES + 64;
    same!(give_back(gfn), Ok(1));
    same!(give_back(gfn), Ok(0));
    same!(give_back(1 << 30), Ok(0));
    refused!(remove(gfn), ENOENT);
    Ok(())
}
