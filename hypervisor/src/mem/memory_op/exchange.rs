//! `exchange`: frames of a PV domain for others, which lie together or where a device reaches.
//!
//! Done in chunks: one extent of the side that has the larger ones, and as many of the other
//! as make up for it. A chunk is exchanged whole or not at all.

use super::{Call, reservation};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::alloc::{alloc_clean_block, assign_block};
use alloc::vec::Vec;
use machine::frame::Stolen;
use machine::heap::Block;
use machine::{CpuApi, Mfn};
use xen_abi::compat::Ulong;
use xen_abi::memory::reservation::{MemoryExchange, MemoryReservation};
use xen_abi::{Errno, field_offset};

/// Errors: `EFAULT`, `EPERM`, `EINVAL`, `ESRCH`, `ENOMEM`.
pub fn exchange(cx: &mut Cx, call: Call) -> HyperResult {
    let wish: MemoryExchange = cx.copy_in(GuestPtr::new(call.arg))?;
    let mut done = wish.nr_exchanged;
    let result = run(cx, call, &wish, &mut done);
    let at = field_offset!(cx.width, MemoryExchange, nr_exchanged) as u64;
    cx.copy_out(GuestPtr::new(call.arg.wrapping_add(at)), &Ulong(done))?;
    result
}

fn frames_of(side: &MemoryReservation) -> Option<u64> {
    side.nr_extents
        .checked_mul(1u64.checked_shl(side.extent_order)?)
}

fn list(side: &MemoryReservation) -> GuestPtr<Ulong> {
    GuestPtr::new(side.extent_start)
}

fn run(cx: &mut Cx, call: Call, wish: &MemoryExchange, done: &mut u64) -> HyperResult {
    let (give, take) = (&wish.r#in, &wish.out);
    let order = give.extent_order.max(take.extent_order);
    if order > reservation::max_order(cx.dom) {
        return Err(Errno::EPERM.into());
    }
    let frames = frames_of(give);
    if *done > give.nr_extents
        || give.domid != take.domid
        || frames.is_none()
        || frames != frames_of(take)
    {
        return Err(Errno::EINVAL.into());
    }
    if *done == give.nr_extents {
        return Ok(0);
    }
    for side in [give, take] {
        cx.check_array(list(side), side.nr_extents)?;
    }
    if !reservation::node_ok(cx.dom, take.mem_flags) {
        return Err(Errno::EINVAL.into());
    }
    let dom = cx.resolve(give.domid)?;
    let limit = reservation::frame_limit(cx, take.mem_flags);
    let give_shift = order - give.extent_order;
    let chunks = *done >> give_shift..give.nr_extents >> give_shift;
    for index in chunks.clone() {
        if index != chunks.start && cx.cpu.work_pending() || cx.reap().is_err() {
            cx.set_args([call.op, call.arg]);
            return Err(Fail::Restart);
        }
        let chunk = Chunk {
            give,
            take,
            dom: &dom,
            order,
            limit,
            index,
        };
        chunk.exchange(cx)?;
        *done = (index + 1) << give_shift;
    }
    *done = give.nr_extents;
    Ok(0)
}

/// 2^`order` frames to exchange.
struct Chunk<'a> {
    give: &'a MemoryReservation,
    take: &'a MemoryReservation,
    dom: &'a Domain,
    order: u32,
    /// One past the highest frame that is wanted; `None` when there is none such.
    limit: Option<u64>,
    index: u64,
}

impl Chunk<'_> {
    fn exchange(&self, cx: &mut Cx) -> Result<(), Fail> {
        let mut old = Vec::new();
        let new = self.steal(cx, &mut old).and_then(|()| self.alloc(cx));
        let new = match new {
            Ok(new) => new,
            Err(errno) => {
                old.into_iter().for_each(Stolen::give_back);
                return Err(errno.into());
            }
        };
        // From here on this chunk cannot fail. The account must not fall short in between, or
        // another vCPU would take what is booked for the new frames.
        self.dom.pages.book(1 << self.order);
        drop(old);
        cx.hv.reap_some();
        self.assign(cx, new)?;
        Ok(())
    }

    /// Takes the frames to give up; nobody may use them any more.
    fn steal(&self, cx: &mut Cx, old: &mut Vec<Stolen>) -> Result<(), Errno> {
        old.try_reserve_exact(1 << self.order)
            .map_err(|_| Errno::ENOMEM)?;
        let extents = 1u64 << (self.order - self.give.extent_order);
        let list = list(self.give);
        for extent in 0..extents {
            let Ulong(first) = cx.copy_in(cx.at(list, self.index * extents + extent))?;
            for n in 0..1u64 << self.give.extent_order {
                let mfn = Mfn(first.checked_add(n).ok_or(Errno::EINVAL)?);
                let page = cx
                    .hv
                    .mem
                    .get_page(mfn, self.dom.owner())
                    .ok_or(Errno::EINVAL)?;
                old.push(page.steal().map_err(|_| Errno::EINVAL)?);
            }
        }
        Ok(())
    }

    fn alloc(&self, cx: &mut Cx) -> Result<Vec<Block>, Errno> {
        let count = 1usize << (self.order - self.take.extent_order);
        let limit = self.limit.ok_or(Errno::ENOMEM)?;
        let mut new = Vec::new();
        new.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        while new.len() < count {
            match alloc_clean_block(cx.hv, cx.cpu, None, self.take.extent_order, limit) {
                Ok(block) => new.push(block),
                Err(errno) => {
                    new.into_iter()
                        .for_each(|block| block.into_pages(false).for_each(drop));
                    return Err(errno);
                }
            }
        }
        Ok(new)
    }

    /// Makes the new frames the domain's own and tells it which they are.
    fn assign(&self, cx: &mut Cx, new: Vec<Block>) -> Result<(), Errno> {
        let mut result = Ok(());
        let from = self.index << (self.order - self.take.extent_order);
        let list = list(self.take);
        for (i, block) in new.into_iter().enumerate() {
            let at = cx.at(list, from.wrapping_add(i as u64));
            let gfn = cx.copy_in(at);
            let Ok(first) = assign_block(cx.hv, self.dom, block) else {
                result = Err(Errno::ESRCH);
                continue;
            };
            let told = gfn.and_then(|Ulong(gfn)| {
                for n in 0..1u64 << self.take.extent_order {
                    cx.hv.mem.set_m2p(Mfn(first.0 + n), gfn.wrapping_add(n));
                }
                cx.copy_out(at, &Ulong(first.0))
            });
            result = result.and(told);
        }
        result
    }
}
