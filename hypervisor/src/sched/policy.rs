//! What a scheduling policy decides, apart from how it is carried out.
//!
//! A policy serves one group of CPUs. It knows vCPUs as *units*, by slots it hands out, and is
//! told what happens to them; it answers with which unit runs where and until when. It calls
//! nobody and takes the time as an argument, so it runs alone under test. All calls are made
//! under one lock.

use super::Share;
use crate::time::NEVER;
use alloc::sync::Arc;
use machine::CpuMask;
use xen_abi::Errno;

/// Where a unit stands in its policy.
pub type Slot = u32;

/// A unit as it comes to a policy or leaves it.
#[derive(Clone, Debug)]
pub struct Unit {
    /// What its domain is entitled to.
    pub share: Arc<Share>,
    /// CPUs that it may run on.
    pub hard: CpuMask,
    /// CPUs that it should run on if it can.
    pub soft: CpuMask,
    /// The CPU that it ran on last.
    pub cpu: u32,
    /// How far it is ahead of its group in use of time, weighted nanoseconds.
    pub ahead: i64,
}

/// What a CPU does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The unit to run, if any.
    pub unit: Option<Slot>,
    /// When to ask again, nanoseconds since boot; [`NEVER`] when nothing needs it.
    pub until: u64,
    /// Another CPU that should ask, too.
    pub tell: Option<u32>,
}

impl Choice {
    /// Nothing to do.
    pub const IDLE: Choice = Choice {
        unit: None,
        until: NEVER,
        tell: None,
    };
}

/// How a CPU's unit gave it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// It cannot go on.
    Asleep,
    /// It can go on.
    Ready,
    /// It can go on, but lets others go first.
    Yields,
}

/// A policy.
pub trait Policy: Send {
    /// Takes in a unit, asleep. Errors: `ENOMEM`.
    fn add(&mut self, unit: Unit) -> Result<Slot, Errno>;

    /// Lets a unit go. It does not run.
    fn remove(&mut self, slot: Slot) -> Option<Unit>;

    /// Changes where a unit may run; a CPU that should ask again, if any.
    fn set_affinity(&mut self, slot: Slot, hard: CpuMask, soft: CpuMask, now: u64) -> Option<u32>;

    /// What a unit's domain is entitled to changed; a CPU that should ask again, if any.
    fn share_changed(&mut self, slot: Slot, now: u64) -> Option<u32>;

    /// A unit can run; a CPU that should ask what to do, if any. Nothing changes when it runs
    /// or waits already.
    fn wake(&mut self, slot: Slot, now: u64) -> Option<u32>;

    /// A unit that waits cannot run any more. Nothing changes when it runs.
    fn sleep(&mut self, slot: Slot);

    /// What `cpu` does next; `leaves` says how the unit that ran there came off, which counts
    /// only if there was one.
    fn next(&mut self, cpu: u32, now: u64, leaves: Leaves) -> Choice;

    /// When the turn of the unit on `cpu` ends; [`NEVER`] when nobody waits for it.
    fn turn_end(&self, cpu: u32) -> u64;

    /// Units that wait for a CPU.
    fn waiting(&self) -> usize;

    /// A waiting unit that could run on one of `cpus`, which belong to another group and are
    /// idle: the one that waits for most.
    fn spare(&self, cpus: &CpuMask) -> Option<Slot>;
}
