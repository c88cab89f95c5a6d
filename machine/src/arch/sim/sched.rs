//! Scheduling points: where a seeded run may pass from one CPU to another.
//!
//! In [`super::SimMachine::run`] each CPU is a coroutine with a stack of its own, all on the
//! caller's thread, and the one that holds the baton runs. Points are: a lock wanted, a lock
//! taken, a change of a frame's type, a wait (`relax`), guest entry, idling, a kick, a flush.
//! All of them call [`point`] or [`relax`]. While waiting a CPU always passes the baton, at
//! other points the generator decides. A run that makes many steps without progress panics. A
//! CPU whose function returned halts, and answers requests until all have returned. Without a
//! run, points do nothing, and a wait that lasts ten seconds panics.
//!
//! Why unsafe: a coroutine finds the way back to its run through a thread-local pointer, as
//! points are called from everywhere. Invariant: [`HERE`] is set by the run just before it
//! resumes a coroutine, to what lives as long as that coroutine, and cleared after.

use super::machine::CpuMain;
use super::mem::{NEVER, Shared};
use super::order::Held;
use super::std::any::Any;
use super::std::cell::{Cell, RefCell};
use super::std::panic::{AssertUnwindSafe, catch_unwind};
use super::std::thread;
use super::std::thread_local;
use super::std::time::{Duration, Instant};
use super::{Cpu, order};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::Ordering;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Steps in which no CPU takes a lock or enters a guest, after which a run is taken for dead.
const MAX_STEPS: u64 = 200_000;
/// Steps after which a run is taken for endless whatever it does.
const MAX_TOTAL: u64 = 10_000_000;
/// How long a wait outside a run may last.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a coroutine's stack; pages that are not used cost nothing.
const STACK: usize = 4 << 20;

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
struct Baton {
    seed: u64,
    /// One point in how many passes the baton, on average: the run's own, by its seed.
    rarity: u64,
    state: RefCell<State>,
}

/// Where a coroutine is.
struct Here<'a> {
    baton: &'a Baton,
    machine: &'static Shared,
    cpu: u32,
    yielder: Cell<*const Yielder<(), ()>>,
}

type Failure = Box<dyn Any + Send>;

thread_local! {
    static HERE: Cell<*const Here<'static>> = const { Cell::new(ptr::null()) };
    static WAITING: Cell<Option<Instant>> = const { Cell::new(None) };
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
    fn new(seed: u64, cpus: usize) -> Baton {
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
        Baton {
            seed,
            // Some races want many changes in a row, others a long run in between.
            rarity: [4, 4, 2, 16, 128][(rng >> 32) as usize % 5],
            state: RefCell::new(state),
        }
    }

    /// Halts a CPU whose function returned, until all have.
    fn halt(&self, machine: &'static Shared, cpu: u32) {
        let per = &machine.cpus[cpu as usize];
        // Nobody is there to take its timer.
        let deadline = per.deadline.swap(NEVER, Ordering::Relaxed);
        per.kept.store(deadline, Ordering::Relaxed);
        per.halted.store(true, Ordering::Release);
        per.idle.store(true, Ordering::Release);
        self.state.borrow_mut().returned += 1;
        while {
            let state = self.state.borrow();
            state.returned < state.live.len()
        } {
            relax();
        }
        per.idle.store(false, Ordering::Release);
        // It may go on in another run.
        per.halted.store(false, Ordering::Release);
        per.deadline.fetch_min(deadline, Ordering::Relaxed);
    }

    /// Ends a CPU's part; `failed` makes the others end, too.
    fn leave(&self, cpu: usize, failed: bool) {
        let mut state = self.state.borrow_mut();
        state.failed |= failed;
        state.live[cpu] = false;
        state.current = state.pick(cpu, true);
    }

    /// Counts a step of `me`; whether another goes on.
    fn step(&self, me: usize, must: bool) -> bool {
        let mut state = self.state.borrow_mut();
        state.steps += 1;
        state.total += 1;
        if state.steps > MAX_STEPS || state.total > MAX_TOTAL {
            let steps = state.steps;
            drop(state);
            panic!("the run with seed {} is stuck ({steps} steps)", self.seed);
        }
        if !must && !(random(&mut state.rng) >> 16).is_multiple_of(self.rarity) {
            return false;
        }
        state.current = state.pick(me, must);
        state.current != me
    }
}

impl Here<'_> {
    fn step(&self, must: bool) {
        if self.baton.step(self.cpu as usize, must) {
            // SAFETY: the coroutine set it when it began, and is running now.
            unsafe { &*self.yielder.get() }.suspend(());
            let failed = self.baton.state.borrow().failed;
            assert!(
                !failed,
                "another CPU of the run failed (seed {})",
                self.baton.seed
            );
        }
    }
}

/// A CPU of a run.
struct Fiber<'a> {
    here: Box<Here<'a>>,
    held: Held,
    coroutine: Coroutine<(), (), Result<(), Failure>>,
}

impl<'a> Fiber<'a> {
    fn new(baton: &'a Baton, machine: &'static Shared, cpu: u32, main: CpuMain<'a>) -> Fiber<'a> {
        let here = Box::new(Here {
            baton,
            machine,
            cpu,
            yielder: Cell::new(ptr::null()),
        });
        let stack = DefaultStack::new(STACK).expect("memory for a stack");
        let body = move |yielder: &Yielder<(), ()>, ()| {
            with_here(|here| here.yielder.set(yielder));
            catch_unwind(AssertUnwindSafe(|| {
                main(Cpu::new(machine, cpu));
                baton.halt(machine, cpu);
            }))
        };
        // SAFETY: what the coroutine borrows outlives it: `run` ends each before it returns.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(stack, body) };
        Fiber {
            here,
            held: Held::default(),
            coroutine,
        }
    }

    /// Lets it go on until it passes the baton; what it came to, if it ended.
    fn resume(&mut self) -> Option<Result<(), Failure>> {
        order::exchange(&mut self.held);
        HERE.set(ptr::from_ref(&*self.here).cast());
        let result = self.coroutine.resume(());
        HERE.set(ptr::null());
        order::exchange(&mut self.held);
        match result {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(result) => Some(result),
        }
    }
}

/// Runs one function for each CPU, interleaved as `seed` says. Errors: the panic of the first
/// CPU that did.
pub(super) fn run(
    machine: &'static Shared,
    seed: u64,
    mains: Vec<CpuMain<'_>>,
) -> Result<(), Failure> {
    assert!(HERE.get().is_null(), "a run within a run");
    let baton = Baton::new(seed, mains.len());
    let mut fibers: Vec<Fiber<'_>> = mains
        .into_iter()
        .zip(0..)
        .map(|(main, cpu)| Fiber::new(&baton, machine, cpu, main))
        .collect();
    let mut outcome = Ok(());
    let mut left = fibers.len();
    while left > 0 {
        let current = baton.state.borrow().current;
        let Some(result) = fibers[current].resume() else {
            continue;
        };
        left -= 1;
        baton.leave(current, result.is_err());
        if outcome.is_ok() {
            outcome = result;
        }
    }
    outcome
}

/// What `f` makes of the run that the caller is part of, if it is of one.
fn with_here<R>(f: impl FnOnce(&Here<'_>) -> R) -> Option<R> {
    // SAFETY: see the module's invariant.
    unsafe { HERE.get().as_ref() }.map(f)
}

/// A place where another CPU may go on.
pub fn point() {
    if !HERE.get().is_null() && !thread::panicking() {
        with_here(|here| here.step(false));
    }
}

/// Something was achieved: a wait is over.
pub(super) fn progress() {
    WAITING.set(None);
    with_here(|here| here.baton.state.borrow_mut().steps = 0);
}

/// Whether `cpu` runs beside the caller, in the caller's run, and so can answer requests.
pub(super) fn runs(cpu: u32) -> bool {
    with_here(|here| here.baton.state.borrow().live.get(cpu as usize) == Some(&true))
        .unwrap_or(false)
}

/// Whether the caller is part of a run.
pub(super) fn in_run() -> bool {
    !HERE.get().is_null()
}

/// What a CPU does while it waits for another: answers TLB flush requests, lets others go on.
pub fn relax() {
    if !HERE.get().is_null() && !thread::panicking() {
        with_here(|here| {
            let (machine, cpu) = (here.machine, here.cpu);
            machine
                .tlb
                .answer(cpu, |what| machine.do_flush(cpu, what, true));
            here.step(true);
        });
        return;
    }
    let since = WAITING.get().unwrap_or_else(Instant::now);
    WAITING.set(Some(since));
    if since.elapsed() >= PATIENCE {
        if thread::panicking() {
            // Whoever could end the wait does not run any more.
            super::std::process::abort();
        }
        panic!("waits for ever");
    }
    thread::yield_now();
}
