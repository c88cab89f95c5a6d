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
                "all CPUs idle, and tokens left: {:?}",
                self.tokens
            );
        }
        (0..hv.cpus)
            .filter(|&other| other != cpu.id())
            .for_each(|other| cpu.kick(other));
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

    /// Gives a token to somebody, and now and then pauses or moves somebody else.
    fn pass(&self, cpu: &mut Cpu) {
        let (hv, dom) = (self.world.hv, &self.domain.dom);
        self.passed.fetch_add(1, Ordering::SeqCst);
        let n = self.tokens.len() as u64;
        let to = self.random(n) as u32;
        self.tokens[to as usize].fetch_add(1, Ordering::SeqCst);
        hv.sched.notify(cpu, dom, dom.vcpu(to).unwrap());
        let other = dom.vcpu(self.random(n) as u32).unwrap();
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
                hv.sched
                    .set_affinity(cpu, dom, other, &one, &hv.all_cpus())
                    .unwrap();
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
    let world = World::new(cpus);
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
        random: Lock::new(u8::MAX, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
    };
    world.machine.run(seed, |cpu| ring.drive(cpu));
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
