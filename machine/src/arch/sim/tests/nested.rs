//! Nested tables: references, splitting, and what is left at the end.

use super::build::heap;
use crate::arch::sim::SimMachine;
use crate::frame::{Page, PageType, TypeGet};
use crate::heap::Heap;
use crate::nested::{Kind, Leaf, Nested, NestedError};
use crate::{Gfn, Mfn};
use alloc::sync::Arc;

struct World {
    heap: Heap,
    nested: Option<Nested>,
}

fn page(heap: &mut Heap) -> Page {
    heap.alloc(0).unwrap().into_page(true).unwrap()
}

impl World {
    fn new(frames: usize) -> World {
        let machine = SimMachine::new(frames, 1);
        let mut heap = heap(machine);
        let root = page(&mut heap);
        let nested = Some(Nested::new(root, 30));
        World { heap, nested }
    }

    fn set(&mut self, gfn: u64, leaf: Leaf) -> Result<Option<Page>, NestedError> {
        let heap = &mut self.heap;
        let mut frames = || heap.alloc(0)?.into_page(true);
        let mut guard = self.nested.as_ref().unwrap().lock();
        guard
            .set(Gfn(gfn), leaf, &mut frames)
            .map(|stale| stale.page)
    }

    fn run(&mut self, gfn: u64) -> Result<Mfn, NestedError> {
        let block = self.heap.alloc(9).unwrap();
        let first = block.first();
        let heap = &mut self.heap;
        let mut frames = || heap.alloc(0)?.into_page(true);
        let mut guard = self.nested.as_ref().unwrap().lock();
        guard
            .set_run(Gfn(gfn), 2, first, block.into_pages(true), &mut frames)
            .map(|()| first)
    }

    fn nested(&self) -> &Nested {
        self.nested.as_ref().unwrap()
    }
}

#[test]
fn entries_hold_what_they_name_and_give_it_back() {
    let mut w = World::new(64);
    let first = page(&mut w.heap);
    let (mfn, another) = (first.mfn(), first.another());
    assert!(w.set(5, Leaf::Ram(first)).unwrap().is_none());
    assert_eq!(another.info().count(), 2);
    let found = w.nested().lookup(Gfn(5)).unwrap();
    assert_eq!((found.mfn, found.kind, found.level), (mfn, Kind::Ram, 1));
    assert!(w.nested().lookup(Gfn(4)).is_none());
    assert_eq!(w.nested().page(Gfn(5)).unwrap().0.mfn(), mfn);
    another.words()[3].store(7, core::sync::atomic::Ordering::Relaxed);
    assert_eq!(w.nested().read_word(0x5018), Some(7));
    assert_eq!(w.nested().read_word(0x4018), None);
    let old = w.set(5, Leaf::Mmio(Mfn(0xfee00))).unwrap().unwrap();
    assert_eq!((old.mfn(), another.info().count()), (mfn, 2));
    drop(old);
    assert_eq!(another.info().count(), 1);
    // A device's memory is nobody's.
    assert!(w.nested().page(Gfn(5)).is_none());
    assert!(w.set(5, Leaf::None).unwrap().is_none());
    assert!(w.nested().lookup(Gfn(5)).is_none());
    assert_eq!(w.set(1 << 36, Leaf::None).unwrap_err(), NestedError::Range);
}

#[test]
fn nothing_is_made_for_what_is_not_there() {
    let mut w = World::new(64);
    let before = w.heap.free_frames();
    assert!(w.set(1 << 30, Leaf::None).unwrap().is_none());
    assert_eq!(w.heap.free_frames(), before);
}

#[test]
fn a_large_page_splits_around_what_changes() {
    let mut w = World::new(2048);
    let first = w.run(512).unwrap();
    assert_eq!(w.nested().lookup(Gfn(700)).unwrap().level, 2);
    assert_eq!(w.nested().lookup(Gfn(700)).unwrap().mfn.0, first.0 + 188);
    let gone = w.set(700, Leaf::None).unwrap().unwrap();
    assert_eq!(gone.mfn().0, first.0 + 188);
    assert_eq!(gone.info().count(), 1);
    for gfn in 512..1024 {
        match w.nested().lookup(Gfn(gfn)) {
            None => assert_eq!(gfn, 700),
            Some(found) => {
                assert_eq!((found.mfn.0, found.level), (first.0 + gfn - 512, 1));
                assert_eq!(w.nested().page(Gfn(gfn)).unwrap().0.info().count(), 2);
            }
        }
    }
    // A run goes where nothing is, at a multiple of its size.
    assert_eq!(w.run(512).unwrap_err(), NestedError::Range);
    assert_eq!(w.run(1025).unwrap_err(), NestedError::Range);
}

#[test]
fn leaves_are_taken_out_in_pieces() {
    let mut w = World::new(2048);
    let first = w.run(512).unwrap();
    let one = page(&mut w.heap);
    let held = one.another();
    w.set(3 << 20, Leaf::Ram(one)).unwrap();
    w.set(7, Leaf::Mmio(Mfn(0xfee00))).unwrap();
    let mut rounds = 1;
    while w.nested().lock().strip() {
        rounds += 1;
    }
    assert!((3..100).contains(&rounds), "{rounds}");
    assert!(w.nested().lookup(Gfn(3 << 20)).is_none() && w.nested().lookup(Gfn(7)).is_none());
    assert_eq!(held.info().count(), 1);
    assert_eq!(held.mem().frame(first).unwrap().count(), 0);
}

#[test]
fn other_domains_frames_are_held_with_their_type_where_that_matters() {
    let mut w = World::new(64);
    let frame = page(&mut w.heap);
    let typed = |frame: &Page| frame.info().page_type().1;
    let grant = |frame: &Page, writable| Leaf::Grant {
        page: frame.another(),
        writable,
    };
    assert!(w.set(5, grant(&frame, true)).unwrap().is_none());
    let found = w.nested().lookup(Gfn(5)).unwrap();
    assert_eq!((found.kind, found.writable), (Kind::Grant, true));
    assert!(w.nested().own_page(Gfn(5)).is_none());
    drop(w.set(5, grant(&frame, false)).unwrap().unwrap());
    assert!(!w.nested().page(Gfn(5)).unwrap().1);
    assert_eq!((frame.info().count(), typed(&frame)), (2, 0));
    for writable in [false, true] {
        if writable {
            assert_eq!(frame.get_type(PageType::Writable), TypeGet::Ready);
        }
        let leaf = Leaf::Foreign {
            page: frame.another(),
            writable,
        };
        w.set(6 + u64::from(writable), leaf).unwrap();
    }
    assert_eq!((frame.info().count(), typed(&frame)), (4, 1));
    while w.nested().lock().strip() {}
    assert_eq!((frame.info().count(), typed(&frame)), (1, 0));
}

#[test]
fn without_memory_nothing_changes() {
    let mut w = World::new(2048);
    let first = w.run(512).unwrap();
    let guard = w.nested.as_ref().unwrap();
    let failed = guard.lock().set(Gfn(700), Leaf::None, &mut || None);
    assert_eq!(failed.unwrap_err(), NestedError::NoMemory);
    let found = w.nested().lookup(Gfn(700)).unwrap();
    assert_eq!((found.level, found.mfn.0), (2, first.0 + 188));
}

#[test]
fn the_end_frees_tables_and_frames() {
    let mut w = World::new(2048);
    let spare = page(&mut w.heap);
    let mem = spare.mem();
    let before = w.heap.free_frames();
    w.run(512).unwrap();
    let one = page(&mut w.heap);
    w.set(3 << 20, Leaf::Ram(one)).unwrap();
    assert!(w.set(600, Leaf::None).unwrap().is_some());
    w.nested = None;
    for mfn in mem.take_dead() {
        w.heap.free(mfn);
    }
    // The root went too.
    assert_eq!(w.heap.free_frames(), before + 1);
}

#[test]
fn a_reader_remembers_nothing_that_is_not_so_any_more() {
    use crate::nested::Reader;
    use alloc::sync::Arc;
    use core::sync::atomic::Ordering::Relaxed;
    let machine = SimMachine::new(4096, 1);
    let mut heap = heap(machine);
    let nested = Arc::new(Nested::new(page(&mut heap), 30));
    let reader = Reader::new(nested.clone());
    let block = heap.alloc(9).unwrap();
    let first = block.first();
    let heap = &mut heap;
    let mut frames = || heap.alloc(0)?.into_page(true);
    let pages = block.into_pages(true);
    nested
        .lock()
        .set_run(Gfn(512), 2, first, pages, &mut frames)
        .unwrap();
    let at = |gfn: u64| gfn << 12 | 16;
    nested.page(Gfn(700)).unwrap().0.words()[2].store(7, Relaxed);
    for _ in 0..2 {
        assert_eq!(reader.read_word(at(700)), Some(7));
        assert_eq!(reader.read_word(at(701)), Some(0));
        assert_eq!(reader.page(Gfn(1023)).unwrap().0.mfn().0, first.0 + 511);
        assert_eq!(reader.read_word(at(1024)), None);
        assert_eq!(reader.read_word(at(511)), None);
        assert!(reader.page(Gfn(1 << 40)).is_none());
    }
    // Split, then something else in the middle, then nothing.
    let other = frames().unwrap();
    other.words()[2].store(9, Relaxed);
    let leaf = |page: Page| Leaf::Grant {
        page,
        writable: false,
    };
    let old = nested.lock().set(Gfn(700), leaf(other), &mut frames);
    drop(old.unwrap().page);
    assert_eq!(reader.read_word(at(700)), Some(9));
    assert!(!reader.page(Gfn(700)).unwrap().1 && reader.page(Gfn(701)).unwrap().1);
    let old = nested.lock().set(Gfn(700), Leaf::None, &mut frames);
    drop(old.unwrap().page);
    assert!(reader.read_word(at(700)).is_none() && !reader.is_memory(Gfn(700)));
    assert_eq!(reader.read_word(at(701)), Some(0));
    assert!(reader.is_memory(Gfn(701)));
}

#[test]
fn what_is_remembered_in_one_place_is_not_mixed_up() {
    use crate::nested::Reader;
    use alloc::sync::Arc;
    let machine = SimMachine::new(4096, 1);
    let mut heap = heap(machine);
    let nested = Arc::new(Nested::new(page(&mut heap), 30));
    let reader = Reader::new(nested.clone());
    let mut frames = || heap.alloc(0)?.into_page(true);
    // All of one place and the one opposite.
    let gfns = (0..12).map(|i| 5 + 8 * i);
    let mut mfns = alloc::vec::Vec::new();
    for gfn in gfns.clone() {
        let page = frames().unwrap();
        mfns.push(page.mfn());
        let old = nested.lock().set(Gfn(gfn), Leaf::Ram(page), &mut frames);
        assert!(old.unwrap().page.is_none());
    }
    for step in 0..500usize {
        let index = step * step % 12;
        let gfn = 5 + 8 * index as u64;
        if step % 7 == 0 {
            let page = frames().unwrap();
            mfns[index] = page.mfn();
            let old = nested.lock().set(Gfn(gfn), Leaf::Ram(page), &mut frames);
            drop(old.unwrap().page);
        }
        assert_eq!(reader.page(Gfn(gfn)).unwrap().0.mfn(), mfns[index]);
    }
}

#[test]
fn devices_forget_what_changes() {
    let machine = SimMachine::new(2048, 1);
    let mut heap = heap(machine);
    let nested = Arc::new(Nested::new(page(&mut heap), 30));
    let set = |heap: &mut Heap, gfn, leaf| {
        let mut frames = || heap.alloc(0)?.into_page(true);
        nested.lock().set(Gfn(gfn), leaf, &mut frames).unwrap()
    };
    let table = |heap: &mut Heap| heap.alloc(crate::iommu::TABLE_ORDER).unwrap();
    assert!(!crate::iommu::attach(&nested, table(&mut heap)), "no IOMMU");
    machine.give_iommu();
    assert!(!crate::iommu::attach(&nested, heap.alloc(0).unwrap()));
    let _ = set(&mut heap, 3, Leaf::Mmio(Mfn(9)));
    let _ = set(&mut heap, 3, Leaf::None);
    assert_eq!((machine.iommu().root, machine.iommu().flushes), (None, 0));

    assert!(crate::iommu::attach(&nested, table(&mut heap)));
    assert_eq!(machine.iommu().root, Some(nested.root()));
    let memory = page(&mut heap);
    let _ = set(&mut heap, 3, Leaf::Ram(memory));
    assert_eq!(machine.iommu().flushes, 0, "nothing was there");
    let _ = set(&mut heap, 3, Leaf::Mmio(Mfn(9)));
    let _ = set(&mut heap, 3, Leaf::None);
    assert_eq!(machine.iommu().flushes, 2);
    let _ = set(&mut heap, 3, Leaf::None);
    assert_eq!(machine.iommu().flushes, 2);
    let memory = page(&mut heap);
    let _ = set(&mut heap, 4, Leaf::Ram(memory));
    while nested.lock().strip() {}
    assert_eq!(machine.iommu().flushes, 3);
}
