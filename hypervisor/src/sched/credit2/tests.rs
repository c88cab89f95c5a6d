//! The policy under a small discrete-event simulation: units that compute and sleep, CPUs that
//! ask when their turn ends or when they are told to.

use super::super::policy::{Leaves, Policy, Unit};
use super::super::share::Share;
use super::*;
use alloc::sync::Arc;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// What a unit does: computes for `burst`, sleeps for `rest`; zero for computing for ever.
#[derive(Clone, Copy)]
struct Habit {
    burst: u64,
    rest: u64,
    random: bool,
}

const HOG: Habit = Habit {
    burst: u64::MAX,
    rest: 0,
    random: false,
};

struct Guest {
    habit: Habit,
    hard: CpuMask,
    /// Left of the present burst.
    left: u64,
    /// When it wakes, while it sleeps.
    wakes: Option<u64>,
    /// Since when it waits for a CPU.
    ready_since: Option<u64>,
    used: u64,
    longest_wait: u64,
    longest_latency: u64,
    just_woke: bool,
}

struct World {
    policy: Credit2,
    now: u64,
    guests: Vec<Guest>,
    /// What runs on each CPU, and when it asks of its own accord.
    cpus: Vec<(Option<usize>, u64)>,
    random: Random,
    turns: u64,
    moves: u64,
    last_cpu: Vec<u32>,
}

impl World {
    fn new(cpus: u32, seed: u64) -> World {
        let mut world = World {
            policy: Credit2::new(cpus, Arc::default()).unwrap(),
            now: 5 * SECOND,
            guests: Vec::new(),
            cpus: alloc::vec![(None, NEVER); cpus as usize],
            random: Random::new(seed),
            turns: 0,
            moves: 0,
            last_cpu: Vec::new(),
        };
        (0..cpus).for_each(|cpu| world.policy.add_cpu(cpu));
        (0..cpus).for_each(|cpu| world.ask(cpu, Leaves::Asleep));
        world
    }

    fn add(&mut self, habit: Habit, share: &Arc<Share>, hard: CpuMask) {
        let unit = Unit {
            share: share.clone(),
            hard,
            soft: self.policy.group,
            cpu: 0,
            ahead: 0,
            real_time: Default::default(),
        };
        let slot = self.policy.add(unit).unwrap();
        assert_eq!(slot as usize, self.guests.len());
        let wakes = Some(self.now + self.random.below(5 * MS));
        self.guests.push(Guest {
            habit,
            hard,
            left: 0,
            wakes,
            ready_since: None,
            used: 0,
            longest_wait: 0,
            longest_latency: 0,
            just_woke: false,
        });
        self.last_cpu.push(0);
    }

    fn weighted(&mut self, habit: Habit, weight: u32) {
        let all = self.policy.group;
        self.add(habit, &Arc::new(Share::new(weight, 0)), all);
    }

    fn ask(&mut self, cpu: u32, leaves: Leaves) {
        let at = cpu as usize;
        let now = self.now;
        if let (Some(old), true) = (self.cpus[at].0, leaves != Leaves::Asleep) {
            self.guests[old].ready_since = Some(now);
        }
        let choice = self.policy.next(cpu, now, leaves);
        let unit = choice.unit.map(|slot| slot as usize);
        self.cpus[at] = (unit, choice.until);
        self.turns += 1;
        if let Some(unit) = unit {
            assert!(
                self.guests[unit].hard.contains(cpu),
                "{unit} runs where it may not"
            );
            assert!(
                self.cpus
                    .iter()
                    .filter(|(other, _)| *other == Some(unit))
                    .count()
                    == 1
            );
            self.moves += u64::from(self.last_cpu[unit] != cpu);
            self.last_cpu[unit] = cpu;
            let guest = &mut self.guests[unit];
            let waited = now - guest.ready_since.take().expect("runs without being ready");
            guest.longest_wait = guest.longest_wait.max(waited);
            if core::mem::take(&mut guest.just_woke) {
                guest.longest_latency = guest.longest_latency.max(waited);
            }
        }
        if let Some(other) = choice.tell {
            self.tell(other);
        }
    }

    /// What a kick does.
    fn tell(&mut self, cpu: u32) {
        let (unit, _) = self.cpus[cpu as usize];
        let end = self.policy.turn_end(cpu);
        if unit.is_none() || self.now >= end {
            self.ask(cpu, Leaves::Ready);
        } else {
            self.cpus[cpu as usize].1 = end;
        }
    }

    fn burst(&mut self, guest: usize) -> u64 {
        let Habit { burst, random, .. } = self.guests[guest].habit;
        if random {
            1 + self.random.below(burst)
        } else {
            burst
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
                let burst = self.burst(unit);
                let guest = &mut self.guests[unit];
                guest.wakes = None;
                guest.left = burst;
                guest.ready_since = Some(next);
                guest.just_woke = true;
                if let Some(cpu) = self.policy.wake(unit as Slot, next) {
                    self.tell(cpu);
                }
            }
        }
        for cpu in 0..self.cpus.len() {
            let (unit, until) = self.cpus[cpu];
            match unit {
                Some(unit) if self.guests[unit].left == 0 => {
                    let Habit { rest, random, .. } = self.guests[unit].habit;
                    let rest = if random {
                        1 + self.random.below(rest)
                    } else {
                        rest
                    };
                    self.guests[unit].wakes = Some(next + rest);
                    self.ask(cpu as u32, Leaves::Asleep);
                }
                _ if until <= next => self.ask(cpu as u32, Leaves::Ready),
                _ => {}
            }
        }
        self.check();
    }

    /// Nobody waits for a CPU that he could have.
    fn check(&self) {
        for (unit, guest) in self.guests.iter().enumerate() {
            let state = self.policy.entry(unit as Slot).unwrap().state;
            let running = self.cpus.iter().any(|&(other, _)| other == Some(unit));
            assert_eq!(running, state == State::Running);
            assert_eq!(
                guest.wakes.is_some(),
                state == State::Asleep,
                "unit {unit} is lost"
            );
            if state == State::Waiting {
                let idle = (0..self.cpus.len())
                    .any(|cpu| self.cpus[cpu].0.is_none() && guest.hard.contains(cpu as u32));
                assert!(!idle, "unit {unit} waits beside an idle CPU");
            }
        }
        let waiting: Vec<_> = self.policy.waiting.iter().collect();
        assert!(waiting.is_sorted_by_key(|&(vtime, _)| vtime));
    }

    fn run(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.now < end {
            self.step(end);
        }
    }
}

/// What `weights` are entitled to of `cpus` CPUs, each of one at most.
fn entitled(weights: &[u32], cpus: u32) -> Vec<f64> {
    let mut shares = alloc::vec![0.0; weights.len()];
    let mut left = f64::from(cpus);
    let mut open: Vec<usize> = (0..weights.len()).collect();
    loop {
        let sum: f64 = open.iter().map(|&i| f64::from(weights[i])).sum();
        let full: Vec<usize> = open
            .iter()
            .copied()
            .filter(|&i| f64::from(weights[i]) * left >= sum)
            .collect();
        if full.is_empty() || open.is_empty() {
            open.iter()
                .for_each(|&i| shares[i] = f64::from(weights[i]) * left / sum);
            return shares;
        }
        for i in full {
            shares[i] = 1.0;
            left -= 1.0;
            open.retain(|&other| other != i);
        }
    }
}

#[test]
fn weights_are_kept_within_5_percent() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(4) as u32;
        let n = cpus as usize + random.below(6) as usize;
        let weights: Vec<u32> = (0..n).map(|_| 64 << random.below(5)).collect();
        let mut world = World::new(cpus, seed);
        weights
            .iter()
            .for_each(|&weight| world.weighted(HOG, weight));
        let time = 5 * SECOND;
        world.run(time);
        for (i, share) in entitled(&weights, cpus).into_iter().enumerate() {
            let got = world.guests[i].used as f64 / time as f64;
            assert!(
                (got - share).abs() <= 0.05 * share.max(0.1),
                "seed {seed}: {cpus} CPUs, weights {weights:?}: {i} got {got:.3}, not {share:.3}"
            );
        }
    }
}

#[test]
fn caps_are_kept_within_5_percent() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(4) as u32;
        let mut world = World::new(cpus, seed);
        let cap = 10 + random.below(u64::from(cpus) * 60) as u32;
        let share = Arc::new(Share::new(256, cap));
        let all = world.policy.group;
        let vcpus = cap.div_ceil(100) as usize + random.below(2) as usize;
        (0..vcpus).for_each(|_| world.add(HOG, &share, all));
        let rivals = random.below(3);
        (0..rivals).for_each(|_| world.weighted(HOG, 64));
        let time = 3 * SECOND;
        world.run(time);
        let used: u64 = world.guests[..vcpus].iter().map(|guest| guest.used).sum();
        let got = used as f64 / time as f64 * 100.0;
        let cap = f64::from(cap);
        assert!(got <= cap * 1.05, "seed {seed}: used {got:.1} % of {cap} %");
        if rivals == 0 {
            assert!(got >= cap * 0.95, "seed {seed}: got {got:.1} % of {cap} %");
        }
    }
}

#[test]
fn nobody_starves_and_no_wake_up_is_lost() {
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(4) as u32;
        let mut world = World::new(cpus, seed);
        let all = world.policy.group;
        let n = 1 + random.below(10);
        let capped = Arc::new(Share::new(256, 30 + random.below(100) as u32));
        for _ in 0..n {
            let habit = match random.below(3) {
                0 => HOG,
                1 => Habit {
                    burst: 2 * MS,
                    rest: 5 * MS,
                    random: true,
                },
                _ => Habit {
                    burst: 100_000,
                    rest: MS,
                    random: true,
                },
            };
            let hard = match random.below(3) {
                0 => CpuMask::one(random.below(u64::from(cpus)) as u32),
                _ => all,
            };
            if random.below(8) == 0 {
                world.add(habit, &capped, hard);
            } else {
                world.add(
                    habit,
                    &Arc::new(Share::new(128 << random.below(3), 0)),
                    hard,
                );
            }
        }
        for _ in 0..20 {
            world.run(30 * MS);
            // Somebody is moved about.
            let unit = random.below(n) as usize;
            let hard = match random.below(2) {
                0 => CpuMask::one(random.below(u64::from(cpus)) as u32),
                _ => all,
            };
            world.guests[unit].hard = hard;
            let now = world.now;
            if let Some(cpu) = world.policy.set_affinity(unit as Slot, hard, all, now) {
                world.tell(cpu);
            }
            world.check();
        }
        for (i, guest) in world.guests.iter().enumerate() {
            assert!(guest.used > 0, "seed {seed}: {i} never ran");
            // At most ten others, each with a turn or two, and a weight of four to one.
            let wait = guest.longest_wait / MS;
            assert!(wait < 1000, "seed {seed}: {i} waited {wait} ms");
        }
    }
}

#[test]
fn who_sleeps_much_is_served_soon() {
    for seed in 0..200 {
        let mut world = World::new(1 + seed as u32 % 2, seed);
        (0..4).for_each(|_| world.weighted(HOG, 256));
        world.weighted(
            Habit {
                burst: 200_000,
                rest: 10 * MS,
                random: true,
            },
            256,
        );
        // At first all have just woken.
        world.run(SECOND);
        world.guests[4].longest_latency = 0;
        world.run(2 * SECOND);
        let latency = world.guests[4].longest_latency;
        assert!(latency <= 4 * MS, "seed {seed}: {latency} ns");
    }
}

#[test]
fn turns_are_not_short() {
    let mut world = World::new(2, 1);
    (0..4).for_each(|_| world.weighted(HOG, 256));
    world.run(10 * SECOND);
    // 20 s of CPU time.
    assert!(world.turns < 20 * 250, "{} turns", world.turns);
    assert!(
        world.moves < world.turns / 4,
        "{} moves in {} turns",
        world.moves,
        world.turns
    );
}

#[test]
fn nobody_is_lost_while_cpus_come_and_go() {
    use super::super::policy::RealTime;
    use super::super::sim::Sim;
    let check = |sim: &Sim<Credit2>| {
        let idle = sim.idle();
        for unit in sim.ready() {
            let state = sim.policy.entry(unit as Slot).unwrap().state;
            assert_eq!(state, State::Waiting);
            let beside = idle.intersect(&sim.guests[unit].hard);
            assert!(beside.is_empty(), "unit {unit} waits beside an idle CPU");
        }
    };
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(5) as u32;
        let policy = Credit2::new(cpus, Arc::default()).unwrap();
        let mut sim = Sim::new(policy, cpus, seed);
        let all = sim.there;
        let n = 1 + random.below(8);
        for _ in 0..n {
            let rest = random.below(2) * 5 * MS;
            sim.add(2 * MS, rest, all, RealTime::default());
        }
        for _ in 0..30 {
            sim.run(5 * MS, check);
            let (cpu, unit) = (random.below(cpus.into()) as u32, random.below(n));
            match random.below(4) {
                0 if cpu != 0 && sim.there.contains(cpu) => sim.remove_cpu(cpu),
                0 | 1 if !sim.there.contains(cpu) => sim.add_cpu(cpu),
                2 => sim.set_affinity(unit as usize, all),
                _ => {
                    let mut some = CpuMask::one(0);
                    some.set(cpu);
                    sim.set_affinity(unit as usize, some);
                }
            }
            check(&sim);
        }
        // Whoever always could run did, within turns of all others.
        sim.guests
            .iter_mut()
            .for_each(|guest| guest.longest_wait = 0);
        sim.run(300 * MS, check);
        for guest in &sim.guests {
            let wait = guest.longest_wait / MS;
            assert!(wait < 150, "seed {seed}: somebody waited {wait} ms");
        }
    }
}
