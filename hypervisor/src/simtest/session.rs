//! One run of a script, and what came of it.

extern crate std;

use super::judge;
pub use super::play::Trace;
use super::play::{self, SAW};
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
    /// A sum of all that happened: the same for the same script, always.
    pub sum: u64,
    /// Lines that were to be kept.
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
pub fn run(script: &Script, trace: Trace) -> Outcome {
    let world = World::new(script);
    play::lock(&world.play).trace = trace;
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let mut outcome = Outcome::default();
    {
        let mut play = play::lock(&world.play);
        outcome.steps = play.done;
        outcome.reach = core::mem::take(&mut play.reach);
        outcome.seen = play.seen;
        outcome.sum = play.sum;
        outcome.left = play.left();
        if let Trace::Kept(lines) = core::mem::take(&mut play.trace) {
            outcome.trace = lines;
        }
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

/// Checks that domain 1 sees the same whatever domain 2's secret is; the steps that were made, and
/// [`Outcome::sum`] of both. Errors: what went wrong.
pub fn twins(script: &Script) -> Result<(u64, u64), String> {
    judge::count(judge::Kind::Twins);
    let seen = |secret: u64, trace: Trace| {
        let mut script = script.clone();
        script.setting.secret = secret;
        run(&script, trace)
    };
    let secrets = [0x1111_1111_1111_1110, 0x2222_2222_2222_2220];
    let [one, other] = secrets.map(|secret| seen(secret, Trace::No));
    if let Some(why) = one.failure.or(other.failure) {
        return Err(why);
    }
    if one.seen == other.seen {
        let sum = one.sum.wrapping_add(other.sum);
        return Ok((one.steps + other.steps, sum));
    }
    let traces = secrets.map(|secret| seen(secret, Trace::Kept(Vec::new())).trace);
    Err(alloc::format!(
        "{TOLD}: {}",
        first_difference(&traces[0], &traces[1])
    ))
}

/// How the report of twins that differ begins.
pub const TOLD: &str = "what domain 1 sees depends on a secret of domain 2";

/// Where two traces part, and what domain 1 saw first of it.
fn first_difference(one: &[String], other: &[String]) -> String {
    let differ = |(a, b): &(&String, &String)| a != b;
    let all = one.iter().zip(other).enumerate();
    let first = all.clone().find(|(_, pair)| differ(pair));
    let Some((at, _)) = first else {
        return "one ended before the other".into();
    };
    let mut text = String::new();
    for (which, trace) in [("with one", one), ("with the other", other)] {
        let from = at.saturating_sub(12);
        text += &alloc::format!("\n{which}, from line {from}:\n");
        for line in trace.iter().skip(from).take(20) {
            text += &alloc::format!("{line}\n");
        }
    }
    let saw = |trace: &'_ [String]| -> Vec<String> {
        let lines = trace.iter().filter(|line| line.starts_with(SAW));
        lines.cloned().collect()
    };
    let (one, other) = (saw(one), saw(other));
    let at = one.iter().zip(&other).position(|(a, b)| a != b);
    text + &alloc::format!("domain 1's number {at:?} of {}", one.len())
}
