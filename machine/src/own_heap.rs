//! The heap of the hypervisor's own data: grows by frames when it must, and gives them back.
//!
//! What is small is `talc`'s, in chunks of frames; what is large, and what wants whole pages, is
//! frames of its own. Why unsafe: an allocator. Lock: inside each call, and never held while
//! frames are taken or given back. Invariant: memory that `talc` has, or that was handed out as
//! pages, came from [`Frames::take`] and was not given back since; a chunk goes back only when
//! nothing is allocated in it.

use alloc::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};

use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

const PAGE: usize = 4096;
/// Frames of a chunk, as a power of two: 64 KiB. Less when there is no such block.
const CHUNK_ORDER: u32 = 4;
/// From this size on an allocation is frames of its own.
const LARGE: usize = 16 << 10;
/// What `talc` may want of a chunk for itself, its first one's tables included.
const OVERHEAD: usize = PAGE;
/// How often the heap is made larger for one allocation, whose room others may take.
const TRIES: u32 = 8;

/// Where the heap's memory comes from.
///
/// # Safety
/// What [`Frames::take`] returns is memory of 2^`order` pages that nobody else uses until it is
/// given back, aligned to its size.
pub unsafe trait Frames {
    /// 2^`order` pages; `None` when there are none.
    fn take(&self, order: u32) -> Option<NonNull<u8>>;

    /// Takes `pages` pages back.
    ///
    /// # Safety
    /// They are part of what [`Frames::take`] returned, and nobody uses them.
    unsafe fn give(&self, at: NonNull<u8>, pages: usize);
}

/// Chunks in which nothing is allocated any more.
#[derive(Debug)]
struct Emptied {
    /// End of the chunk that came last, which stays when it is empty: what is freed and
    /// allocated again and again does not take and give back frames each time.
    keep: usize,
    /// First address and end of a chunk to give back.
    chunk: Option<(usize, usize)>,
}

// SAFETY: the chunk is left as it is or given up whole, and nothing is claimed here.
unsafe impl Source for Emptied {
    fn acquire<B: Binning>(_: &mut Talc<Self, B>, _: Layout) -> Result<(), ()> {
        Err(())
    }

    const TRACK_HEAP_END: bool = true;

    unsafe fn resize(&mut self, base: *mut u8, end: *mut u8, whole: bool) -> *mut u8 {
        // One at a time: whoever freed takes it before the lock is let go.
        if !whole || end as usize == self.keep || self.chunk.is_some() {
            return end;
        }
        self.chunk = Some((base as usize, end as usize));
        base
    }
}

/// A heap.
#[derive(Debug)]
pub struct OwnHeap<F> {
    small: spin::Mutex<Talc<Emptied, DefaultBinning>>,
    frames: F,
    /// Pages that it has.
    pages: AtomicUsize,
}

impl<F: Frames> OwnHeap<F> {
    /// An empty heap.
    pub const fn new(frames: F) -> OwnHeap<F> {
        let none = Emptied {
            keep: 0,
            chunk: None,
        };
        OwnHeap {
            small: spin::Mutex::new(Talc::new(none)),
            frames,
            pages: AtomicUsize::new(0),
        }
    }

    /// Bytes of memory that the heap has.
    pub fn bytes(&self) -> u64 {
        (self.pages.load(Ordering::Relaxed) * PAGE) as u64
    }

    /// Bytes of it that are free, in pieces of any size.
    pub fn free_bytes(&self) -> u64 {
        self.small.lock().counters().available_bytes as u64
    }

    /// Pages of its own, of which those that the power of two is too many go back at once.
    fn take(&self, pages: usize, align: usize) -> *mut u8 {
        let order = pages.max(align / PAGE).next_power_of_two().trailing_zeros();
        let Some(at) = self.frames.take(order) else {
            return null_mut();
        };
        self.pages.fetch_add(1 << order, Ordering::Relaxed);
        // SAFETY: the end of what was taken just now.
        unsafe { self.give(at, pages, (1 << order) - pages) };
        at.as_ptr()
    }

    /// Gives `pages` pages back, `skip` pages after `at`.
    ///
    /// # Safety
    /// They are the heap's, and nobody uses them.
    unsafe fn give(&self, at: NonNull<u8>, skip: usize, pages: usize) {
        if pages != 0 {
            // SAFETY: the caller's promise; the sum lies in what was taken.
            unsafe { self.frames.give(at.add(skip * PAGE), pages) };
            self.pages.fetch_sub(pages, Ordering::Relaxed);
        }
    }

    /// Makes room for `layout`: a chunk, or a smaller one when frames are scattered.
    fn grow(&self, layout: Layout) -> bool {
        let need = (layout.size() + layout.align() + OVERHEAD).div_ceil(PAGE);
        let least = need.next_power_of_two().trailing_zeros();
        let orders = (least..=least.max(CHUNK_ORDER)).rev();
        let Some((at, order)) = orders
            .into_iter()
            .find_map(|order| Some((self.frames.take(order)?, order)))
        else {
            return false;
        };
        self.pages.fetch_add(1 << order, Ordering::Relaxed);
        let mut small = self.small.lock();
        // SAFETY: taken just now, and the allocator's alone until it gives it up.
        let end = unsafe { small.claim(at.as_ptr(), PAGE << order) };
        small.source.keep = end.map_or(0, |end| end.as_ptr() as usize);
        end.is_some()
    }
}

/// The pages that `layout` has of its own; `None` when it is `talc`'s.
fn pages(layout: Layout) -> Option<usize> {
    (layout.size() >= LARGE || layout.align() >= PAGE).then(|| layout.size().div_ceil(PAGE))
}

// SAFETY: what is handed out is part of memory taken for it, of the layout's size and alignment
// (`talc`'s promise, or whole pages of a block aligned to its size), and stays until it is
// freed with the same layout, which tells whose it is.
unsafe impl<F: Frames> GlobalAlloc for OwnHeap<F> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(pages) = pages(layout) {
            return self.take(pages, layout.align());
        }
        for _ in 0..TRIES {
            // SAFETY: the caller's promise that the size is not zero.
            let got = unsafe { self.small.lock().allocate(layout) };
            if let Some(at) = got {
                return at.as_ptr();
            }
            if !self.grow(layout) {
                break;
            }
        }
        null_mut()
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let whole = match pages(layout) {
            Some(pages) => NonNull::new(at).map(|at| (at, pages)),
            None => {
                let mut small = self.small.lock();
                // SAFETY: the caller's promise.
                unsafe { small.deallocate(at, layout) };
                small.source.chunk.take().and_then(|(base, end)| {
                    // A chunk's first and last few bytes are `talc`'s marks.
                    let first = at.map_addr(|_| base & !(PAGE - 1));
                    let pages = (end.next_multiple_of(PAGE) - first.addr()) / PAGE;
                    Some((NonNull::new(first)?, pages))
                })
            }
        };
        if let Some((at, pages)) = whole {
            // SAFETY: pages taken for what was freed, or a chunk in which nothing is left.
            unsafe { self.give(at, 0, pages) };
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else {
            return null_mut();
        };
        match (pages(layout), pages(new), NonNull::new(at)) {
            (Some(had), Some(want), Some(first)) if want <= had => {
                // SAFETY: the end of the caller's pages, which are given up.
                unsafe { self.give(first, want, had - want) };
                return at;
            }
            (None, None, _)
                // SAFETY: the caller's promise. It never empties a chunk.
                if unsafe { self.small.lock().try_realloc_in_place(at, layout, size) } =>
            {
                return at;
            }
            _ => {}
        }
        // SAFETY: the caller's promise that the size is not zero.
        let to = unsafe { self.alloc(new) };
        if !to.is_null() {
            // SAFETY: both have so many bytes, and are not the same memory.
            unsafe { at.copy_to_nonoverlapping(to, layout.size().min(size)) };
            // SAFETY: the caller's promise.
            unsafe { self.dealloc(at, layout) };
        }
        to
    }
}

#[cfg(test)]
mod tests;
