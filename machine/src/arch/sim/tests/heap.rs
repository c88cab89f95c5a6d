//! The heap: every frame comes back, and blocks grow together again.

use super::build::heap;
use crate::arch::sim::SimMachine;
use crate::arch::sim::sched::random;
use crate::heap::Heap;
use crate::{Mfn, Page};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

fn free_all(machine: SimMachine, heap: &mut Heap) {
    for mfn in machine.mem().take_dead() {
        heap.free(mfn);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter")]
fn random_use_loses_nothing_and_overlaps_nowhere() {
    for seed in 1..40u64 {
        // Not a power of two, not aligned: 5 to 1000.
        let machine = SimMachine::new(1000, 1);
        let mut heap = Heap::new(machine.mem());
        heap.add_range(Mfn(5), Mfn(1000));
        assert_eq!(heap.free_frames(), 995);
        let mut rng = seed;
        let mut held: Vec<Vec<Page>> = Vec::new();
        for _ in 0..400 {
            let r = random(&mut rng) >> 11;
            if !r.is_multiple_of(3) {
                let order = (r / 3 % 6) as u32;
                if let Some(block) = heap.alloc(order) {
                    assert_eq!(block.first().0 % block.len(), 0);
                    let pages: Vec<_> = block.into_pages(false).collect();
                    assert!(pages.iter().all(|p| p.info().count() == 1));
                    held.push(pages);
                }
            } else if !held.is_empty() {
                let at = (r / 3) as usize % held.len();
                held.swap_remove(at);
                free_all(machine, &mut heap);
            }
            let mut used: Vec<_> = held.iter().flatten().map(Page::mfn).collect();
            used.sort();
            let n = used.len();
            used.dedup();
            assert_eq!((used.len(), heap.free_frames()), (n, 995 - n as u64));
        }
        held.clear();
        free_all(machine, &mut heap);
        assert_eq!(heap.free_frames(), 995);
        // All grown together again: the largest aligned block inside is 256..512 or 512..768.
        assert!(heap.alloc(8).is_some() && heap.alloc(8).is_some());
    }
}

#[test]
fn exhaustion_is_an_answer() {
    let machine = SimMachine::new(64, 1);
    let mut heap = heap(machine);
    let all: Vec<_> = core::iter::from_fn(|| heap.alloc(0)).collect();
    assert_eq!((all.len(), heap.free_frames()), (64, 0));
    assert!(heap.alloc(0).is_none() && heap.alloc(40).is_none());
}

#[test]
fn what_is_kept_back_is_the_hypervisors() {
    let machine = SimMachine::new(64, 1);
    let mut heap = heap(machine);
    heap.keep_back(8);
    assert_eq!(heap.free_frames(), 56);
    assert!(heap.alloc(6).is_none(), "the whole of it");
    let all: Vec<_> = core::iter::from_fn(|| heap.alloc(0)).collect();
    assert_eq!((all.len(), heap.free_frames()), (56, 0));
    let own = heap.alloc_own(3).unwrap();
    assert!(heap.alloc_own(0).is_none());
    // Nobody gets hold of it until it is given back.
    let first = own.into_own();
    assert!(machine.mem().get_any_page(first).is_none());
    (first.0..first.0 + 8).for_each(|mfn| heap.free(Mfn(mfn)));
    assert!(heap.alloc(0).is_none() && heap.alloc_own(3).is_some());
}

#[test]
fn limits_are_kept() {
    let machine = SimMachine::new(256, 1);
    let mut heap = heap(machine);
    let low: Vec<_> = core::iter::from_fn(|| heap.alloc_below(2, 64)).collect();
    assert_eq!(low.len(), 16);
    assert!(low.iter().all(|b| b.first().0 + b.len() <= 64));
    assert!(heap.alloc_below(0, 64).is_none() && heap.alloc(7).is_some());
}

#[test]
fn old_data_is_cleared_when_asked() {
    let machine = SimMachine::new(4, 1);
    let mut heap = heap(machine);
    let page = heap.alloc(0).unwrap().into_page(true).unwrap();
    let mfn = page.mfn();
    page.words()[3].store(7, Relaxed);
    drop(page);
    free_all(machine, &mut heap);
    for scrub in [false, true] {
        let pages: Vec<_> = heap.alloc(2).unwrap().into_pages(scrub).collect();
        let page = pages.iter().find(|p| p.mfn() == mfn).unwrap();
        assert_eq!(page.words()[3].load(Relaxed), if scrub { 0 } else { 7 });
        drop(pages);
        free_all(machine, &mut heap);
    }
}

#[test]
fn a_block_is_as_young_as_its_youngest_frame() {
    let machine = SimMachine::new(4, 2);
    let (mem, mut heap) = (machine.mem(), heap(machine));
    let mut pages: Vec<_> = heap.alloc(2).unwrap().into_pages(true).collect();
    for _ in 0..4 {
        crate::CpuApi::flush_local(&mut machine.cpu(0), crate::Flush::All);
        pages.pop();
    }
    free_all(machine, &mut heap);
    let block = heap.alloc(2).unwrap();
    assert_eq!(block.stamp(mem.tlb_clock()), mem.tlb_clock());
}
