//! The type word: all interleavings of two and three CPUs' calls, and a race of real threads.
//!
//! An actor wants a frame as some type, validates it in two steps (or gives up, or leaves it
//! partial), and lets it go again in one or two steps. `held` is what the entries would hold.

use super::super::std::thread;
use super::build::{heap, typed};
use crate::arch::sim::SimMachine;
use crate::arch::sim::sched::random;
use crate::frame::{Page, PageType, TypeGet, TypePut};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Entries of a table, here.
const FULL: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Ask,
    /// Changed from another type: a flush comes before the use.
    Flush,
    Validate(u32),
    Use,
    Devalidate(u32),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    Passes,
    Fails,
    Partial,
}

#[derive(Clone, Copy, Debug)]
struct Actor {
    want: PageType,
    check: Check,
    /// Devalidates in two goes.
    leaves: bool,
    stage: Stage,
    partial_done: bool,
    left_once: bool,
}

/// What all actors share, beside the frame: entries held, and whether a partial count is left.
#[derive(Default)]
struct Table {
    held: u32,
    left: bool,
}

impl Actor {
    fn new(want: PageType, check: Check, leaves: bool) -> Actor {
        Actor {
            want,
            check,
            leaves,
            stage: Stage::Ask,
            partial_done: false,
            left_once: false,
        }
    }

    fn counts(&self) -> bool {
        matches!(
            self.stage,
            Stage::Flush | Stage::Validate(_) | Stage::Use | Stage::Devalidate(_)
        )
    }

    /// One call. `false` when it only found the frame busy.
    fn step(&mut self, page: &Page, table: &mut Table) -> bool {
        match self.stage {
            Stage::Ask => match page.get_type(self.want) {
                TypeGet::Ready => self.stage = Stage::Use,
                TypeGet::ReadyFlush => self.stage = Stage::Flush,
                TypeGet::Validate { from, .. } => {
                    assert_eq!(from, table.held, "validation goes on where it stopped");
                    table.left = false;
                    self.stage = Stage::Validate(from);
                }
                TypeGet::Busy => return false,
                TypeGet::Mismatch => self.stage = Stage::Done,
            },
            Stage::Flush => {
                page.type_validated();
                self.stage = Stage::Use;
            }
            Stage::Validate(done) if done < FULL && self.check == Check::Passes => {
                table.held = done + 1;
                self.stage = Stage::Validate(done + 1);
            }
            Stage::Validate(FULL) => {
                page.type_validated();
                self.stage = Stage::Use;
            }
            Stage::Validate(_) if self.check == Check::Partial && !self.partial_done => {
                table.held = 1;
                table.left = true;
                page.type_partial(1);
                self.partial_done = true;
                // Comes back later, as the guest does.
                self.check = Check::Passes;
                self.stage = Stage::Ask;
            }
            Stage::Validate(_) => {
                table.held = 0;
                page.type_cleared();
                self.stage = Stage::Done;
            }
            Stage::Use => {
                match page.put_type() {
                    TypePut::Done => self.stage = Stage::Done,
                    TypePut::Devalidate { upto } => {
                        assert_eq!(upto.min(FULL), table.held);
                        self.stage = Stage::Devalidate(upto.min(FULL));
                    }
                    TypePut::Busy => return false,
                };
            }
            Stage::Devalidate(_) if self.leaves && !self.left_once => {
                table.held = 1;
                page.type_leaving(1);
                self.left_once = true;
                self.stage = Stage::Use;
            }
            Stage::Devalidate(_) => {
                table.held = 0;
                page.type_cleared();
                self.stage = Stage::Done;
            }
            Stage::Done => return false,
        }
        true
    }
}

fn check(page: &Page, actors: &[Actor], table: &Table) {
    let (t, count) = page.info().page_type();
    let expected = actors.iter().filter(|a| a.counts()).count() as u32 + u32::from(table.left);
    assert_eq!(count, expected, "{t:?} {actors:?}");
    for actor in actors.iter().filter(|a| a.counts()) {
        assert_eq!(actor.want, t, "{actors:?}");
    }
    let level = t.level();
    if level != 0 && page.info().is_validated(t) {
        assert_eq!(table.held, FULL);
    }
}

/// Goes through all orders of the actors' calls.
fn explore(page: &Page, start: &[Actor]) -> u64 {
    let mut orders = 0;
    // The choices made, each with the number of alternatives it had.
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        page.info().typ.store(0, Relaxed);
        let mut actors = start.to_vec();
        let mut table = Table::default();
        let mut depth = 0;
        loop {
            // Who is busy is not tried again until somebody else moved.
            let mut ready: Vec<usize> = (0..actors.len())
                .filter(|i| actors[*i].stage != Stage::Done)
                .collect();
            let mut moved = false;
            while !ready.is_empty() && !moved {
                if depth == path.len() {
                    path.push((0, ready.len()));
                }
                let choice = path[depth].0;
                path[depth].1 = ready.len();
                depth += 1;
                let who = ready.remove(choice);
                moved = actors[who].step(page, &mut table);
                check(page, &actors, &table);
            }
            if !moved {
                assert!(
                    actors.iter().all(|a| a.stage == Stage::Done),
                    "stuck: {actors:?}"
                );
                break;
            }
        }
        orders += 1;
        if table.left {
            // Whoever pinned it in vain lets it go.
            assert_eq!(page.put_type(), TypePut::Devalidate { upto: table.held });
            page.type_cleared();
        }
        assert_eq!(page.info().page_type().1, 0);
        // The next order: the last choice that has an alternative.
        path.truncate(depth);
        while let Some((choice, of)) = path.pop() {
            if choice + 1 < of {
                path.push((choice + 1, of));
                break;
            }
        }
        if path.is_empty() {
            return orders;
        }
    }
}

fn page() -> Page {
    heap(SimMachine::new(4, 2))
        .alloc(0)
        .unwrap()
        .into_page(true)
        .unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter")]
fn two_cpus_in_every_order() {
    let page = page();
    let mut all = Vec::new();
    for want in [PageType::L1, PageType::L2, PageType::Writable] {
        for check in [Check::Passes, Check::Fails, Check::Partial] {
            for leaves in [false, true] {
                all.push(Actor::new(want, check, leaves));
            }
        }
    }
    let mut orders = 0;
    for (i, a) in all.iter().enumerate() {
        for b in &all[i..] {
            orders += explore(&page, &[*a, *b]);
        }
    }
    assert!(orders > 5_000, "{orders}");
}

#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter")]
fn three_cpus_in_every_order() {
    let page = page();
    let table = |check, leaves| Actor::new(PageType::L1, check, leaves);
    let actors = [
        table(Check::Partial, false),
        table(Check::Passes, true),
        table(Check::Fails, false),
    ];
    explore(&page, &actors);
    let writer = Actor::new(PageType::Writable, Check::Passes, false);
    explore(&page, &[table(Check::Partial, true), writer, writer]);
}

#[test]
fn changes_of_type_ask_for_a_flush() {
    let page = page();
    typed(&page, PageType::Writable);
    assert_eq!(page.put_type(), TypePut::Done);
    assert_eq!(page.get_type(PageType::Writable), TypeGet::Ready);
    assert_eq!(page.get_type(PageType::L1), TypeGet::Mismatch);
    assert_eq!(page.put_type(), TypePut::Done);
    assert_eq!(
        page.get_type(PageType::L1),
        TypeGet::Validate {
            flush: true,
            from: 0
        }
    );
    page.type_validated();
    assert_eq!(page.get_type(PageType::L1), TypeGet::Ready);
    assert_eq!(page.put_type(), TypePut::Done);
    assert_eq!(page.put_type(), TypePut::Devalidate { upto: 512 });
    page.type_cleared();
    assert_eq!(page.get_type(PageType::Writable), TypeGet::ReadyFlush);
    // Nobody may use it before the flush.
    assert_eq!(page.get_type(PageType::Writable), TypeGet::Busy);
    page.type_validated();
    assert_eq!(page.get_type(PageType::Writable), TypeGet::Ready);
}

#[test]
fn a_table_lock_and_a_pin_survive_references() {
    let page = page();
    typed(&page, PageType::L2);
    assert!(page.try_lock_table() && !page.try_lock_table());
    assert!(page.set_pinned() && !page.set_pinned());
    assert_eq!(page.get_type(PageType::L2), TypeGet::Ready);
    assert_eq!(page.put_type(), TypePut::Done);
    assert!(page.info().is_pinned() && !page.try_lock_table());
    page.unlock_table();
    assert!(page.clear_pinned() && !page.clear_pinned() && page.try_lock_table());
}

/// Partial work changes hands between threads: the number of entries done goes with it.
#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter")]
fn threads_take_up_each_others_work() {
    let page = page();
    let held = AtomicU32::new(0);
    thread::scope(|scope| {
        for seed in 1..=3u64 {
            let (page, held) = (&page, &held);
            scope.spawn(move || {
                let mut rng = seed;
                for _ in 0..60_000 {
                    let r = random(&mut rng) >> 20;
                    match page.get_type(PageType::L1) {
                        TypeGet::Validate { from, .. } => {
                            assert_eq!(from, held.load(Relaxed));
                            let done = (from + 1 + (r as u32 & 127)).min(512);
                            held.store(done, Relaxed);
                            if done < 512 {
                                page.type_partial(done);
                                continue;
                            }
                            page.type_validated();
                        }
                        TypeGet::Ready => {}
                        TypeGet::Busy => continue,
                        other => panic!("{other:?}"),
                    }
                    match page.put_type() {
                        TypePut::Devalidate { upto } => {
                            assert_eq!(upto, held.load(Relaxed));
                            held.store(0, Relaxed);
                            page.type_cleared();
                        }
                        TypePut::Done => {}
                        TypePut::Busy => panic!("busy while counted"),
                    }
                }
            });
        }
    });
}
