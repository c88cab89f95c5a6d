//! The hypervisor's own heap, on memory of the test process.

extern crate std;

use super::*;
use core::cell::Cell;
use std::vec::Vec;

/// So many pages and no more.
struct Few(Cell<usize>);

// SAFETY: what is taken is the system allocator's, aligned to its size. It is never given back
// to that one, because parts of it may come back by themselves.
unsafe impl Frames for Few {
    fn take(&self, order: u32) -> Option<NonNull<u8>> {
        let left = self.0.get().checked_sub(1 << order)?;
        self.0.set(left);
        let size = PAGE << order;
        let layout = Layout::from_size_align(size, size).unwrap();
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { std::alloc::alloc(layout) })
    }

    unsafe fn give(&self, at: NonNull<u8>, pages: usize) {
        assert!(at.as_ptr().addr().is_multiple_of(PAGE) && pages != 0);
        // What is used after it was given back is seen to have changed.
        // SAFETY: the caller's promise.
        unsafe { at.as_ptr().write_bytes(0xdd, pages * PAGE) };
        self.0.set(self.0.get() + pages);
    }
}

fn heap(pages: usize) -> OwnHeap<Few> {
    OwnHeap::new(Few(Cell::new(pages)))
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Memory of a heap, filled with a byte.
struct Piece {
    at: *mut u8,
    layout: Layout,
    byte: u8,
}

impl Piece {
    fn new(heap: &OwnHeap<Few>, layout: Layout, byte: u8) -> Option<Piece> {
        // SAFETY: the tests' sizes are not zero.
        let at = unsafe { heap.alloc(layout) };
        if at.is_null() {
            return None;
        }
        assert!(at.addr().is_multiple_of(layout.align()));
        // SAFETY: so large was asked for.
        unsafe { at.write_bytes(byte, layout.size()) };
        Some(Piece { at, layout, byte })
    }

    /// Its bytes are as they were left.
    fn check(&self, len: usize) {
        // SAFETY: allocated and filled.
        let bytes = unsafe { core::slice::from_raw_parts(self.at, len) };
        assert!(bytes.iter().all(|b| *b == self.byte));
    }

    fn resize(&mut self, heap: &OwnHeap<Few>, size: usize) {
        // SAFETY: the layout it has, and a size that is not zero.
        let at = unsafe { heap.realloc(self.at, self.layout, size) };
        if at.is_null() {
            return;
        }
        let kept = self.layout.size().min(size);
        (self.at, self.layout) = (at, layout(size, self.layout.align()));
        self.check(kept);
        // SAFETY: so large was asked for.
        unsafe { at.write_bytes(self.byte, size) };
    }

    fn free(self, heap: &OwnHeap<Few>) {
        self.check(self.layout.size());
        // SAFETY: allocated with this layout.
        unsafe { heap.dealloc(self.at, self.layout) };
    }
}

#[test]
fn it_takes_frames_when_it_must_and_gives_them_back() {
    let heap = heap(1000);
    assert_eq!((heap.bytes(), heap.free_bytes()), (0, 0));
    let one = Piece::new(&heap, layout(100, 8), 1).unwrap();
    let first = heap.bytes();
    assert_eq!(first, 64 << 10);
    let more: Vec<Piece> = (0..2000)
        .map(|i| Piece::new(&heap, layout(1000, 16), i as u8).unwrap())
        .collect();
    assert!(heap.bytes() >= 2_000_000);
    more.into_iter().for_each(|piece| piece.free(&heap));
    // The first chunk, and the last one for what comes next.
    assert_eq!(heap.bytes(), first + (64 << 10));
    assert!(heap.free_bytes() > 100 << 10);
    one.free(&heap);
    assert_eq!(
        heap.frames.0.get() as u64 * 4096 + heap.bytes(),
        1000 * 4096
    );
}

#[test]
fn large_ones_and_whole_pages_are_frames_of_their_own() {
    let heap = heap(1000);
    let large = Piece::new(&heap, layout(70_000, 8), 7).unwrap();
    assert_eq!(heap.bytes(), 18 * 4096);
    let page = Piece::new(&heap, layout(4096, 4096), 8).unwrap();
    assert_eq!(heap.bytes(), 19 * 4096);
    let aligned = Piece::new(&heap, layout(5000, 32 << 10), 9).unwrap();
    assert_eq!(heap.bytes(), 21 * 4096);
    for piece in [large, page, aligned] {
        piece.free(&heap);
    }
    assert_eq!((heap.bytes(), heap.frames.0.get()), (0, 1000));
}

#[test]
fn a_large_one_that_shrinks_stays_where_it_is() {
    let heap = heap(100);
    let mut piece = Piece::new(&heap, layout(100_000, 8), 3).unwrap();
    let at = piece.at;
    piece.resize(&heap, 20_000);
    assert_eq!((piece.at, heap.bytes()), (at, 5 * 4096));
    piece.resize(&heap, 200_000);
    piece.resize(&heap, 100);
    piece.free(&heap);
    assert_eq!(heap.bytes(), 64 << 10);
}

#[test]
fn without_frames_there_is_no_memory_and_what_there_is_stays_usable() {
    let heap = heap(3);
    assert!(Piece::new(&heap, layout(16 << 10, 8), 0).is_none());
    // No chunk of 16 frames, but one of 2.
    let small = Piece::new(&heap, layout(2000, 8), 1).unwrap();
    assert_eq!(heap.bytes(), 8192);
    assert!(Piece::new(&heap, layout(9000, 8), 2).is_none());
    let page = Piece::new(&heap, layout(4096, 4096), 3).unwrap();
    assert!(Piece::new(&heap, layout(4096, 4096), 4).is_none());
    let next = Piece::new(&heap, layout(2000, 8), 5).unwrap();
    for piece in [small, page, next] {
        piece.free(&heap);
    }
}

#[test]
fn any_order_of_use_keeps_contents_and_loses_no_frame() {
    let steps = if cfg!(miri) { 300 } else { 60_000 };
    let heap = heap(600);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for step in 0..steps {
        // Rises and falls, so that chunks empty.
        let most = if step / 500 % 2 == 0 { 120 } else { 4 };
        let size = match next(20) {
            0 => 1 + next(60_000),
            1..5 => 1 + next(6000),
            _ => 1 + next(300),
        };
        if pieces.len() < most {
            let align = if next(30) == 0 { 4096 } else { 1 << next(8) };
            pieces.extend(Piece::new(&heap, layout(size, align), step as u8));
        } else {
            let at = next(pieces.len());
            match next(4) {
                0 => pieces[at].resize(&heap, size),
                _ => pieces.swap_remove(at).free(&heap),
            }
            while pieces.len() > most {
                pieces.swap_remove(next(pieces.len())).free(&heap);
            }
        }
        assert_eq!(
            heap.frames.0.get() * PAGE + heap.bytes() as usize,
            600 * PAGE
        );
    }
    pieces.into_iter().for_each(|piece| piece.free(&heap));
    // The first chunk, and one that is kept.
    assert!(heap.bytes() <= 128 << 10, "{}", heap.bytes());
}
