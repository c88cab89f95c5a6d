//! Real time: each unit has a budget in each period, and the earliest deadline runs first.
//!
//! A unit's deadline is the end of its period; then its budget is filled up and the next period
//! begins. One that has used its budget up waits for that, or, if it may have extra time, goes
//! on behind all that have not: each further budget puts it one level further back.
//!
//! Invariants: an idle CPU that could run a waiting unit has been told to ask, and so has the
//! CPU of a unit that comes after one that waits and could run there. While a unit is used up,
//! some CPU asks no later than at its deadline.

#[cfg(test)]
mod tests;
mod turn;

use super::policy::{Choice, Leaves, Policy, RealTime, Slot, Unit};
use crate::time::NEVER;
use alloc::vec::Vec;
use machine::CpuMask;
use xen_abi::Errno;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asleep,
    Waiting,
    Running,
    /// Its budget is used up.
    Used,
}

struct Entry {
    unit: Unit,
    state: State,
    /// Left of the budget, nanoseconds.
    left: u64,
    /// End of the period.
    deadline: u64,
    /// How many budgets it has had in this period beyond its own.
    level: u32,
}

impl Entry {
    /// Who comes first: the lesser.
    fn rank(&self) -> (u32, u64) {
        (self.level, self.deadline)
    }

    /// Begins the period that `now` is in, if another has ended.
    fn renew(&mut self, now: u64) {
        if now < self.deadline {
            return;
        }
        let RealTime {
            period_ns,
            budget_ns,
            ..
        } = self.unit.real_time;
        let periods = (now - self.deadline) / period_ns.max(1);
        let more = periods.saturating_add(1).saturating_mul(period_ns);
        self.deadline = self.deadline.saturating_add(more);
        (self.left, self.level) = (budget_ns, 0);
    }

    /// What becomes of it when it can run: it waits, unless its budget is used up.
    fn ready(&mut self) -> State {
        let RealTime {
            budget_ns, extra, ..
        } = self.unit.real_time;
        if self.left != 0 {
            return State::Waiting;
        }
        if !extra {
            return State::Used;
        }
        self.level = self.level.saturating_add(1);
        self.left = budget_ns;
        State::Waiting
    }
}

#[derive(Clone, Copy)]
struct CpuTurn {
    unit: Option<Slot>,
    /// Up to when its time has been counted.
    counted: u64,
    /// When it asks next.
    end: u64,
}

const IDLE_TURN: CpuTurn = CpuTurn {
    unit: None,
    counted: 0,
    end: NEVER,
};

/// The policy of a group of CPUs.
pub struct Rtds {
    cpus: Vec<CpuTurn>,
    /// The CPUs there are.
    group: CpuMask,
    /// CPUs with nothing to do that have not been told to ask.
    idle: CpuMask,
    entries: Vec<Option<Entry>>,
    waiting: usize,
}

impl Rtds {
    /// For none of a machine's `cpus` CPUs yet. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Rtds, Errno> {
        Ok(Rtds {
            cpus: super::filled(cpus, || IDLE_TURN)?,
            group: CpuMask::EMPTY,
            idle: CpuMask::EMPTY,
            entries: Vec::new(),
            waiting: 0,
        })
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    fn turn(&self, cpu: u32) -> Option<&CpuTurn> {
        self.cpus.get(cpu as usize)
    }

    fn turn_mut(&mut self, cpu: u32) -> Option<&mut CpuTurn> {
        self.cpus.get_mut(cpu as usize)
    }

    fn set_state(&mut self, slot: Slot, to: State) {
        let Some(entry) = self.entry_mut(slot) else {
            return;
        };
        let was = core::mem::replace(&mut entry.state, to);
        self.waiting = self
            .waiting
            .saturating_sub((was == State::Waiting).into())
            .saturating_add((to == State::Waiting).into());
    }

    /// Makes a CPU ask at once. That CPU.
    fn end_turn(&mut self, cpu: u32) -> Option<u32> {
        self.turn_mut(cpu)?.end = 0;
        Some(cpu)
    }
}

impl Policy for Rtds {
    fn add_cpu(&mut self, cpu: u32) {
        self.group.set(cpu);
    }

    fn remove_cpu(&mut self, cpu: u32, now: u64) -> Option<u32> {
        self.group.clear(cpu);
        self.idle.clear(cpu);
        if let Some(turn) = self.turn_mut(cpu) {
            turn.end = if turn.unit.is_some() { 0 } else { NEVER };
        }
        self.hand_over(now)
    }

    fn add(&mut self, unit: Unit) -> Result<Slot, Errno> {
        let free = self.entries.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.entries.len());
        if free.is_none() {
            self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.entries.push(None);
        }
        if let Some(place) = self.entries.get_mut(slot) {
            *place = Some(Entry {
                unit,
                state: State::Asleep,
                left: 0,
                deadline: 0,
                level: 0,
            });
        }
        Ok(slot as Slot)
    }

    fn remove(&mut self, slot: Slot) -> Option<Unit> {
        self.set_state(slot, State::Asleep);
        Some(self.entries.get_mut(slot as usize)?.take()?.unit)
    }

    fn set_affinity(&mut self, slot: Slot, hard: CpuMask, soft: CpuMask, now: u64) -> Option<u32> {
        let entry = self.entry_mut(slot)?;
        (entry.unit.hard, entry.unit.soft) = (hard, soft);
        let cpu = entry.unit.cpu;
        match entry.state {
            State::Running if !hard.contains(cpu) => self.end_turn(cpu),
            State::Waiting => self.tell_other(now),
            _ => None,
        }
    }

    fn share_changed(&mut self, _: Slot, _: u64) -> Option<u32> {
        None
    }

    fn set_real_time(&mut self, slot: Slot, to: RealTime, now: u64) -> Option<u32> {
        let entry = self.entry_mut(slot)?;
        entry.unit.real_time = to;
        // The period goes by the new length from now on at the latest.
        entry.deadline = entry.deadline.min(now.saturating_add(to.period_ns));
        entry.left = entry.left.min(to.budget_ns);
        match entry.state {
            State::Running => {
                let cpu = entry.unit.cpu;
                self.end_turn(cpu)
            }
            State::Used => {
                let state = entry.ready();
                self.set_state(slot, state);
                self.hand_over(now)
            }
            State::Waiting => self.tell_other(now),
            State::Asleep => None,
        }
    }

    fn wake(&mut self, slot: Slot, now: u64) -> Option<u32> {
        let entry = self.entry_mut(slot)?;
        if entry.state != State::Asleep {
            return None;
        }
        if now >= entry.deadline {
            // Periods that nobody used are not counted: a new one begins.
            entry.deadline = now;
            entry.renew(now);
        }
        let state = entry.ready();
        self.set_state(slot, state);
        self.hand_over(now)
    }

    fn sleep(&mut self, slot: Slot) {
        if self
            .entry(slot)
            .is_some_and(|entry| entry.state != State::Running)
        {
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
        self.waiting
    }

    fn spare(&self, cpus: &CpuMask) -> Option<Slot> {
        self.first_waiting(|entry| !entry.unit.hard.intersect(cpus).is_empty())
    }
}
