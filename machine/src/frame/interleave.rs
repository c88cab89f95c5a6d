//! Every interleaving of a few CPUs that take and give back references to one frame's type.
//!
//! The functions that decide what the type word becomes ([`taken`], [`given`]) are the real ones;
//! around them each load, store and exchange of [`Page::get_type`](super::Page::get_type),
//! [`put_type`](super::Page::put_type) and their kin is a step of its own, between any two of which
//! other CPUs may make theirs. All states that can be reached are visited, each once. Memory
//! that is not sequentially consistent is not modelled.
//!
//! What a table holds is modelled by the number of its first entries that hold something, what
//! TLBs may still have by the clock of the last use as writable memory.

use super::types::{
    COUNT, Given, LEAVING, LOCKED, PARTIAL, PINNED, PageType, Taken, TypeGet, TypePut, VALIDATED,
    given, taken,
};
use std::collections::HashSet;
use std::vec::Vec;

extern crate std;

/// Entries of a table.
const ENTRIES: u8 = 2;

/// Operations that each of two, and of three CPUs begins: a million states where the compiler
/// optimises, fewer where it does not.
const OPERATIONS: [u8; 2] = if cfg!(debug_assertions) {
    [3, 2]
} else {
    [4, 2]
};

/// Where a CPU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    /// Between two operations.
    Idle,
    /// `get_type`: the word was loaded.
    Get { want: PageType, old: u64 },
    /// It took up what was interrupted: the stamp is to be read.
    TakeUp { want: PageType },
    /// It has to flush by the stamp.
    Flush { want: PageType },
    /// Checks a table, of which so many entries hold something by its own count.
    Check { want: PageType, done: u8 },
    /// The stamp says how far it came; the word is to be marked.
    Interrupt { marks: u64 },
    /// Gives back what so many entries hold.
    Undo { want: PageType, upto: u8 },
    /// The stamp has the clock; the word is to be cleared.
    Clear,
    /// `put_type`: the word was loaded.
    Put { old: u64 },
    /// The same, and the stamp was written.
    PutStamped { old: u64 },
    /// It was the last one: the stamp is to be read.
    PutLeft { kind: PageType },
    /// It holds the lock of the table's entries.
    Locked,
}

/// A CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cpu {
    at: At,
    /// The type reference it has.
    holds: Option<PageType>,
    /// That reference is to a table whose end was interrupted: it goes on.
    leaving: bool,
    /// Operations that it may still begin.
    left: u8,
}

/// The frame and all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State<const N: usize> {
    typ: u64,
    stamp: u8,
    clock: u8,
    /// Clock of the last flush of all TLBs.
    flushed: u8,
    /// TLBs may have it as writable.
    stale: bool,
    /// Entries that hold something.
    held: u8,
    cpus: [Cpu; N],
}

const TABLES: [PageType; 2] = [PageType::L1, PageType::L2];

/// What one atomic step does to the state.
type Change<'a, const N: usize> = &'a dyn Fn(&mut State<N>);

impl<const N: usize> State<N> {
    fn new(left: u8) -> State<N> {
        let cpu = Cpu {
            at: At::Idle,
            holds: None,
            leaving: false,
            left,
        };
        State {
            typ: 0,
            stamp: 0,
            // Above all numbers of entries, as the real one is soon.
            clock: 8,
            flushed: 7,
            stale: false,
            held: 0,
            cpus: [cpu; N],
        }
    }

    /// Replaces the word if it is still `old`, and puts CPU `me` at `done`; else back to
    /// `again` with what it is now.
    fn exchange(&mut self, me: usize, old: u64, new: u64, done: At, again: fn(u64) -> At) -> bool {
        let same = self.typ == old;
        if same {
            self.typ = new;
        }
        self.cpus[me].at = if same { done } else { again(self.typ) };
        same
    }

    /// All states that a step of CPU `me` may lead to.
    fn steps(&self, me: usize) -> Vec<State<N>> {
        let mut all = Vec::new();
        let mut then = |change: &dyn Fn(&mut State<N>)| {
            let mut next = *self;
            change(&mut next);
            all.push(next);
        };
        let cpu = self.cpus[me];
        match cpu.at {
            At::Idle => self.begin(me, &mut then),
            At::Get { want, old } => match taken(old, want) {
                Err(_) => then(&|s| s.cpus[me].at = At::Idle),
                Ok(Taken {
                    word,
                    got,
                    taken_up,
                }) => then(&|s| {
                    let done = match got {
                        _ if taken_up => At::TakeUp { want },
                        TypeGet::Validate { flush: false, from } => At::Check {
                            want,
                            done: from as u8,
                        },
                        TypeGet::Validate { .. } | TypeGet::ReadyFlush => At::Flush { want },
                        _ => At::Idle,
                    };
                    if s.typ == old {
                        s.typ = word;
                        s.cpus[me].at = done;
                        s.cpus[me].holds = (done == At::Idle).then_some(want);
                    } else {
                        s.cpus[me].at = At::Get { want, old: s.typ };
                    }
                }),
            },
            At::TakeUp { want } => then(&|s| {
                assert_eq!(
                    s.stamp, s.held,
                    "taken up at another place than it was left"
                );
                s.cpus[me].at = At::Check {
                    want,
                    done: s.stamp,
                };
            }),
            At::Flush { want } => then(&|s| {
                // `flush_since`: who flushed since the stamp need not.
                if s.flushed <= s.stamp {
                    s.clock += 1;
                    s.flushed = s.clock;
                    s.stale = false;
                }
                if want.level() == 0 {
                    s.typ |= VALIDATED;
                    (s.cpus[me].at, s.cpus[me].holds) = (At::Idle, Some(want));
                } else {
                    s.cpus[me].at = At::Check { want, done: 0 };
                }
            }),
            At::Check { want, done } => {
                assert_eq!(done, self.held, "another table's entries");
                if done < ENTRIES {
                    then(&|s| {
                        s.held += 1;
                        s.cpus[me].at = At::Check {
                            want,
                            done: done + 1,
                        };
                    });
                }
                then(&|s| {
                    assert!(!s.stale, "a table that can still be written");
                    s.typ |= VALIDATED;
                    (s.cpus[me].at, s.cpus[me].holds) = (At::Idle, Some(want));
                });
                then(&|s| s.cpus[me].at = At::Undo { want, upto: done });
                if done > 0 {
                    then(&|s| {
                        s.stamp = done;
                        s.cpus[me].at = At::Interrupt { marks: PARTIAL };
                    });
                }
            }
            At::Interrupt { marks } => then(&|s| {
                s.typ |= marks;
                s.cpus[me].at = At::Idle;
            }),
            At::Undo { want, upto } => {
                assert_eq!(upto, self.held, "another table's entries");
                if upto > 0 {
                    then(&|s| {
                        s.held -= 1;
                        s.cpus[me].at = At::Undo {
                            want,
                            upto: upto - 1,
                        };
                    });
                    then(&|s| {
                        s.stamp = upto;
                        s.cpus[me].at = At::Interrupt {
                            marks: PARTIAL | LEAVING,
                        };
                        (s.cpus[me].holds, s.cpus[me].leaving) = (Some(want), true);
                    });
                } else {
                    then(&|s| {
                        s.stamp = s.clock;
                        s.cpus[me].at = At::Clear;
                    });
                }
            }
            At::Clear => then(&|s| {
                s.typ = (s.typ - 1) & !(PARTIAL | LEAVING | VALIDATED);
                s.cpus[me].at = At::Idle;
            }),
            At::Put { old } => match given(old) {
                // Another CPU is at it: again.
                None => then(&|s| s.cpus[me].at = At::Put { old: s.typ }),
                Some(Given { stamped: true, .. }) => then(&|s| {
                    s.stamp = s.clock;
                    s.cpus[me].at = At::PutStamped { old };
                }),
                Some(given) => then(&|s| s.give(me, old, &given)),
            },
            At::PutStamped { old } => {
                if let Some(given) = given(old) {
                    then(&|s| s.give(me, old, &given));
                }
            }
            At::PutLeft { kind } => then(&|s| {
                s.cpus[me].at = At::Undo {
                    want: kind,
                    upto: s.stamp,
                };
            }),
            At::Locked => then(&|s| {
                assert_ne!(s.typ & LOCKED, 0, "the lock was lost");
                s.typ &= !LOCKED;
                s.cpus[me].at = At::Idle;
            }),
        }
        all
    }

    /// What an idle CPU may begin.
    fn begin(&self, me: usize, then: &mut dyn FnMut(Change<N>)) {
        let cpu = self.cpus[me];
        if cpu.leaving {
            then(&|s| s.cpus[me].at = At::Put { old: s.typ });
            return;
        }
        if cpu.left == 0 {
            return;
        }
        if self.typ & LOCKED == 0 {
            then(&|s| {
                s.typ |= LOCKED;
                (s.cpus[me].at, s.cpus[me].left) = (At::Locked, cpu.left - 1);
            });
        }
        match cpu.holds {
            None => {
                for want in TABLES.into_iter().chain([PageType::Writable]) {
                    then(&|s| {
                        s.cpus[me].at = At::Get { want, old: s.typ };
                        s.cpus[me].left = cpu.left - 1;
                    });
                }
                // An unpin takes the pin's reference over.
                if self.typ & PINNED != 0 {
                    then(&|s| {
                        s.cpus[me].holds = Some(PageType::from_bits(s.typ));
                        s.typ &= !PINNED;
                        s.cpus[me].left = cpu.left - 1;
                    });
                }
            }
            Some(kind) => {
                then(&|s| {
                    s.cpus[me].at = At::Put { old: s.typ };
                    s.cpus[me].left = cpu.left - 1;
                });
                if kind == PageType::Writable {
                    then(&|s| {
                        s.stale = true;
                        s.cpus[me].left = cpu.left - 1;
                    });
                } else if self.typ & PINNED == 0 {
                    then(&|s| {
                        s.typ |= PINNED;
                        s.cpus[me].holds = None;
                        s.cpus[me].left = cpu.left - 1;
                    });
                }
            }
        }
    }

    /// The exchange at the end of `put_type`.
    fn give(&mut self, me: usize, old: u64, given: &Given) {
        let kind = PageType::from_bits(old);
        let done = match given.result {
            TypePut::Devalidate { upto: 0 } => At::PutLeft { kind },
            // All entries: those that hold nothing are passed over.
            TypePut::Devalidate { .. } => At::Undo {
                want: kind,
                upto: self.held,
            },
            _ => At::Idle,
        };
        if self.exchange(me, old, given.word, done, |old| At::Put { old }) {
            (self.cpus[me].holds, self.cpus[me].leaving) = (None, false);
        }
    }

    /// What has to be so in each state.
    fn check(&self) {
        let at_work = |cpu: &Cpu| {
            matches!(
                cpu.at,
                At::TakeUp { .. }
                    | At::Flush { .. }
                    | At::Check { .. }
                    | At::Undo { .. }
                    | At::Clear
                    | At::PutLeft { .. }
                    | At::Interrupt { .. }
            )
        };
        let working = self.cpus.iter().filter(|cpu| at_work(cpu)).count();
        assert!(working <= 1, "two CPUs work on one table: {self:?}");
        let kind = PageType::from_bits(self.typ);
        let table = kind.level() != 0;
        let valid = self.typ & VALIDATED != 0;
        let partial = self.typ & PARTIAL != 0;
        let leaving = self.typ & LEAVING != 0;
        assert!(working == 0 || !valid && !partial, "at work on {self:?}");
        // Who counts: holders, who is at work, an interrupted validation, the pin.
        let counted = |cpu: &Cpu| at_work(cpu) || cpu.holds.is_some();
        let mut count = self.cpus.iter().filter(|cpu| counted(cpu)).count() as u64;
        count += u64::from(partial && !leaving);
        count += u64::from(self.typ & PINNED != 0);
        assert_eq!(self.typ & COUNT, count, "counted wrong: {self:?}");
        for cpu in &self.cpus {
            let Some(held) = cpu.holds else { continue };
            assert_eq!(held, kind, "its type changed under a holder: {self:?}");
            assert!(valid || cpu.leaving, "held, but not valid: {self:?}");
        }
        assert!(!(table && valid && self.stale), "writable: {self:?}");
        assert!(
            self.held == 0 || table && count != 0,
            "entries of no table hold something: {self:?}"
        );
    }
}

/// Visits all states; how many there are.
fn explore<const N: usize>(first: State<N>) -> usize {
    let mut seen = HashSet::from([first]);
    let mut todo = std::vec![first];
    while let Some(state) = todo.pop() {
        let mut stuck = true;
        for me in 0..state.cpus.len() {
            for mut next in state.steps(me) {
                stuck = false;
                next.check();
                // Which CPU is which makes no difference.
                next.cpus.sort_unstable();
                if seen.insert(next) {
                    todo.push(next);
                }
            }
        }
        let done = |cpu: &Cpu| cpu.at == At::Idle && !cpu.leaving && cpu.left == 0;
        assert!(
            !stuck || state.cpus.iter().all(done),
            "nobody can go on: {state:?}"
        );
    }
    seen.len()
}

#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter, and no unsafe code")]
fn two_cpus_never_break_a_frames_type() {
    let states = explore(State::<2>::new(OPERATIONS[0]));
    std::println!("{states} states");
    assert!(states > 100);
}

#[test]
#[cfg_attr(miri, ignore = "too long under an interpreter, and no unsafe code")]
fn three_cpus_never_break_a_frames_type() {
    let states = explore(State::<3>::new(OPERATIONS[1]));
    std::println!("{states} states");
    assert!(states > 100);
}
