//! Who has a CPU keeps it, and who can run and has one runs.

use super::super::policy::RealTime;
use super::super::sim::{MS, Random, Sim};
use super::*;

/// Whoever can run does, if the CPU that he has is not just left by another; whoever has none
/// finds none free.
fn check(sim: &Sim<Null>) {
    for unit in sim.ready() {
        let entry = sim.policy.entry(unit as Slot).unwrap();
        assert!(entry.awake && !entry.running);
        assert!(entry.cpu.is_none(), "unit {unit} does not run on its CPU");
        let may = sim.there.intersect(&sim.guests[unit].hard);
        let free = may.iter().find(|&cpu| sim.policy.turn(cpu).owner.is_none());
        assert!(free.is_none(), "unit {unit} waits beside a free CPU");
    }
}

#[test]
fn each_has_a_cpu_of_its_own() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let cpus = 1 + random.below(5) as u32;
        let mut sim = Sim::new(Null::new(cpus).unwrap(), cpus, seed);
        let all = sim.there;
        let n = 1 + random.below(u64::from(cpus) + 2);
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
                _ => sim.set_affinity(unit as usize, CpuMask::one(cpu)),
            }
            check(&sim);
        }
    }
}

#[test]
fn whoever_computes_has_all_of_its_cpu() {
    let mut sim = Sim::new(Null::new(2).unwrap(), 2, 1);
    let all = sim.there;
    for _ in 0..3 {
        sim.add(u64::MAX, 0, all, RealTime::default());
    }
    sim.run(10 * MS, check);
    sim.guests.iter_mut().for_each(|guest| guest.used = 0);
    sim.run(100 * MS, check);
    let mut used: Vec<u64> = sim.guests.iter().map(|guest| guest.used).collect();
    used.sort_unstable();
    assert_eq!(used, [0, 100 * MS, 100 * MS]);
    // The one that goes makes room for the one that waited.
    let first = sim.cpus[0].0.unwrap();
    sim.set_affinity(first, CpuMask::EMPTY);
    sim.run(100 * MS, |_| {});
    assert!(sim.guests.iter().all(|guest| guest.used >= 100 * MS));
}
