//! Budgets are kept, deadlines met where they can be, and nobody is forgotten while CPUs, units
//! and affinities change.

use super::super::sim::{MS, Random, Sim};
use super::*;

fn real_time(period_ms: u64, budget_ms: u64, extra: bool) -> RealTime {
    RealTime {
        period_ns: period_ms * MS,
        budget_ns: budget_ms * MS,
        extra,
    }
}

/// Nobody waits beside an idle CPU, nor behind one who comes after him.
fn check(sim: &Sim<Rtds>) {
    let idle = sim.idle();
    let mut waiting = 0;
    for unit in sim.ready() {
        let entry = sim.policy.entry(unit as Slot).unwrap();
        match entry.state {
            State::Waiting => {
                waiting += 1;
                let beside = idle.intersect(&sim.guests[unit].hard);
                assert!(beside.is_empty(), "unit {unit} waits beside an idle CPU");
            }
            State::Used => {
                assert!(!entry.unit.real_time.extra);
                assert!(sim.now <= entry.deadline, "unit {unit} is forgotten");
            }
            state => panic!("unit {unit} is ready and {state:?}"),
        }
    }
    assert_eq!(waiting, sim.policy.waiting());
}

#[test]
fn budgets_are_kept_and_no_more() {
    let mut kept = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(4) as u32;
        let mut sim = Sim::new(Rtds::new(cpus).unwrap(), cpus, seed);
        let all = sim.there;
        // On each CPU's worth at most 90 % is promised, in equal periods.
        let mut budgets = Vec::new();
        for _ in 0..cpus {
            let mut left = 9;
            while left > 1 {
                let budget = 1 + random.below(left);
                left -= budget;
                budgets.push(budget);
            }
        }
        // What the earliest deadline first promises on several CPUs (Goossens, Funk, Baruah).
        let heaviest = budgets.iter().copied().max().unwrap_or(0);
        let sum: u64 = budgets.iter().sum();
        let promised = sum <= 10 * u64::from(cpus) - u64::from(cpus - 1) * heaviest;
        kept += u32::from(promised);
        for &budget in &budgets {
            sim.add(u64::MAX, 0, all, real_time(10, budget, false));
        }
        sim.run(20 * MS, check);
        sim.guests.iter_mut().for_each(|guest| guest.used = 0);
        sim.run(1000 * MS, check);
        for (unit, &budget) in budgets.iter().enumerate() {
            let used = sim.guests[unit].used;
            let most = (budget * 101) * MS;
            assert!(used <= most, "seed {seed}: {unit} used {used} of {most}");
            let least = budget * 99 * MS;
            assert!(
                !promised || used >= least,
                "seed {seed}: {unit} got {used} of {least}"
            );
        }
    }
    assert!(kept > 50, "{kept} cases that promise anything");
}

#[test]
fn what_is_left_goes_to_those_who_may_have_it() {
    for seed in 0..100 {
        let mut sim = Sim::new(Rtds::new(1).unwrap(), 1, seed);
        let all = sim.there;
        sim.add(u64::MAX, 0, all, real_time(10, 2, false));
        sim.add(u64::MAX, 0, all, real_time(10, 2, true));
        sim.add(u64::MAX, 0, all, real_time(10, 2, true));
        sim.run(20 * MS, check);
        sim.guests.iter_mut().for_each(|guest| guest.used = 0);
        sim.run(1000 * MS, check);
        let used: Vec<u64> = sim.guests.iter().map(|guest| guest.used / MS).collect();
        assert!(used.iter().sum::<u64>() >= 997, "seed {seed}: {used:?}");
        assert!(used[0] <= 202, "seed {seed}: {used:?}");
        assert!(used[1] >= 300 && used[2] >= 300, "seed {seed}: {used:?}");
    }
}

#[test]
fn nobody_is_forgotten_whatever_changes() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(4) as u32;
        let mut sim = Sim::new(Rtds::new(cpus).unwrap(), cpus, seed);
        let all = sim.there;
        let n = 1 + random.below(8);
        for _ in 0..n {
            let period = 1 + random.below(20);
            let budget = 1 + random.below(period);
            let extra = random.below(2) == 0;
            let rest = random.below(2) * 5 * MS;
            sim.add(2 * MS, rest, all, real_time(period, budget, extra));
        }
        for _ in 0..30 {
            sim.run(5 * MS, check);
            let (cpu, unit) = (random.below(cpus.into()) as u32, random.below(n));
            match random.below(4) {
                0 if cpu != 0 && sim.there.contains(cpu) => sim.remove_cpu(cpu),
                0 | 1 if !sim.there.contains(cpu) => sim.add_cpu(cpu),
                2 => sim.set_affinity(unit as usize, all),
                3 => {
                    let mut some = CpuMask::one(0);
                    some.set(cpu);
                    sim.set_affinity(unit as usize, some);
                }
                _ => {
                    let period = 1 + random.below(20);
                    let to = real_time(period, 1 + random.below(period), true);
                    let told = sim.policy.set_real_time(unit as Slot, to, sim.now);
                    told.into_iter().for_each(|cpu| sim.told(cpu));
                }
            }
            check(&sim);
        }
    }
}
