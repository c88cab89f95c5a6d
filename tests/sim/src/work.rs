//! All cores run seeds until time, operations or luck are up.

use crate::quiet;
use hypervisor::simtest::reach::Reach;
use hypervisor::simtest::script::Script;
use hypervisor::simtest::{self, session};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What all runs came to.
#[derive(Default)]
pub struct Found {
    /// Scripts run.
    pub scripts: u64,
    /// Of these, where the control domain ended the machine.
    pub ended: u64,
    /// Operations of guests.
    pub steps: u64,
    /// What was reached.
    pub reach: Reach,
    /// Time that threads ran, all together.
    pub busy: Duration,
    /// Threads.
    pub threads: usize,
    /// The first script that failed.
    pub failure: Option<(Script, String)>,
}

/// One script in so many is run as twins instead.
const TWINS: u64 = 16;

/// Runs seeds from `first` on.
pub fn run(
    jobs: Option<usize>,
    first: u64,
    steps: usize,
    limit: Duration,
    ops: Option<u64>,
    twins: bool,
) -> Found {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = jobs.unwrap_or(cores).max(1);
    let (next, done, stop) = (
        AtomicU64::new(first),
        AtomicU64::new(0),
        AtomicBool::new(false),
    );
    let begun = Instant::now();
    let found = Mutex::new(Found {
        threads,
        ..Found::default()
    });
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed)
                    && begun.elapsed() < limit
                    && ops.is_none_or(|ops| done.load(Ordering::Relaxed) < ops)
                {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let at = Instant::now();
                    let one = one(seed, steps, twins);
                    let Ok(mut all) = found.lock() else { return };
                    done.fetch_add(one.steps, Ordering::Relaxed);
                    all.scripts += 1;
                    all.ended += one.ended;
                    all.steps += one.steps;
                    all.reach.add(&one.reach);
                    all.busy += at.elapsed();
                    if one.failure.is_some() {
                        stop.store(true, Ordering::Relaxed);
                        if all.failure.is_none() {
                            all.failure = one.failure;
                        }
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_default()
}

/// Runs one seed.
fn one(seed: u64, steps: usize, twins: bool) -> Found {
    quiet::about(seed);
    let mut found = Found::default();
    if twins && seed % TWINS == TWINS - 1 {
        let script = simtest::twin_script(seed, steps);
        match session::twins(&script) {
            Ok(steps) => found.steps = steps,
            Err(why) => found.failure = Some((script, why)),
        }
        return found;
    }
    let script = simtest::script(seed, steps);
    let outcome = session::run(&script, false);
    found.ended = outcome.ended.into();
    found.steps = outcome.steps;
    found.reach = outcome.reach;
    found.failure = outcome.failure.map(|why| (script, why));
    found
}
