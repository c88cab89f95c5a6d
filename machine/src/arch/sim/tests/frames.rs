//! References, lists and sets.

use super::build::heap;
use crate::arch::sim::SimMachine;
use crate::frame::{NO_OWNER, Page, PageList};
use crate::{AtomicCpuMask, CpuMask, Mfn};
use alloc::vec::Vec;

#[test]
fn a_frame_dies_with_its_last_reference() {
    let machine = SimMachine::new(64, 1);
    let (mem, mut heap) = (machine.mem(), heap(machine));
    let page = heap.alloc(0).unwrap().into_page(true).unwrap();
    let mfn = page.mfn();
    page.info().set_owner(3);
    assert!(mem.get_page(mfn, 4).is_none());
    assert_eq!(page.info().count(), 1);
    let second = mem.get_page(mfn, 3).unwrap();
    assert_eq!(page.info().count(), 2);
    drop(page);
    assert!(!mem.has_dead());
    let entry = second.into_entry();
    assert_eq!(mem.frame(mfn).unwrap().count(), 1);
    drop(Page::from_entry(mem, entry));
    assert!(mem.has_dead() && mem.get_any_page(mfn).is_none());
    assert_eq!(mem.take_dead().collect::<Vec<_>>(), [mfn]);
    assert!(!mem.has_dead());
    assert!(mem.get_any_page(Mfn(64)).is_none());
}

#[test]
fn an_allocation_ends_once() {
    let machine = SimMachine::new(64, 1);
    let (mem, mut heap) = (machine.mem(), heap(machine));
    let page = heap.alloc(0).unwrap().into_page(true).unwrap();
    page.info().set_owner(3);
    let mfn = page.into_allocation();
    let page = mem.get_page(mfn, 3).unwrap();
    assert!(page.info().is_allocated());
    let first = page.end_allocation();
    assert!(first.is_some() && page.end_allocation().is_none());
    drop(first);
    assert_eq!(page.info().count(), 1);
}

#[test]
fn many_frames_die_in_any_order() {
    let machine = SimMachine::new(256, 1);
    let (mem, mut heap) = (machine.mem(), heap(machine));
    let pages: Vec<_> = heap.alloc(6).unwrap().into_pages(true).collect();
    // As in a domain's list: the dead still stand in it.
    let mut list = PageList::new();
    pages.iter().for_each(|p| list.push_back(mem, p.mfn()));
    drop(pages);
    let mut dead: Vec<_> = mem.take_dead().collect();
    for mfn in &dead {
        list.remove(mem, *mfn);
        heap.free(*mfn);
    }
    dead.sort();
    dead.dedup();
    assert_eq!((dead.len(), list.len(), heap.free_frames()), (64, 0, 256));
}

#[test]
fn lists_keep_their_order() {
    let machine = SimMachine::new(16, 1);
    let mem = machine.mem();
    let mut list = PageList::new();
    (1..5).for_each(|i| list.push_back(mem, Mfn(i)));
    list.push_front(mem, Mfn(0));
    list.remove(mem, Mfn(2));
    list.remove(mem, Mfn(4));
    let mut seen = Vec::new();
    let mut at = list.first();
    while let Some(mfn) = at {
        seen.push(mfn.0);
        at = list.next(mem, mfn);
    }
    assert_eq!((seen.as_slice(), list.len()), (&[0, 1, 3][..], 3));
    list.push_back(mem, Mfn(2));
    let popped: Vec<_> = core::iter::from_fn(|| list.pop_front(mem))
        .map(|m| m.0)
        .collect();
    assert_eq!(popped, [0, 1, 3, 2]);
    assert!(list.is_empty() && list.first().is_none());
}

#[test]
fn contents_are_copied_whole_or_not_at_all() {
    let machine = SimMachine::new(16, 1);
    let page = heap(machine).alloc(0).unwrap().into_page(true).unwrap();
    assert!(page.write(4093, &[1, 2, 3]) && !page.write(4094, &[9, 9, 9]));
    assert!(!page.write(usize::MAX, &[1]) && !page.read(4096, &mut [0]));
    let mut back = [0; 3];
    assert!(page.read(4093, &mut back));
    assert_eq!(back, [1, 2, 3]);
    assert!(page.write(8, &[7; 16]) && page.read(8, &mut [0; 16]));
    assert!(page.u32_at(2).is_none() && page.u64_at(4096).is_none() && page.byte(4096).is_none());
    assert_eq!(page.info().owner(), NO_OWNER);
    page.clear();
    assert!(
        page.words()
            .iter()
            .all(|w| w.load(core::sync::atomic::Ordering::Relaxed) == 0)
    );
}

#[test]
fn sets_of_cpus() {
    let mut mask = CpuMask::EMPTY;
    [0, 63, 64, 255, 256, 1000]
        .iter()
        .for_each(|cpu| mask.set(*cpu));
    assert_eq!(mask.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
    mask.clear(63);
    assert_eq!(
        (mask.count(), mask.contains(63), mask.contains(256)),
        (3, false, false)
    );
    assert_eq!(
        CpuMask::first(70).intersect(&mask),
        CpuMask::one(0).union(&CpuMask::one(64))
    );
    let atomic = AtomicCpuMask::new();
    atomic.store(&mask);
    atomic.set(9);
    assert!(atomic.clear(0) && !atomic.clear(0) && atomic.contains(9) && !atomic.contains(999));
    assert_eq!(atomic.load().iter().collect::<Vec<_>>(), [9, 64, 255]);
}
