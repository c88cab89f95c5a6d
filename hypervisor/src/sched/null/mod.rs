//! One unit for each CPU: who has one keeps it, and nobody else runs there.
//!
//! Units beyond the number of CPUs, or whose CPUs are all taken, do not run until one is free.
//!
//! Invariant: a CPU whose unit can run, and does not run anywhere, runs nothing else and has
//! been told to ask.

#[cfg(test)]
mod tests;

use super::policy::{Choice, Leaves, Policy, Slot, Unit};
use crate::time::NEVER;
use alloc::vec::Vec;
use machine::CpuMask;
use xen_abi::Errno;

struct Entry {
    unit: Unit,
    /// The CPU that it has.
    cpu: Option<u32>,
    awake: bool,
    running: bool,
}

#[derive(Clone, Copy, Default)]
struct CpuTurn {
    /// Whose it is.
    owner: Option<Slot>,
    /// What runs on it.
    unit: Option<Slot>,
}

/// The policy of a group of CPUs.
pub struct Null {
    cpus: Vec<CpuTurn>,
    /// The CPUs there are.
    group: CpuMask,
    /// CPUs that were told to ask and have not yet.
    told: CpuMask,
    entries: Vec<Option<Entry>>,
}

impl Null {
    /// For none of a machine's `cpus` CPUs yet. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Null, Errno> {
        Ok(Null {
            cpus: super::filled(cpus, CpuTurn::default)?,
            group: CpuMask::EMPTY,
            told: CpuMask::EMPTY,
            entries: Vec::new(),
        })
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    fn turn(&self, cpu: u32) -> CpuTurn {
        self.cpus.get(cpu as usize).copied().unwrap_or_default()
    }

    fn turn_mut(&mut self, cpu: u32) -> Option<&mut CpuTurn> {
        self.cpus.get_mut(cpu as usize)
    }

    /// Gives a unit without a CPU one that is free, if it may run on any.
    fn assign(&mut self, slot: Slot) {
        let Some(entry) = self.entry(slot) else {
            return;
        };
        let (last, soft) = (entry.unit.cpu, entry.unit.soft);
        let may = self.group.intersect(&entry.unit.hard);
        let free = may.iter().filter(|&cpu| self.turn(cpu).owner.is_none());
        let best = free.max_by_key(|&cpu| (soft.contains(cpu), cpu == last, u32::MAX - cpu));
        let Some(cpu) = best else { return };
        if let Some(turn) = self.turn_mut(cpu) {
            turn.owner = Some(slot);
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.cpu = Some(cpu);
        }
    }

    /// Takes a unit's CPU from it.
    fn release(&mut self, slot: Slot) {
        let cpu = self.entry_mut(slot).and_then(|entry| entry.cpu.take());
        if let Some(turn) = cpu.and_then(|cpu| self.turn_mut(cpu)) {
            turn.owner = None;
        }
    }

    /// Gives free CPUs to units without one, those that can run first.
    fn assign_all(&mut self) {
        for awake in [true, false] {
            for slot in 0..self.entries.len() as Slot {
                let needs = |entry: &Entry| entry.cpu.is_none() && entry.awake == awake;
                if self.entry(slot).is_some_and(needs) {
                    self.assign(slot);
                }
            }
        }
    }

    /// A CPU that has something else to do than what it does. It counts as told then.
    fn tell_other(&mut self) -> Option<u32> {
        let should = |cpu: &u32| {
            let CpuTurn { owner, unit } = self.turn(*cpu);
            let ready = |slot| {
                self.entry(slot)
                    .is_some_and(|entry| entry.awake && !entry.running)
            };
            !self.told.contains(*cpu)
                && (owner.is_some_and(ready) || unit.is_some_and(|_| unit != owner))
        };
        let cpu = self.group.iter().find(should)?;
        self.told.set(cpu);
        Some(cpu)
    }
}

impl Policy for Null {
    fn add_cpu(&mut self, cpu: u32) {
        self.group.set(cpu);
        self.assign_all();
        // It is told to ask by whoever adds it; another that it relieves asks then.
        self.told.set(cpu);
    }

    fn remove_cpu(&mut self, cpu: u32, _: u64) -> Option<u32> {
        self.group.clear(cpu);
        self.told.clear(cpu);
        if let Some(owner) = self.turn(cpu).owner {
            self.release(owner);
            self.assign(owner);
        }
        self.tell_other()
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
                cpu: None,
                awake: false,
                running: false,
            });
        }
        self.assign(slot as Slot);
        Ok(slot as Slot)
    }

    fn remove(&mut self, slot: Slot) -> Option<Unit> {
        self.release(slot);
        let entry = self.entries.get_mut(slot as usize)?.take()?;
        self.assign_all();
        Some(entry.unit)
    }

    fn freed(&mut self) -> Option<u32> {
        self.tell_other()
    }

    fn set_affinity(&mut self, slot: Slot, hard: CpuMask, soft: CpuMask, _: u64) -> Option<u32> {
        let entry = self.entry_mut(slot)?;
        (entry.unit.hard, entry.unit.soft) = (hard, soft);
        if entry.cpu.is_none_or(|cpu| !hard.contains(cpu)) {
            self.release(slot);
            self.assign(slot);
            self.assign_all();
        }
        self.tell_other()
    }

    fn share_changed(&mut self, _: Slot, _: u64) -> Option<u32> {
        None
    }

    fn wake(&mut self, slot: Slot, _: u64) -> Option<u32> {
        self.entry_mut(slot)?.awake = true;
        self.tell_other()
    }

    fn sleep(&mut self, slot: Slot) {
        if let Some(entry) = self.entry_mut(slot).filter(|entry| !entry.running) {
            entry.awake = false;
        }
    }

    fn next(&mut self, cpu: u32, _: u64, leaves: Leaves) -> Choice {
        self.told.clear(cpu);
        let last = self.turn_mut(cpu).and_then(|turn| turn.unit.take());
        if let Some(entry) = last.and_then(|last| self.entry_mut(last)) {
            entry.running = false;
            entry.awake = leaves != Leaves::Asleep;
        }
        let owner = self.turn(cpu).owner;
        let ready = |entry: &Entry| entry.awake && !entry.running;
        let chosen = owner.filter(|&slot| self.entry(slot).is_some_and(ready));
        if let Some(entry) = chosen.and_then(|slot| self.entry_mut(slot)) {
            entry.running = true;
            entry.unit.cpu = cpu;
        }
        if let Some(turn) = self.turn_mut(cpu) {
            turn.unit = chosen;
        }
        Choice {
            unit: chosen,
            until: NEVER,
            tell: self.tell_other(),
        }
    }

    fn turn_end(&self, cpu: u32) -> u64 {
        let CpuTurn { owner, unit } = self.turn(cpu);
        if unit.is_some() && unit != owner {
            0
        } else {
            NEVER
        }
    }

    fn waiting(&self) -> usize {
        // Who has a CPU does not give it up for those who have none.
        0
    }

    fn spare(&self, _: &CpuMask) -> Option<Slot> {
        None
    }
}
