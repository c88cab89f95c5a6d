//! The heap of the hypervisor's own data: `alloc` on [`OwnHeap`], which takes free frames.
//!
//! Why unsafe: turns frames into memory by the direct map. Owns the machine's free frames, whose
//! lock it hands to the policy. Invariant: a frame that the heap has belongs to nobody, no
//! reference to it can be taken, and no CPU knows a translation to it but the hypervisor's own.

use alloc::alloc::{Layout, alloc_zeroed};
use core::ptr::NonNull;

use super::layout::DIRECT_MAP_VA;
use super::mem;
use super::paging::TableSource;
use crate::heap::{Heap, LEVEL};
use crate::lock::Lock;
use crate::own_heap::{Frames, OwnHeap};
use crate::{Mfn, PAGE_SIZE};

/// Free frames that are kept for the heap: 256 KiB. What it has free itself comes on top.
const KEPT: u64 = 64;

#[global_allocator]
static HEAP: OwnHeap<FreeFrames> = OwnHeap::new(FreeFrames);

/// The machine's free frames; none until [`init`].
static FRAMES: spin::Once<Lock<Heap>> = spin::Once::new();

/// Lets the heap take from `frames`, which it shares with everybody from then on. Once; the
/// boot CPU calls it before anything is allocated.
pub fn init(mut frames: Heap) {
    frames.keep_back(KEPT);
    FRAMES.call_once(|| Lock::new(LEVEL, frames));
}

/// What [`init`] returned; `None` before.
pub fn frames() -> Option<&'static Lock<Heap>> {
    FRAMES.get()
}

/// Bytes of RAM that the heap has now.
pub fn bytes() -> u64 {
    HEAP.bytes()
}

/// Bytes of these that are not in use.
pub fn free_bytes() -> u64 {
    HEAP.free_bytes()
}

#[derive(Debug)]
struct FreeFrames;

// SAFETY: a block of free frames is nobody's and aligned to its size, and the direct map, which
// is aligned to more, covers all RAM. Whoever could still write to it has flushed.
unsafe impl Frames for FreeFrames {
    fn take(&self, order: u32) -> Option<NonNull<u8>> {
        let block = FRAMES.get()?.lock().alloc_own(order)?;
        super::cpu::flush_everywhere(block.stamp(mem::TLB.clock()));
        NonNull::new((DIRECT_MAP_VA + block.into_own().addr()) as *mut u8)
    }

    unsafe fn give(&self, at: NonNull<u8>, pages: usize) {
        if let Some(frames) = FRAMES.get() {
            let first = Mfn::of(at.as_ptr() as u64 - DIRECT_MAP_VA);
            let mut frames = frames.lock();
            (first.0..first.0 + pages as u64).for_each(|mfn| frames.free(Mfn(mfn)));
        }
    }
}

/// Zeroed pages from the heap, for tables and stacks that stay for good.
pub struct HeapPages;

impl TableSource for HeapPages {
    fn table(&mut self) -> Option<u64> {
        let layout = Layout::from_size_align(PAGE_SIZE, PAGE_SIZE).ok()?;
        // SAFETY: the layout's size is not zero.
        let page = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(page.as_ptr() as u64 - DIRECT_MAP_VA)
    }
}
