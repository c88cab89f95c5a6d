//! The default policy: proportional shares by weight, with caps and affinity.
//!
//! Each unit has a virtual time: what it used, divided by its weight. CPUs run the units that
//! are least far along. `level` is how far along the group is: it follows the least among those
//! that compete. Nobody's virtual time strays far from it, so neither long sleep nor an
//! entitlement that cannot be used (a weight worth more than one CPU, a pinned unit) is saved
//! up to starve others later. A unit that wakes starts at the level: ahead of whoever has just
//! been running, behind none that waits.
//!
//! Like Xen's credit2, the policy shares one queue between CPUs of a group: weights are kept
//! among units that may run on the same CPUs; with units pinned apart, each CPU's units are
//! only kept near the level.
//!
//! Invariants: `waiting` holds exactly the units in [`State::Waiting`], by rising virtual time;
//! `parked` those whose domain has used up its cap; an idle CPU that could run a waiting unit
//! has been told to ask.

mod queue;
#[cfg(test)]
mod tests;
mod turn;

use super::Tunables;
use super::policy::{Choice, Leaves, Policy, Slot, Unit};
use crate::time::NEVER;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::CpuMask;
use queue::Waiting;
use xen_abi::Errno;

/// A unit that began to run goes on for so long at least, nanoseconds, unless set otherwise.
pub const RATE_LIMIT: u64 = 1_000_000;
/// And at most so long, when others wait.
pub const LONGEST: u64 = 10_000_000;
/// A turn is not planned to be shorter than this, however low the rate limit.
const SHORTEST: u64 = 100_000;
/// How much further along than the next a unit may get in a turn, weighted nanoseconds.
const GRAIN: u64 = 4_000_000;
/// How far before the level a unit that wakes begins.
const BONUS: u64 = 1_000_000;
/// A unit that wakes makes another leave that is this much further along.
const PREEMPT: u64 = 500_000;
/// Farthest behind the level.
const LAG: u64 = 20_000_000;
/// A unit counts as so much further along for a CPU that it did not run on last.
const MOVE_COST: u64 = 1_000_000;
/// And so much for one outside of its soft affinity.
const SOFT_COST: u64 = 2_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asleep,
    Waiting,
    Running,
    Parked,
}

struct Entry {
    unit: Unit,
    vtime: u64,
    state: State,
}

impl Entry {
    /// Farthest ahead of the level that the unit's own turns can bring it.
    fn stretch(&self) -> u64 {
        self.unit.share.weighted(2 * LONGEST)
    }

    fn clamp(&mut self, level: u64) {
        let most = level.saturating_add(self.stretch());
        self.vtime = self.vtime.clamp(level.saturating_sub(LAG), most);
    }
}

#[derive(Clone, Copy)]
struct CpuTurn {
    unit: Option<Slot>,
    /// When it began to run.
    since: u64,
    /// Up to when its time has been counted.
    counted: u64,
    /// When it should make room.
    end: u64,
}

const IDLE_TURN: CpuTurn = CpuTurn {
    unit: None,
    since: 0,
    counted: 0,
    end: NEVER,
};

/// The policy of a group of CPUs.
pub struct Credit2 {
    first_cpu: u32,
    tunables: Arc<Tunables>,
    cpus: Vec<CpuTurn>,
    group: CpuMask,
    /// CPUs with nothing to do that have not been told to ask.
    idle: CpuMask,
    entries: Vec<Option<Entry>>,
    waiting: Waiting,
    parked: Vec<Slot>,
    level: u64,
}

impl Credit2 {
    /// For `cpus` CPUs from `first_cpu` on. Errors: `ENOMEM`.
    pub fn new(first_cpu: u32, cpus: u32, tunables: Arc<Tunables>) -> Result<Credit2, Errno> {
        let mut turns = Vec::new();
        turns
            .try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        turns.resize(cpus as usize, IDLE_TURN);
        let mut group = CpuMask::EMPTY;
        (first_cpu..first_cpu.saturating_add(cpus)).for_each(|cpu| group.set(cpu));
        Ok(Credit2 {
            first_cpu,
            tunables,
            cpus: turns,
            group,
            idle: CpuMask::EMPTY,
            entries: Vec::new(),
            waiting: Waiting::default(),
            parked: Vec::new(),
            level: 0,
        })
    }

    /// A unit that began to run goes on for so long at least, nanoseconds.
    fn rate_limit(&self) -> u64 {
        self.tunables.rate_limit_ns.load(Ordering::Relaxed)
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    fn turn(&self, cpu: u32) -> Option<&CpuTurn> {
        self.cpus.get(cpu.checked_sub(self.first_cpu)? as usize)
    }

    fn turn_mut(&mut self, cpu: u32) -> Option<&mut CpuTurn> {
        self.cpus.get_mut(cpu.checked_sub(self.first_cpu)? as usize)
    }

    fn set_state(&mut self, slot: Slot, state: State) {
        if let Some(entry) = self.entry_mut(slot) {
            entry.state = state;
        }
    }

    /// Lets a unit wait, or parks it when its domain's cap is reached. Whether it waits.
    fn put_waiting(&mut self, slot: Slot, now: u64) -> bool {
        let level = self.level;
        let Some(entry) = self.entry_mut(slot) else {
            return false;
        };
        entry.clamp(level);
        let vtime = entry.vtime;
        if entry.unit.share.left(now) == Some(0) {
            entry.state = State::Parked;
            // There is room: see `add`.
            self.parked.push(slot);
            return false;
        }
        entry.state = State::Waiting;
        self.waiting.insert(vtime, slot);
        true
    }

    /// Lets those wait again whose budget was filled up.
    fn unpark(&mut self, now: u64) {
        let mut at = 0;
        while let Some(&slot) = self.parked.get(at) {
            let left = self
                .entry(slot)
                .and_then(|entry| entry.unit.share.left(now));
            if left == Some(0) {
                at += 1;
                continue;
            }
            self.parked.swap_remove(at);
            self.put_waiting(slot, now);
        }
    }

    /// When the first budget of those parked is filled up.
    fn next_fill(&self) -> u64 {
        let fills = self.parked.iter().filter_map(|&slot| self.entry(slot));
        fills
            .map(|entry| entry.unit.share.next_fill())
            .min()
            .unwrap_or(NEVER)
    }

    /// Takes a unit that does not run out of wherever it stands.
    fn withdraw(&mut self, slot: Slot) {
        match self.entry(slot).map(|entry| (entry.state, entry.vtime)) {
            Some((State::Waiting, vtime)) => self.waiting.remove(vtime, slot),
            Some((State::Parked, _)) => self.parked.retain(|&parked| parked != slot),
            _ => {}
        }
    }
}

impl Policy for Credit2 {
    fn add(&mut self, unit: Unit) -> Result<Slot, Errno> {
        let free = self.entries.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.entries.len());
        // Room for every unit in each list, so that no wake-up ever allocates.
        self.waiting.reserve(self.entries.len() + 1)?;
        let more = (self.entries.len() + 1).saturating_sub(self.parked.len());
        self.parked.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
        if free.is_none() {
            self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.entries.push(None);
        }
        let mut entry = Entry {
            vtime: self.level.saturating_add_signed(unit.ahead),
            unit,
            state: State::Asleep,
        };
        entry.clamp(self.level);
        if let Some(place) = self.entries.get_mut(slot) {
            *place = Some(entry);
        }
        Ok(slot as Slot)
    }

    fn remove(&mut self, slot: Slot) -> Option<Unit> {
        self.withdraw(slot);
        let mut entry = self.entries.get_mut(slot as usize)?.take()?;
        entry.unit.ahead = entry.vtime.wrapping_sub(self.level) as i64;
        Some(entry.unit)
    }

    fn set_affinity(&mut self, slot: Slot, hard: CpuMask, soft: CpuMask, now: u64) -> Option<u32> {
        let entry = self.entry_mut(slot)?;
        (entry.unit.hard, entry.unit.soft) = (hard, soft);
        match entry.state {
            State::Running => {
                let cpu = entry.unit.cpu;
                self.turn_mut(cpu).filter(|_| !hard.contains(cpu))?.end = 0;
                Some(cpu)
            }
            State::Waiting => self.place(slot, now),
            State::Asleep | State::Parked => None,
        }
    }

    fn share_changed(&mut self, slot: Slot, now: u64) -> Option<u32> {
        let entry = self.entry(slot)?;
        match entry.state {
            State::Running => {
                let cpu = entry.unit.cpu;
                self.turn_mut(cpu)?.end = 0;
                Some(cpu)
            }
            State::Parked => {
                self.parked.retain(|&parked| parked != slot);
                if self.put_waiting(slot, now) {
                    self.place(slot, now)
                } else {
                    self.watch_fill(slot)
                }
            }
            State::Waiting | State::Asleep => None,
        }
    }

    fn wake(&mut self, slot: Slot, now: u64) -> Option<u32> {
        if self.entry(slot)?.state != State::Asleep {
            return None;
        }
        self.settle(now);
        let from = self.level.saturating_sub(BONUS);
        let entry = self.entry_mut(slot)?;
        entry.vtime = entry.vtime.max(from);
        if self.put_waiting(slot, now) {
            self.place(slot, now)
        } else {
            self.watch_fill(slot)
        }
    }

    fn sleep(&mut self, slot: Slot) {
        if self
            .entry(slot)
            .is_some_and(|entry| entry.state != State::Running)
        {
            self.withdraw(slot);
            self.set_state(slot, State::Asleep);
        }
    }

    fn next(&mut self, cpu: u32, now: u64, leaves: Leaves) -> Choice {
        self.next_turn(cpu, now, leaves)
    }

    fn turn_end(&self, cpu: u32) -> u64 {
        self.turn(cpu).map_or(NEVER, |turn| turn.end)
    }

    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn spare(&self, cpus: &CpuMask) -> Option<Slot> {
        let mut slots = self.waiting.iter().map(|(_, slot)| slot);
        slots.find(|&slot| {
            self.entry(slot)
                .is_some_and(|entry| !entry.unit.hard.intersect(cpus).is_empty())
        })
    }
}
