//! `memory_op` on the simulated machine; what it answers is what Xen 4.20 answers.

#![allow(
    non_upper_case_globals,
    reason = "operations are named as in Xen's headers"
)]

mod reservation;
mod tools;

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::alloc;
use crate::testing::{self, DATA_VA, TestDomain, World};
use core::sync::atomic::Ordering;
use machine::{CpuApi, Mfn, PAGE_SIZE};
use xen_abi::Errno;
use xen_abi::compat::Layout;
use xen_abi::memory::*;
use xen_abi::xen::DOMID_SELF;

/// Where lists of frames are passed: data page 0.
const LIST: u64 = DATA_VA;
/// And other lists: data page 1.
const OTHER: u64 = DATA_VA + PAGE_SIZE as u64;

fn op<T: Layout>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult {
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
