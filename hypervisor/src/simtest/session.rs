//! One run of a script, and what came of it.

extern crate std;

use super::judge;
use super::play;
use super::reach::Reach;
use super::script::Script;
use super::world::World;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use machine::arch::sim::PowerEvent;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps of guests that were made.
    pub steps: u64,
    /// What was reached.
    pub reach: Reach,
    /// What was found wrong.
    pub failure: Option<String>,
    /// The control domain ended the machine.
    pub ended: bool,
    /// A sum of all that domain 1 saw.
    pub seen: u64,
    /// A line for each step, if wanted.
    pub trace: Vec<String>,
    /// Steps that each vCPU did not come to.
    pub left: Vec<usize>,
    /// What the hypervisor said.
    pub console: String,
}

/// What a panic said.
fn said(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| text.to_string());
    let text = text.or_else(|| cause.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
}

/// Runs a script on a machine of its own.
pub fn run(script: &Script, trace: bool) -> Outcome {
    let world = World::new(script);
    if trace {
        play::lock(&world.play).trace = Some(Vec::new());
    }
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let mut outcome = Outcome::default();
    {
        let mut play = play::lock(&world.play);
        outcome.steps = play.done;
        outcome.reach = core::mem::take(&mut play.reach);
        outcome.seen = play.seen;
        outcome.left = play.left();
        outcome.trace = play.trace.take().unwrap_or_default();
    }
    outcome.console = world.machine.take_console();
    match result {
        Ok(()) => {
            // A machine in order can be used again.
            let machine = world.machine;
            drop(world);
            machine.retire();
        }
        Err(cause) if cause.is::<PowerEvent>() => {
            outcome.ended = true;
            give_up(world);
        }
        Err(cause) => {
            outcome.failure = Some(said(&*cause));
            give_up(world);
        }
    }
    outcome
}

/// Lets go of a world that stopped in the middle of something: what its coroutines held is
/// never given back, so nothing of it is looked at any more.
fn give_up(world: World) {
    let machine = world.machine;
    play::lock(&world.play).forget_domains();
    core::mem::forget(world);
    machine.retire();
}

/// Checks that domain 1 sees the same whatever domain 2's secret is; the steps that were made.
/// Errors: what went wrong.
pub fn twins(script: &Script) -> Result<u64, String> {
    judge::count(judge::Kind::Twins);
    let seen = |secret: u64| {
        let mut script = script.clone();
        script.setting.secret = secret;
        let outcome = run(&script, false);
        (outcome.failure, outcome.seen, outcome.steps)
    };
    let (one, other) = (seen(0x1111_1111_1111_1110), seen(0x2222_2222_2222_2220));
    match (one, other) {
        ((Some(why), ..), _) | (_, (Some(why), ..)) => Err(why),
        ((None, a, _), (None, b, _)) if a != b => {
            Err("what domain 1 sees depends on a secret of domain 2".into())
        }
        ((_, _, a), (_, _, b)) => Ok(a + b),
    }
}
