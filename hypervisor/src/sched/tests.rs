//! The scheduler on the simulated machine: CPUs interleaved by a seed pass tokens between
//! vCPUs that block, yield, poll, are paused and are moved about. No wake-up is lost, no vCPU
//! runs twice at once.

extern crate std;

use super::*;
use crate::testing::{TestDomain, World};
use crate::time;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use machine::cpu::Interrupt;
use machine::{CpuMask, Lock};

struct Ring<'a> {
    world: World,
    domain: &'a TestDomain,
    /// Tokens that each vCPU has, and how many were passed on in all.
    tokens: Vec<AtomicU32>,
    passed: AtomicU64,
    enough: u64,
    /// Each on a CPU just now.
    busy: Vec<AtomicBool>,
    /// Pools there are; with more than one, CPUs and the domain change pools.
    pools: u32,
    random: Lock<u64>,
}

impl Ring<'_> {
    fn random(&self, below: u64) -> u64 {
        let mut state = self.random.lock();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 9) % below
    }

    fn done(&self) -> bool {
        self.passed.load(Ordering::SeqCst) >= self.enough
    }

    /// What a CPU does all the time.
    fn drive(&self, mut cpu: Cpu) {
        let hv = self.world.hv;
        if cpu.id() == 0 {
            for vcpu in self.domain.dom.all_vcpus() {
                hv.sched.set_online(&cpu, &self.domain.dom, vcpu, true);
            }
        }
        let mut quiet = 0;
        while !self.done() {
            time::run_timers(hv, &mut cpu);
            match hv.sched.next(hv, &mut cpu) {
                Some(vcpu) => {
                    quiet = 0;
                    self.act(&mut cpu, &vcpu);
                }
                None => match cpu.idle() {
                    Some(vector) => self.interrupt(&mut cpu, vector),
                    // Nobody is busy; but others may be about to take a kick.
                    None => quiet += 1,
                },
            }
            assert!(
                quiet < 1000,
                "all CPUs idle, and tokens left: {:?}\n{}",
                self.tokens,
                self.standing()
            );
        }
        (0..hv.cpus)
            .filter(|&other| other != cpu.id())
            .for_each(|other| cpu.kick(other));
    }

    /// Where everybody is, for a failure.
    fn standing(&self) -> std::string::String {
        let sched = &self.world.hv.sched;
        let mut text = std::string::String::new();
        for vcpu in self.domain.dom.all_vcpus() {
            let (sched, cpu) = (&vcpu.sched, vcpu.sched.cpu.load(Ordering::Relaxed));
            text += &std::format!(
                "v{} group {} slot {} CPU {cpu} running {} blocked {} displaced {} may {:?}\n",
                vcpu.id,
                sched.group.load(Ordering::Relaxed),
                sched.slot.load(Ordering::Relaxed),
                sched.is_running(),
                sched.is_blocked(),
                sched.displaced.load(Ordering::Relaxed),
                sched
                    .may()
                    .iter()
                    .filter(|&cpu| cpu < 64)
                    .collect::<Vec<_>>(),
            );
        }
        for (cpu, place) in (0..).zip(&sched.places) {
            let place = place.load(Ordering::Relaxed);
            let queue = sched
                .groups
                .get(place as usize)
                .map(|group| group.queue.lock());
            text += &std::format!(
                "CPU {cpu} group {} kicked {} runs {:?} end {:?}\n",
                place as i32,
                self.world.machine.is_kicked(cpu),
                queue
                    .as_ref()
                    .and_then(|queue| queue.runs(cpu))
                    .map(|vcpu| vcpu.id),
                queue.as_ref().map(|queue| queue.policy.turn_end(cpu)),
            );
        }
        let pool = self.domain.dom.cpupool.load(Ordering::Relaxed);
        text += &std::format!("the domain is in pool {pool}\n");
        for (index, group) in sched.groups.iter().enumerate() {
            text += &std::format!(
                "group {index}: pool {} CPUs {:?} waiting {}\n",
                group.pool.load(Ordering::Relaxed) as i32,
                group.mask.load().iter().collect::<Vec<_>>(),
                group.waiting.load(Ordering::Relaxed),
            );
        }
        text
    }

    fn interrupt(&self, cpu: &mut Cpu, vector: u8) {
        match cpu.ack(vector) {
            Interrupt::Timer => time::timer_interrupt(self.world.hv, cpu),
            Interrupt::Kick => kicked(self.world.hv, cpu),
            _ => false,
        };
    }

    /// A vCPU's turn.
    fn act(&self, cpu: &mut Cpu, vcpu: &Arc<Vcpu>) {
        let (hv, dom) = (self.world.hv, &self.domain.dom);
        let me = vcpu.id as usize;
        assert!(!self.busy[me].swap(true, Ordering::SeqCst), "runs twice");
        let _lease = vcpu.state.try_lock().expect("the lease is free");
        self.world.machine.advance(self.random(100_000));
        loop {
            let token = self.tokens[me]
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if token.is_ok() {
                self.pass(cpu);
            }
            match self.random(4) {
                0 => vcpu.sched.yields.store(true, Ordering::Relaxed),
                1 if self.tokens[me].load(Ordering::SeqCst) != 0 => {}
                _ => {
                    hv.sched.block(vcpu);
                    if self.tokens[me].load(Ordering::SeqCst) != 0 {
                        hv.sched.unblock_self(vcpu);
                    }
                }
            }
            if !hv.sched.stay(hv, cpu, dom, vcpu) || self.done() {
                break;
            }
        }
        hv.sched.leaving(cpu, dom, vcpu);
        self.busy[me].store(false, Ordering::SeqCst);
    }

    /// Now and then, a CPU or the domain goes to another pool.
    fn change_pools(&self, cpu: &Cpu) {
        let (hv, dom) = (self.world.hv, &self.domain.dom);
        let pool = self.random(self.pools.into()) as u32;
        let target = self.random(hv.cpus.into()) as u32;
        match self.random(12) {
            0 | 1 => {
                let _ = hv.sched.remove_cpu(hv, cpu, pool, target);
            }
            2..=4 => {
                let _ = hv.sched.add_cpu(cpu, pool, target);
            }
            5 => {
                let _ = hv.sched.move_domain(cpu, dom, pool);
            }
            _ => {}
        }
    }

    /// Gives a token to somebody, and now and then pauses or moves somebody else.
    fn pass(&self, cpu: &mut Cpu) {
        let (hv, dom) = (self.world.hv, &self.domain.dom);
        self.passed.fetch_add(1, Ordering::SeqCst);
        let n = self.tokens.len() as u64;
        let to = self.random(n) as u32;
        self.tokens[to as usize].fetch_add(1, Ordering::SeqCst);
        hv.sched.notify(cpu, dom, dom.vcpu(to).unwrap());
        let other = dom.vcpu(self.random(n) as u32).unwrap();
        if self.pools > 1 {
            self.change_pools(cpu);
        }
        match self.random(16) {
            0 => {
                other.sched.pause_count.fetch_add(1, Ordering::SeqCst);
                hv.sched.update(cpu, dom, other);
                other.sched.pause_count.fetch_sub(1, Ordering::SeqCst);
                hv.sched.update(cpu, dom, other);
            }
            1 => {
                dom.pause(hv, cpu);
                dom.unpause(hv, cpu);
            }
            2 => {
                let one = CpuMask::one(self.random(hv.cpus.into()) as u32);
                let set = hv.sched.set_affinity(cpu, dom, other, &one, &hv.all_cpus());
                assert!(set.is_ok() || self.pools > 1);
            }
            3 => {
                let all = hv.all_cpus();
                hv.sched.set_affinity(cpu, dom, other, &all, &all).unwrap();
            }
            _ => {}
        }
    }
}

fn pass_tokens(cpus: usize, vcpus: u32, tokens: u32, enough: u64, seed: u64) {
    pass_tokens_in(&[], cpus, vcpus, tokens, enough, seed);
}

/// The same with further pools, of these policies.
fn pass_tokens_in(kinds: &[Kind], cpus: usize, vcpus: u32, tokens: u32, enough: u64, seed: u64) {
    let world = World::new(cpus);
    for kind in kinds {
        world
            .hv
            .sched
            .create_pool(u32::MAX, kind.id())
            .expect("a pool");
    }
    let domain = world.domain(1, false, vcpus);
    let ring = Ring {
        world,
        domain: &domain,
        tokens: (0..vcpus)
            .map(|id| AtomicU32::new(u32::from(id < tokens)))
            .collect(),
        passed: AtomicU64::new(0),
        enough,
        busy: (0..vcpus).map(|_| AtomicBool::new(false)).collect(),
        pools: 1 + kinds.len() as u32,
        random: Lock::new(u8::MAX, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
    };
    world.machine.run(seed, |cpu| ring.drive(cpu));
    check_pools(&world, &domain);
}

/// Each CPU is in one pool or free, and each vCPU known where its domain's pool has a CPU for it.
fn check_pools(world: &World, domain: &TestDomain) {
    let (hv, sched) = (world.hv, &world.hv.sched);
    let mut seen = sched.free_cpus();
    let mut next = 0;
    while let Some(pool) = sched.pool_from(next) {
        next = pool.id + 1;
        assert!(seen.intersect(&pool.cpus).is_empty());
        seen = seen.union(&pool.cpus);
    }
    // But for those that were told to leave and nobody asked again.
    assert!(seen.intersect(&hv.all_cpus()) == seen);
    let pool = sched.pool_of(&domain.dom).unwrap();
    for vcpu in domain.dom.all_vcpus() {
        let (hard, _) = vcpu.sched.affinity();
        assert!(!hard.intersect(&pool.cpus).is_empty());
        let (group, queue) = sched.lock_of(vcpu).unwrap();
        if vcpu.sched.is_running() && !group.fits(pool.id, &hard) {
            // The test ended before its CPU looked again.
            assert!(vcpu.sched.displaced.load(Ordering::Relaxed));
            continue;
        }
        assert!(
            group.fits(pool.id, &hard),
            "v{} is in the wrong group",
            vcpu.id
        );
        let slot = vcpu.sched.slot.load(Ordering::Relaxed);
        assert!(Arc::ptr_eq(queue.vcpu(slot).unwrap(), vcpu));
    }
}

#[test]
fn no_wake_up_is_lost() {
    for seed in 0..150 {
        let cpus = 1 + seed as usize % 4;
        pass_tokens(
            cpus,
            1 + (seed / 4 % 7) as u32,
            1 + (seed % 3) as u32,
            300,
            seed,
        );
    }
}

#[test]
fn nor_between_groups() {
    for seed in 0..4 {
        pass_tokens(GROUP as usize + 2, 30, 20, 1500, seed);
    }
}

#[test]
fn nor_while_cpus_and_domains_change_pools() {
    for seed in 0..300 {
        let cpus = 2 + seed as usize % 4;

        let kinds = [Kind::Credit2, Kind::Rtds];
        let kinds = &kinds[..1 + seed as usize / 4 % 2];
        let vcpus = 1 + (seed / 8 % 7) as u32;
        pass_tokens_in(kinds, cpus, vcpus, 1 + (seed % 3) as u32, 300, seed);
    }
}

#[test]
fn nor_between_groups_of_pools() {
    for seed in 0..4 {
        let kinds = [Kind::Credit2, Kind::Credit2];
        pass_tokens_in(&kinds, GROUP as usize + 4, 30, 20, 1500, seed);
    }
}

/// While others wake a domain's vCPUs, it is stopped and let go: afterwards no queue knows it.
#[test]
fn a_domain_that_is_let_go_leaves_nothing_behind() {
    for seed in 0..200 {
        let world = World::new(3);
        let hv = world.hv;
        let goes = world.domain(1, false, 4);
        let dom = &goes.dom;
        let over = AtomicBool::new(false);
        world.machine.run(seed, |mut cpu| {
            if cpu.id() == 0 {
                for vcpu in dom.all_vcpus() {
                    hv.sched.set_online(&cpu, dom, vcpu, true);
                }
            }
            for round in 0..200 {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let vcpu = dom.vcpu(round % 4).unwrap();
                if let Some(runs) = hv.sched.next(hv, &mut cpu) {
                    hv.sched.block(&runs);
                    hv.sched.leaving(&cpu, dom, &runs);
                }
                match round % 3 {
                    0 => hv.sched.update(&cpu, dom, vcpu),
                    1 => {
                        let one = CpuMask::one(round % 3);
                        let _ = hv.sched.set_affinity(&cpu, dom, vcpu, &one, &one);
                    }
                    _ => hv.sched.wake(&cpu, dom, vcpu),
                }
                if cpu.id() == 0 && round > 20 {
                    if round == 21 {
                        dom.pause(hv, &cpu);
                    }
                    if dom.is_quiescent() {
                        dom.retire(hv, &cpu);
                        over.store(true, Ordering::SeqCst);
                    }
                }
            }
            hv.sched.next(hv, &mut cpu);
        });
        assert!(over.load(Ordering::SeqCst), "seed {seed}");
        for vcpu in dom.all_vcpus() {
            hv.sched.update(&world.machine.cpu(1), dom, vcpu);
            assert_eq!(Arc::strong_count(vcpu), 1, "seed {seed}");
        }
    }
}

#[test]
fn a_lone_vcpu_stays_when_it_yields() {
    let world = World::new(1);
    let domain = world.domain(1, false, 2);
    let (hv, dom) = (world.hv, &domain.dom);
    let mut cpu = world.machine.cpu(0);
    let (a, b) = (dom.vcpu(0).unwrap(), dom.vcpu(1).unwrap());
    hv.sched.set_online(&cpu, dom, a, true);
    let first = hv.sched.next(hv, &mut cpu).unwrap();
    assert!(Arc::ptr_eq(&first, a));
    a.sched.yields.store(true, Ordering::Relaxed);
    assert!(hv.sched.stay(hv, &mut cpu, dom, a));
    // With a second one, the yield lets it go first, and the turn gets an end.
    hv.sched.set_online(&cpu, dom, b, true);
    a.sched.yields.store(true, Ordering::Relaxed);
    assert!(!hv.sched.stay(hv, &mut cpu, dom, a));
    let second = hv.sched.next(hv, &mut cpu).unwrap();
    assert!(Arc::ptr_eq(&second, b));
    let end = world.machine.deadline(0).expect("the turn has an end");
    world.machine.advance(end - world.machine.now());
    assert!(time::timer_interrupt(hv, &mut cpu));
    assert!(!hv.sched.stay(hv, &mut cpu, dom, b));
    assert!(Arc::ptr_eq(&hv.sched.next(hv, &mut cpu).unwrap(), a));
}

#[test]
fn the_account_adds_up() {
    let world = World::new(1);
    let domain = world.domain(1, false, 1);
    let (hv, dom) = (world.hv, &domain.dom);
    let mut cpu = world.machine.cpu(0);
    let vcpu = dom.vcpu(0).unwrap();
    world.machine.advance(5);
    hv.sched.set_online(&cpu, dom, vcpu, true);
    world.machine.advance(10);
    hv.sched.next(hv, &mut cpu).unwrap();
    world.machine.advance(100);
    hv.sched.block(vcpu);
    hv.sched.leaving(&cpu, dom, vcpu);
    assert!(hv.sched.next(hv, &mut cpu).is_none());
    world.machine.advance(1000);
    let info = hv.sched.account(&cpu, vcpu);
    assert_eq!(info.state, RUNSTATE_blocked);
    assert_eq!(info.time, [100, 10, 1000, 5]);
}

/// Many more want to run than there are CPUs, nearly all of them where two CPUs are: they spread
/// over the groups although no CPU is ever idle.
#[test]
fn groups_even_out_who_waits() {
    const CPUS: u32 = GROUP + 2;
    let world = World::new(CPUS as usize);
    let domain = world.domain(1, false, 60);
    let (hv, dom) = (world.hv, &domain.dom);
    let mut few = CpuMask::one(GROUP);
    few.set(GROUP + 1);
    let all = hv.all_cpus();
    for vcpu in dom.all_vcpus() {
        let cpu = world.machine.cpu(0);
        if vcpu.id >= GROUP {
            hv.sched.set_affinity(&cpu, dom, vcpu, &few, &all).unwrap();
        }
        hv.sched.set_online(&cpu, dom, vcpu, true);
        hv.sched.set_affinity(&cpu, dom, vcpu, &all, &all).unwrap();
    }
    let waiting = |group: usize| hv.sched.groups[group].waiting.load(Ordering::Relaxed);
    for _ in 0..600 {
        world.machine.advance(1_000_000);
        for cpu in 0..CPUS {
            let mut cpu = world.machine.cpu(cpu);
            if !cpu.work_pending() || hv.sched.turn_over(hv, &mut cpu) {
                hv.sched.next(hv, &mut cpu);
            }
        }
    }
    assert_eq!(waiting(0) + waiting(1), 60 - CPUS);
    // 42 wait, 16 CPUs to 2.
    assert!(
        (3..=7).contains(&waiting(1)),
        "{} wait for 2 CPUs",
        waiting(1)
    );
    for vcpu in dom.all_vcpus() {
        let cpu = world.machine.cpu(0);
        let ran = hv.sched.account(&cpu, vcpu).time[0];
        assert!(ran > 0, "v{} never ran", vcpu.id);
    }
}
