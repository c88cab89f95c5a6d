//! The forms of 32-bit code, there and back.

use super::areas::{CompatSharedInfo, SharedOffsets};
use super::{Layout, Ulong, Width};
use crate::grant_table::*;
use crate::memory::*;
use crate::physdev::PhysdevMapPirq;
use crate::sched::SchedPoll;
use crate::vcpu::{VcpuRunstateInfo, VcpuSetSingleshotTimer};
use crate::xen::MulticallEntry;

/// Sizes as a 32-bit compiler has them.
#[test]
fn sizes_are_those_of_32_bit_code() {
    for (size, want) in [
        (MulticallEntry::size(Width::W32), 32),
        (MulticallEntry::size(Width::W64), 64),
        (SchedPoll::size(Width::W32), 16),
        (VcpuRunstateInfo::size(Width::W32), 44),
        (VcpuSetSingleshotTimer::size(Width::W32), 12),
        (MemoryReservation::size(Width::W32), 20),
        (MemoryExchange::size(Width::W32), 44),
        (AddToPhysmap::size(Width::W32), 16),
        (AddToPhysmapBatch::size(Width::W32), 20),
        (RemoveFromPhysmap::size(Width::W32), 8),
        (MemoryMap::size(Width::W32), 8),
        (ForeignMemoryMap::size(Width::W32), 12),
        (PodTarget::size(Width::W32), 36),
        (MemAcquireResource::size(Width::W32), 28),
        (ReservedDeviceMemoryMap::size(Width::W32), 16),
        (GnttabSetupTable::size(Width::W32), 16),
        (GnttabTransfer::size(Width::W32), 16),
        (GnttabCopy::size(Width::W32), 24),
        (GnttabGetStatusFrames::size(Width::W32), 12),
        (GnttabMapGrantRef::size(Width::W32), 32),
        (PhysdevMapPirq::size(Width::W32), 36),
        (<[Ulong; 3]>::size(Width::W32), 12),
        (size_of::<CompatSharedInfo>(), 2344),
    ] {
        assert_eq!(size, want);
    }
}

#[test]
fn what_is_narrowed_is_what_was_widened() {
    let wish = MemoryExchange {
        r#in: MemoryReservation {
            extent_start: 0xffff_0000,
            nr_extents: 3,
            extent_order: 9,
            mem_flags: 1 << 16,
            domid: 0x7ff0,
            ..Default::default()
        },
        nr_exchanged: 2,
        ..Default::default()
    };
    let back = MemoryExchange::widen(wish.narrow());
    assert_eq!(back.r#in.extent_start, 0xffff_0000);
    assert_eq!((back.r#in.extent_order, back.r#in.domid), (9, 0x7ff0));
    assert_eq!(back.nr_exchanged, 2);
    let info = VcpuRunstateInfo {
        state: 1,
        state_entry_time: 1 << 63 | 5,
        time: [1 << 40, 2, 3, 4],
        ..Default::default()
    };
    let back = VcpuRunstateInfo::widen(info.narrow());
    assert_eq!(
        (back.state_entry_time, back.time),
        (info.state_entry_time, info.time)
    );
    assert_eq!(Ulong(u64::MAX).narrow(), u32::MAX);
}

#[test]
fn the_shared_page_of_32_bit_kernels() {
    let page = SharedOffsets::of(Width::W32);
    assert_eq!((page.pending, page.mask), (2048, 2176));
    assert_eq!((page.wc_version, page.wc_sec_hi), (2304, 2340));
    assert_eq!((page.pending_sel, page.ports()), (4, 1024));
    let page = SharedOffsets::of(Width::W64);
    assert_eq!((page.pending, page.mask), (2048, 2560));
    assert_eq!((page.pending_sel, page.ports()), (8, 4096));
}
