//! The machine's memory as the portable code sees it: direct map, frame table, machine-to-phys.
//!
//! Why unsafe: turns frame numbers into addresses of the fixed windows in `layout`.
//! Invariant: `MAX_MFN` is set once, before any other CPU runs, and below it the frame table
//! and both machine-to-phys windows are mapped; the direct map is mapped where there is RAM,
//! and `words` is only asked for frames of RAM, because only those are ever counted.

use super::layout::{DIRECT_MAP_VA, FRAME_TABLE_VA, M2P_RW_VA};
use crate::addr::Mfn;
use crate::frame::{Mem, MemOps, NIL, PageInfo};
use crate::tlb::TlbState;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

static MAX_MFN: AtomicU64 = AtomicU64::new(0);
static DEAD: AtomicU32 = AtomicU32::new(NIL);
/// TLB flush requests and clock of this machine.
pub static TLB: TlbState = TlbState::new();

/// The one machine there is.
#[derive(Clone, Copy)]
pub struct MemArch(());

/// Publishes the frame table's size, in frames.
///
/// # Safety
/// The windows must be mapped for all frames below `max_mfn`, the tables zeroed.
pub unsafe fn init(max_mfn: u64) -> Mem {
    MAX_MFN.store(max_mfn, Ordering::Release);
    get()
}

/// The machine's memory, of which nothing is known before [`init`].
pub fn get() -> Mem {
    Mem(MemArch(()))
}

impl MemOps for MemArch {
    #[inline(always)]
    fn frame(self, mfn: Mfn) -> Option<&'static PageInfo> {
        if mfn.0 >= MAX_MFN.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: below MAX_MFN the table is mapped, and its entries are atomics.
        Some(unsafe { &*(FRAME_TABLE_VA as *const PageInfo).add(mfn.0 as usize) })
    }

    #[inline(always)]
    fn words(self, mfn: Mfn) -> &'static [AtomicU64; 512] {
        // SAFETY: see the module's invariant.
        unsafe { &*((DIRECT_MAP_VA + mfn.addr()) as *const [AtomicU64; 512]) }
    }

    #[inline(always)]
    fn dead(self) -> &'static AtomicU32 {
        &DEAD
    }

    #[inline(always)]
    fn m2p(self, mfn: Mfn) -> Option<&'static AtomicU64> {
        if mfn.0 >= MAX_MFN.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: below MAX_MFN the window is mapped.
        Some(unsafe { &*(M2P_RW_VA as *const AtomicU64).add(mfn.0 as usize) })
    }

    fn m2p_extent(self, index: u64) -> Option<Mfn> {
        const EXTENT: u64 = 2 << 20;
        let at = index.checked_mul(EXTENT)?;
        if at >= MAX_MFN.load(Ordering::Relaxed) * 8 {
            return None;
        }
        // What is not mapped as one stands for no RAM.
        let whole = |at| {
            super::paging::translate(M2P_RW_VA + at)
                .filter(|(entry, _)| entry & super::paging::flag::LARGE != 0)
        };
        whole(at).or_else(|| whole(0)).map(|(_, pa)| Mfn::of(pa))
    }

    #[inline(always)]
    fn max_mfn(self) -> u64 {
        MAX_MFN.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn tlb_clock(self) -> u32 {
        TLB.clock()
    }

    fn root_changed(self) {
        if super::mitigate::xpti::on() {
            super::mitigate::xpti::changed();
        }
    }

    fn host_slot(self, slot: usize) -> u64 {
        let root = Mfn::of(super::cpu::host_root());
        self.words(root)
            .get(slot)
            .map_or(0, |entry| entry.load(Ordering::Relaxed))
    }
}
