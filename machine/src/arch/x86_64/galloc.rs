//! The heap of the hypervisor's own data: `alloc` on `talc`.
//!
//! Why unsafe: hands RAM to the allocator. Its lock is taken inside each allocation and never
//! held while anything else is waited for. Invariant: memory given to it lies in the direct
//! map, is nobody else's, and is never taken back.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use talc::TalcLock;
use talc::source::Manual;

use super::layout::DIRECT_MAP_VA;
use super::paging::TableSource;
use crate::Mfn;
use crate::heap::Block;

#[global_allocator]
static HEAP: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

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
    claimed.is_some()
}

/// Bytes that the heap could still give out, in pieces of any size.
pub fn free_bytes() -> u64 {
    HEAP.lock().counters().available_bytes as u64
}

/// Bytes of RAM that the heap owns.
pub fn bytes() -> u64 {
    HEAP.lock().counters().claimed_bytes as u64
}

/// Gives the heap more memory for good.
pub fn add(block: Block) {
    let _ = lend(block);
}

/// Gives the heap more memory for a while: what is allocated in it stays, the rest comes back
/// by [`Loan::end`]. Allocations larger than any piece the heap has need one block as large.
pub fn lend(block: Block) -> Loan {
    let (start, end) = (block.first(), Mfn(block.first().0 + block.len()));
    let len = (block.len() << 12) as usize;
    // SAFETY: the block's frames are RAM that only the block stood for; it is given up here.
    let top = unsafe {
        HEAP.lock()
            .claim((DIRECT_MAP_VA + start.addr()) as *mut u8, len)
    };
    Loan { start, end, top }
}

/// Memory lent to the heap. Dropping it leaves the memory there for good.
#[derive(Debug)]
pub struct Loan {
    start: Mfn,
    end: Mfn,
    top: Option<NonNull<u8>>,
}

impl Loan {
    /// Takes back what is not in use above the last allocation: (first frame, one past the
    /// last), for the caller to give to the frames' heap. The rest stays lent for good.
    pub fn end(self) -> Option<(Mfn, Mfn)> {
        let Some(top) = self.top else {
            return Some((self.start, self.end));
        };
        // SAFETY: `top` is the end that `claim` returned, and has not changed since: nothing
        // else resizes, and a loan is ended once.
        let left = unsafe { HEAP.lock().truncate(top, null_mut()) };
        let first = match left {
            None => self.start,
            Some(at) => Mfn((at.as_ptr() as u64 - DIRECT_MAP_VA).div_ceil(4096)),
        };
        (first < self.end).then_some((first, self.end))
    }
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
