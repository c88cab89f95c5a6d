//! A small discrete-event simulation for policies: units that compute and sleep, CPUs that ask
//! when their turn ends or when they are told to, and come and go.

use super::Share;
use super::policy::{Leaves, Policy, RealTime, Slot, Unit};
use crate::time::NEVER;
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::CpuMask;

pub const MS: u64 = 1_000_000;

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Computes for up to `burst`, sleeps for up to `rest`; a `rest` of zero is to compute for ever.
pub struct Guest {
    pub burst: u64,
    pub rest: u64,
    pub hard: CpuMask,
    left: u64,
    wakes: Option<u64>,
    ready_since: Option<u64>,
    pub used: u64,
    pub longest_wait: u64,
}

pub struct Sim<P> {
    pub policy: P,
    pub now: u64,
    pub guests: Vec<Guest>,
    /// What runs on each CPU, and when it asks of its own accord.
    pub cpus: Vec<(Option<usize>, u64)>,
    /// CPUs that there are.
    pub there: CpuMask,
    pub random: Random,
}

impl<P: Policy> Sim<P> {
    pub fn new(policy: P, cpus: u32, seed: u64) -> Sim<P> {
        let mut sim = Sim {
            policy,
            now: 5000 * MS,
            guests: Vec::new(),
            cpus: alloc::vec![(None, NEVER); cpus as usize],
            there: CpuMask::EMPTY,
            random: Random::new(seed),
        };
        (0..cpus).for_each(|cpu| sim.add_cpu(cpu));
        sim
    }

    pub fn add_cpu(&mut self, cpu: u32) {
        self.there.set(cpu);
        self.policy.add_cpu(cpu);
        self.tell(cpu);
    }

    pub fn remove_cpu(&mut self, cpu: u32) {
        self.there.clear(cpu);
        let told = self.policy.remove_cpu(cpu, self.now);
        told.into_iter().for_each(|other| self.tell(other));
        self.tell(cpu);
    }

    pub fn add(&mut self, burst: u64, rest: u64, hard: CpuMask, real_time: RealTime) {
        let unit = Unit {
            share: Arc::new(Share::default()),
            hard,
            soft: self.there,
            cpu: 0,
            ahead: 0,
            real_time,
        };
        let slot = self.policy.add(unit).unwrap();
        assert_eq!(slot as usize, self.guests.len());
        let wakes = Some(self.now + self.random.below(5 * MS));
        self.guests.push(Guest {
            burst,
            rest,
            hard,
            left: 0,
            wakes,
            ready_since: None,
            used: 0,
            longest_wait: 0,
        });
    }

    pub fn set_affinity(&mut self, unit: usize, hard: CpuMask) {
        self.guests[unit].hard = hard;
        let soft = self.there;
        let told = self.policy.set_affinity(unit as Slot, hard, soft, self.now);
        told.into_iter().for_each(|cpu| self.tell(cpu));
    }

    fn ask(&mut self, cpu: u32, leaves: Leaves) {
        let at = cpu as usize;
        let now = self.now;
        if let (Some(old), true) = (self.cpus[at].0, leaves != Leaves::Asleep) {
            self.guests[old].ready_since = Some(now);
        }
        self.cpus[at] = (None, NEVER);
        let choice = self.policy.next(cpu, now, leaves);
        let unit = choice.unit.map(|slot| slot as usize);
        assert!(choice.until > now, "asks again at once");
        if let Some(unit) = unit {
            assert!(self.there.contains(cpu) && self.guests[unit].hard.contains(cpu));
            assert!(self.cpus.iter().all(|(other, _)| *other != Some(unit)));
            let guest = &mut self.guests[unit];
            let since = guest.ready_since.take().expect("runs without being ready");
            guest.longest_wait = guest.longest_wait.max(now - since);
        }
        self.cpus[at] = (unit, choice.until);
        if let Some(other) = choice.tell {
            self.tell(other);
        }
    }

    /// A CPU was told to ask.
    pub fn told(&mut self, cpu: u32) {
        self.tell(cpu);
    }

    fn tell(&mut self, cpu: u32) {
        let (unit, _) = self.cpus[cpu as usize];
        let end = self.policy.turn_end(cpu);
        if unit.is_none() || self.now >= end {
            self.ask(cpu, Leaves::Ready);
        } else {
            self.cpus[cpu as usize].1 = end;
        }
    }

    /// Lets time pass to the next event, at most to `limit`.
    fn step(&mut self, limit: u64) {
        let mut next = limit;
        for &(unit, until) in &self.cpus {
            next = next.min(until);
            if let Some(unit) = unit {
                next = next.min(self.now.saturating_add(self.guests[unit].left));
            }
        }
        for guest in &self.guests {
            next = next.min(guest.wakes.unwrap_or(NEVER));
        }
        let next = next.max(self.now);
        let passed = next - self.now;
        self.now = next;
        for &(unit, _) in &self.cpus {
            if let Some(unit) = unit {
                self.guests[unit].used += passed;
                self.guests[unit].left = self.guests[unit].left.saturating_sub(passed);
            }
        }
        for unit in 0..self.guests.len() {
            if self.guests[unit].wakes.is_some_and(|at| at <= next) {
                let burst = 1 + self.random.below(self.guests[unit].burst);
                let guest = &mut self.guests[unit];
                guest.wakes = None;
                guest.left = if guest.rest == 0 { u64::MAX } else { burst };
                guest.ready_since = Some(next);
                let told = self.policy.wake(unit as Slot, next);
                told.into_iter().for_each(|cpu| self.tell(cpu));
            }
        }
        for cpu in 0..self.cpus.len() {
            let (unit, until) = self.cpus[cpu];
            match unit {
                Some(unit) if self.guests[unit].left == 0 => {
                    let rest = 1 + self.random.below(self.guests[unit].rest);
                    self.guests[unit].wakes = Some(next + rest);
                    self.ask(cpu as u32, Leaves::Asleep);
                }
                _ if until <= next => self.ask(cpu as u32, Leaves::Ready),
                _ => {}
            }
        }
    }

    /// Units that could run and do not.
    pub fn ready(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.guests.len()).filter(|&unit| self.guests[unit].ready_since.is_some())
    }

    /// CPUs that run nothing.
    pub fn idle(&self) -> CpuMask {
        let mut idle = self.there;
        for (cpu, _) in (0..).zip(&self.cpus).filter(|(_, run)| run.0.is_some()) {
            idle.clear(cpu);
        }
        idle
    }

    /// Lets `ns` pass; `check` looks after each step.
    pub fn run(&mut self, ns: u64, check: impl Fn(&Self)) {
        let end = self.now + ns;
        while self.now < end {
            self.step(end);
            check(self);
        }
    }
}
