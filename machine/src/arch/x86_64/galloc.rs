//! The heap of the hypervisor's own data: `alloc` on `talc`.
//!
//! Why unsafe: hands RAM to the allocator. Its lock is taken inside each allocation and never
//! held while anything else is waited for. Invariant: memory given to it lies in the direct
//! map, is nobody else's, and is never taken back.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use talc::TalcLock;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

use super::layout::DIRECT_MAP_VA;
use super::paging::TableSource;

/// Gives `len` bytes (a power of two, at least 2 MiB) of RAM, aligned to `len`, for good:
/// their machine address.
pub type Grow = fn(len: u64) -> Option<u64>;

/// What the heap grows by.
const STEP: u64 = 1 << 21;

static GROW: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static HEAP: TalcLock<spin::Mutex<()>, Grower> = TalcLock::new(Grower);

/// Asks the policy for more RAM.
#[derive(Debug)]
struct Grower;

// SAFETY: `acquire` uses the allocator through its argument only; a `Grow` function is
// documented not to allocate.
unsafe impl Source for Grower {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let grow = GROW.load(Ordering::Acquire);
        if grow.is_null() {
            return Err(());
        }
        // SAFETY: only `set_grow` stores it, from a function of this type.
        let grow: Grow = unsafe { core::mem::transmute(grow) };
        let need = (layout.size() as u64)
            .checked_add(layout.align() as u64 + 4096)
            .ok_or(())?;
        let len = need.checked_next_power_of_two().ok_or(())?.max(STEP);
        let pa = grow(len).ok_or(())?;
        // SAFETY: `grow` gave this memory to the heap for good.
        unsafe { talc.claim((DIRECT_MAP_VA + pa) as *mut u8, len as usize) }.ok_or(())?;
        BYTES.fetch_add(len, Ordering::Relaxed);
        Ok(())
    }
}

/// Gives the heap its first memory, in machine addresses.
///
/// # Safety
/// The memory must be RAM in the direct map that nothing else uses, ever.
pub unsafe fn init(pa: u64, len: u64) -> bool {
    // SAFETY: the caller's promise.
    let claimed = unsafe {
        HEAP.lock()
            .claim((DIRECT_MAP_VA + pa) as *mut u8, len as usize)
    };
    BYTES.fetch_add(len, Ordering::Relaxed);
    claimed.is_some()
}

/// Sets where more memory comes from. `grow` must neither allocate from this heap nor wait
/// for a lock that is held while allocating: it runs inside an allocation.
pub fn set_grow(grow: Grow) {
    GROW.store(grow as *mut (), Ordering::Release);
}

/// Bytes of RAM that the heap owns.
pub fn bytes() -> u64 {
    BYTES.load(Ordering::Relaxed)
}

/// Zeroed pages from the heap, for tables and stacks that stay for good.
pub struct HeapPages;

impl TableSource for HeapPages {
    fn table(&mut self) -> Option<u64> {
        let layout = Layout::from_size_align(4096, 4096).ok()?;
        // SAFETY: the layout's size is not zero.
        let page = NonNull::new(unsafe { alloc::alloc::alloc_zeroed(layout) })?;
        Some(page.as_ptr() as u64 - DIRECT_MAP_VA)
    }
}
