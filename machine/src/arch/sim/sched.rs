//! Scheduling points: where a seeded run may pass from one CPU to another.
//!
//! In [`super::SimMachine::run`] each CPU is a thread, and the one that holds the baton runs.
//! Points are: a lock wanted, a lock taken, a change of a frame's type, a wait (`relax`), guest entry, idling, a kick, a
//! flush. All of them call [`point`] or [`relax`]. While waiting a CPU always passes the baton,
//! at other points the generator decides. A run that makes many steps without progress
//! panics. A CPU whose function returned halts, and answers requests until all have
//! returned. Without a run, points do nothing, and a wait that lasts ten seconds panics.

use super::mem::{NEVER, Shared, lock};
use super::std::cell::RefCell;
use super::std::sync::{Arc, Condvar, Mutex};
use super::std::thread;
use super::std::thread_local;
use super::std::time::{Duration, Instant};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

/// Steps in which no CPU takes a lock or enters a guest, after which a run is taken for dead.
const MAX_STEPS: u64 = 200_000;
/// Steps after which a run is taken for endless whatever it does.
const MAX_TOTAL: u64 = 3_000_000;
/// How long a wait outside a run may last.
const PATIENCE: Duration = Duration::from_secs(10);

struct State {
    current: usize,
    live: Vec<bool>,
    rng: u64,
    /// Steps since somebody achieved something.
    steps: u64,
    total: u64,
    returned: usize,
    failed: bool,
}

/// The baton of one run.
pub(super) struct Baton {
    seed: u64,
    cpus: usize,
    state: Mutex<State>,
    passed: Condvar,
}

#[derive(Clone)]
struct Here {
    baton: Arc<Baton>,
    machine: &'static Shared,
    cpu: u32,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
    static WAITING: RefCell<Option<Instant>> = const { RefCell::new(None) };
}

/// The next number of a xorshift generator, whose state is not zero; its low bits are weak.
pub fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

impl State {
    /// Somebody live, other than `me` if there is anybody else and `other` asks for it.
    fn pick(&mut self, me: usize, other: bool) -> usize {
        let count = self.live.iter().filter(|live| **live).count();
        let avoid = other && (count > 1 || !self.live[me]);
        let choices = self
            .live
            .iter()
            .enumerate()
            .filter(|(i, l)| **l && !(avoid && *i == me));
        let choices: Vec<usize> = choices.map(|(i, _)| i).collect();
        match choices.len() {
            0 => me,
            n => choices[(random(&mut self.rng) >> 8) as usize % n],
        }
    }
}

impl Baton {
    pub fn new(seed: u64, cpus: usize) -> Arc<Baton> {
        let mut rng = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..4).for_each(|_| {
            random(&mut rng);
        });
        let mut state = State {
            current: 0,
            live: alloc::vec![true; cpus],
            rng,
            steps: 0,
            total: 0,
            returned: 0,
            failed: false,
        };
        state.current = state.pick(0, false);
        Arc::new(Baton {
            seed,
            cpus,
            state: Mutex::new(state),
            passed: Condvar::new(),
        })
    }

    /// Makes this thread CPU `cpu` of the run, once the baton comes to it.
    pub fn join(self: &Arc<Baton>, machine: &'static Shared, cpu: u32) {
        HERE.set(Some(Here {
            baton: self.clone(),
            machine,
            cpu,
        }));
        self.wait(cpu as usize);
    }

    /// Halts a CPU whose function returned, until all have.
    pub fn halt(&self, machine: &'static Shared, cpu: u32) {
        let per = &machine.cpus[cpu as usize];
        // Nobody is there to take its timer.
        per.deadline.store(NEVER, Ordering::Relaxed);
        per.idle.store(true, Ordering::Release);
        lock(&self.state).returned += 1;
        while lock(&self.state).returned < self.cpus {
            relax();
        }
        per.idle.store(false, Ordering::Release);
    }

    /// Ends this thread's part; `failed` wakes the others so that they end too.
    pub fn leave(&self, cpu: u32, failed: bool) {
        HERE.set(None);
        let mut state = lock(&self.state);
        state.failed |= failed;
        state.live[cpu as usize] = false;
        state.current = state.pick(cpu as usize, true);
        drop(state);
        self.passed.notify_all();
    }

    fn wait(&self, me: usize) {
        let mut state = lock(&self.state);
        while state.current != me && !state.failed {
            state = self.passed.wait(state).unwrap_or_else(|e| e.into_inner());
        }
        let failed = state.failed;
        drop(state);
        assert!(
            !failed,
            "another CPU of the run failed (seed {})",
            self.seed
        );
    }

    fn step(&self, me: usize, must: bool) {
        let mut state = lock(&self.state);
        state.steps += 1;
        state.total += 1;
        if state.steps > MAX_STEPS || state.total > MAX_TOTAL {
            state.failed = true;
            drop(state);
            self.passed.notify_all();
            panic!("the run with seed {} is stuck", self.seed);
        }
        if !must && random(&mut state.rng) >> 16 & 3 != 0 {
            return;
        }
        state.current = state.pick(me, must);
        let moved = state.current != me;
        drop(state);
        if moved {
            self.passed.notify_all();
            self.wait(me);
        }
    }

    fn is_live(&self, cpu: u32) -> bool {
        lock(&self.state).live.get(cpu as usize) == Some(&true)
    }
}

fn here() -> Option<Here> {
    if thread::panicking() {
        None
    } else {
        HERE.with_borrow(Clone::clone)
    }
}

/// A place where another CPU may go on.
pub fn point() {
    if let Some(here) = here() {
        here.baton.step(here.cpu as usize, false);
    }
}

/// Something was achieved: a wait is over.
pub(super) fn progress() {
    WAITING.set(None);
    if let Some(here) = here() {
        lock(&here.baton.state).steps = 0;
    }
}

/// Whether `cpu` runs beside the caller, in the caller's run, and so can answer requests.
pub(super) fn runs(cpu: u32) -> bool {
    here().is_some_and(|here| here.baton.is_live(cpu))
}

/// Whether the caller is part of a run.
pub(super) fn in_run() -> bool {
    here().is_some()
}

/// What a CPU does while it waits for another: answers TLB flush requests, lets others go on.
pub fn relax() {
    match here() {
        Some(Here {
            baton,
            machine,
            cpu,
        }) => {
            machine
                .tlb
                .answer(cpu, |what| machine.do_flush(cpu, what, true));
            baton.step(cpu as usize, true);
        }
        None => {
            let since = WAITING.with_borrow_mut(|w| *w.get_or_insert_with(Instant::now));
            assert!(
                since.elapsed() < PATIENCE || thread::panicking(),
                "waits for ever"
            );
            thread::yield_now();
        }
    }
}
