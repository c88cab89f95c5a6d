//! `memory_op` on what is not this domain's.

use super::free_frame;
use guest_rt::harness::Outcome;
use guest_rt::{all_refused, check, hypercall, mem, refused};
use xen_abi::memory::reservation::*;
use xen_abi::xen::DOMID_SELF;

fn op(
    cmd: u32,
    frame: u64,
    nr_extents: u64,
    extent_order: u32,
    domid: u16,
) -> hypercall::HyperResult {
    let mut frames = [frame; 2];
    let mut arg = MemoryReservation {
        extent_start: frames.as_mut_ptr() as u64,
        nr_extents,
        extent_order,
        domid,
        ..Default::default()
    };
    hypercall::memory(cmd, &mut arg)
}

pub fn frames() -> Outcome {
    for frame in [free_frame(), 0xf_ffff_ffff, u64::MAX] {
        let result = op(XENMEM_decrease_reservation, frame, 1, 0, DOMID_SELF);
        check!(result == Ok(0), "decrease {frame:#x}: {result:?}");
    }
    // A frame given up while it is mapped stays this domain's until the mapping goes.
    let page = mem::alloc();
    page.set(0, 7);
    let result = op(XENMEM_decrease_reservation, page.mfn(), 1, 0, DOMID_SELF);
    check!(
        result == Ok(1) && page.get(0) == 7,
        "decrease of a mapped frame: {result:?}"
    );
    Ok(())
}

pub fn extents() -> Outcome {
    // Counts that cannot be: nothing done.
    guest_rt::same!(
        op(XENMEM_populate_physmap, 0, u64::MAX, 0, DOMID_SELF),
        Ok(0)
    );
    guest_rt::same!(op(XENMEM_populate_physmap, 0, 1, 40, DOMID_SELF), Ok(0));
    guest_rt::same!(op(XENMEM_increase_reservation, 0, 1, 63, DOMID_SELF), Ok(0));
    guest_rt::same!(op(XENMEM_decrease_reservation, 0, 1, 63, DOMID_SELF), Ok(0));
    let frames = [0u64; 2];
    let side = |order| MemoryReservation {
        extent_start: frames.as_ptr() as u64,
        nr_extents: 1,
        extent_order: order,
        domid: DOMID_SELF,
        ..Default::default()
    };
    let mut exchange = MemoryExchange {
        r#in: side(0),
        out: side(1),
        nr_exchanged: 0,
    };
    refused!(hypercall::memory(XENMEM_exchange, &mut exchange), EINVAL);
    exchange.out = side(0);
    exchange.r#in.nr_extents = u64::MAX;
    refused!(hypercall::memory(XENMEM_exchange, &mut exchange), EINVAL);
    Ok(())
}

pub fn domains() -> Outcome {
    for domid in [77, 0x7ff4, 0xffff] {
        let mut arg = MemoryDomain { domid };
        all_refused! {
            hypercall::memory(XENMEM_current_reservation, &mut arg) => ESRCH;
            hypercall::memory(XENMEM_maximum_reservation, &mut arg) => ESRCH;
        }
        guest_rt::same!(op(XENMEM_populate_physmap, 0, 1, 0, domid), Ok(0));
    }
    Ok(())
}
