//! `exchange`: frames of a PV domain for others, which lie together or where a device reaches.
//!
//! Done in chunks: as many extents as one of the larger side. A chunk is exchanged whole or
//! not at all.

use super::{Call, reservation};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::alloc::{alloc_clean_block, assign_block};
use alloc::vec::Vec;
use core::mem::offset_of;
use machine::cpu::guest_va_ok;
use machine::{CpuApi, Mfn, Page};
use xen_abi::Errno;
use xen_abi::memory::reservation::{MemoryExchange, MemoryReservation};

/// The hypercall. Errors: `EFAULT`, `EPERM`, `EINVAL`, `ESRCH`, `ENOMEM`.
pub fn exchange(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: MemoryExchange = cx.copy_in(GuestPtr::new(call.arg))?;
    let mut done = wish.nr_exchanged;
    let result = run(cx, call, &wish, &mut done);
    let at = offset_of!(MemoryExchange, nr_exchanged) as u64;
    cx.copy_out(GuestPtr::<u64>::new(call.arg.wrapping_add(at)), &done)?;
    result
}

fn pages_of(side: &MemoryReservation) -> Option<u64> {
    side.nr_extents.checked_mul(1u64.checked_shl(side.extent_order)?)
}

fn list_ok(side: &MemoryReservation) -> bool {
    side.nr_extents
        .checked_mul(8)
        .is_some_and(|bytes| guest_va_ok(side.extent_start, bytes as usize))
}

fn run(cx: &mut Cx, call: Call, wish: &MemoryExchange, done: &mut u64) -> HyperResult {
    let (give, take) = (&wish.r#in, &wish.out);
    let order = give.extent_order.max(take.extent_order);
    if order > reservation::max_order(cx.dom) {
        return Err(Errno::EPERM.into());
    }
    let pages = pages_of(give);
    if *done > give.nr_extents
        || give.domid != take.domid
        || pages.is_none()
        || pages != pages_of(take)
    {
        return Err(Errno::EINVAL.into());
    }
    if *done == give.nr_extents {
        return Ok(0);
    }
    if !list_ok(give) || !list_ok(take) {
        return Err(Errno::EFAULT.into());
    }
    let limit = reservation::frame_limit(cx, take.mem_flags).ok_or(Errno::EINVAL)?;
    let dom = cx.resolve(give.domid)?;
    let give_shift = order - give.extent_order;
    let chunks = *done >> give_shift..give.nr_extents >> give_shift;
    for chunk in chunks.clone() {
        if chunk != chunks.start && cx.cpu.work_pending() {
            cx.set_args([call.op, call.arg]);
            return Err(Fail::Restart);
        }
        one(cx, wish, &dom, limit, chunk)?;
        *done = (chunk + 1) << give_shift;
    }
    *done = give.nr_extents;
    Ok(0)
}

/// Exchanges one chunk.
fn one(
    cx: &mut Cx,
    wish: &MemoryExchange,
    dom: &Domain,
    limit: u64,
    chunk: u64,
) -> Result<(), Fail> {
    let (give, take) = (&wish.r#in, &wish.out);
    let order = give.extent_order.max(take.extent_order);
    let old = steal(cx, give, dom, order, chunk)?;
    let take_count = 1u64 << (order - take.extent_order);
    let mut new = Vec::new();
    new.try_reserve_exact(take_count as usize).map_err(|_| Errno::ENOMEM)?;
    for _ in 0..take_count {
        match alloc_clean_block(cx.hv, cx.cpu, take.extent_order, limit) {
            Ok(block) => new.push(block),
            Err(errno) => {
                new.into_iter().for_each(|block| block.into_pages(false).for_each(drop));
                return Err(errno.into());
            }
        }
    }
    // From here on this chunk cannot fail.
    for page in old {
        drop(page.end_allocation());
    }
    cx.hv.reap();
    dom.pages.book(1u64 << order);
    let mut result = Ok(());
    let list = GuestPtr::<u64>::new(take.extent_start);
    for (i, block) in new.into_iter().enumerate() {
        let at = list.add((chunk << (order - take.extent_order)).wrapping_add(i as u64));
        let gfn = cx.copy_in(at);
        let first = assign_block(cx.hv, dom, block);
        match gfn {
            Ok(gfn) => {
                for n in 0..1u64 << take.extent_order {
                    cx.hv.mem.set_m2p(Mfn(first.0 + n), gfn.wrapping_add(n));
                }
                result = result.and(cx.copy_out(at, &first.0));
            }
            Err(errno) => result = Err(errno),
        }
    }
    Ok(result?)
}

/// The frames to give up: nobody may use them but the domain's allocation.
fn steal(
    cx: &mut Cx,
    give: &MemoryReservation,
    dom: &Domain,
    order: u32,
    chunk: u64,
) -> Result<Vec<Page>, Fail> {
    let mut old = Vec::new();
    old.try_reserve_exact(1usize << order).map_err(|_| Errno::ENOMEM)?;
    let extents = 1u64 << (order - give.extent_order);
    let list = GuestPtr::<u64>::new(give.extent_start);
    for extent in 0..extents {
        let first: u64 = cx.copy_in(list.add(chunk * extents + extent))?;
        for n in 0..1u64 << give.extent_order {
            let mfn = Mfn(first.checked_add(n).ok_or(Errno::EINVAL)?);
            let page = cx.hv.mem.get_page(mfn, dom.owner()).ok_or(Errno::EINVAL)?;
            let info = page.info();
            if !info.is_allocated() || info.count() != 2 {
                return Err(Errno::EINVAL.into());
            }
            old.push(page);
        }
    }
    Ok(old)
}
