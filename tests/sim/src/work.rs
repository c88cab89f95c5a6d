//! All cores run seeds until time, operations or luck are up.

use crate::quiet;
use hypervisor::simtest;
use hypervisor::simtest::reach::Reach;
use hypervisor::simtest::script::Script;
use hypervisor::simtest::session::{self, Trace};
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
    /// A sum of all that happened in all scripts, whatever their order.
    pub sum: u64,
    /// The first script that failed.
    pub failure: Option<Failed>,
}

/// A script that failed.
pub struct Failed {
    /// The script.
    pub script: Script,
    /// What was found.
    pub why: String,
    /// It was run as twins.
    pub twins: bool,
}

impl Failed {
    /// What is said of it first.
    pub fn line(&self) -> String {
        let (seed, steps) = (self.script.setting.seed, self.script.steps.len());
        format!("FAIL: seed {seed}, {steps} steps: {}", self.why)
    }
}

/// One script in so many is run as twins instead.
const TWINS: u64 = 16;

/// How long to go on, and with what.
pub struct Plan {
    /// Threads; as many as there are cores unless given.
    pub jobs: Option<usize>,
    /// The first seed.
    pub first: u64,
    /// Steps of a script.
    pub steps: usize,
    /// Until so much time went by.
    pub limit: Duration,
    /// Until so many operations were made.
    pub ops: Option<u64>,
    /// Until so many scripts were run.
    pub scripts: Option<u64>,
    /// All are run as twins.
    pub twins: bool,
}

/// Runs seeds from the first on.
pub fn run(plan: &Plan) -> Found {
    let &Plan {
        jobs,
        first,
        steps,
        limit,
        ops,
        scripts,
        twins,
    } = plan;
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
                    if scripts.is_some_and(|scripts| seed - first >= scripts) {
                        break;
                    }
                    let at = Instant::now();
                    let one = one(seed, steps, twins);
                    let Ok(mut all) = found.lock() else { return };
                    done.fetch_add(one.steps, Ordering::Relaxed);
                    all.scripts += 1;
                    all.ended += one.ended;
                    all.steps += one.steps;
                    all.sum = all.sum.wrapping_add(one.sum);
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

/// Whether a seed's script is run as twins when not all are.
fn is_twins(seed: u64) -> bool {
    seed % TWINS == TWINS - 1
}

/// Runs one seed.
fn one(seed: u64, steps: usize, twins: bool) -> Found {
    quiet::about(seed);
    let mut found = Found::default();
    if twins || is_twins(seed) {
        let script = simtest::twin_script(seed, steps);
        match session::twins(&script) {
            Ok((steps, sum)) => (found.steps, found.sum) = (steps, sum),
            Err(why) => {
                found.failure = Some(Failed {
                    script,
                    why,
                    twins: true,
                });
            }
        }
        return found;
    }
    let script = simtest::script(seed, steps);
    let outcome = session::run(&script, Trace::No);
    found.ended = outcome.ended.into();
    found.steps = outcome.steps;
    found.sum = outcome.sum;
    found.reach = outcome.reach;
    found.failure = outcome.failure.map(|why| Failed {
        script,
        why,
        twins: false,
    });
    found
}
