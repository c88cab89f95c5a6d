//! A whole machine with a control domain and two others, and the run of a script on it.
//!
//! A run goes in rounds. In a round the CPUs are interleaved by the seed until so many steps of
//! guests were made; then every vCPU is parked where its kernel would take its next step, all
//! CPUs are idle, and the judge looks at everything. Whatever the judge or the machine's own
//! watchers find wrong is a panic; [`super::session`] catches it.

extern crate std;

use super::judge;
use super::layout::*;
use super::play::{Play, Shared};
use super::script::Script;
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::pv::context;
use crate::testing;
use crate::xsm::Policy;
use alloc::sync::Arc;
use alloc::vec::Vec;

use core::sync::atomic::{AtomicU64, Ordering};
use machine::arch::sim::SimMachine;
use machine::{Cpu, Mfn};
use std::sync::Mutex;

/// Frames of the machine.
const RAM: usize = 1024;
/// Rounds of a run at most.
const ROUNDS: u32 = 4000;
/// Steps between two looks at everything: one takes longer than a short round itself.
const FULL_LOOK: u64 = 500;
/// A CPU's turns without a step of any guest, after which a round ends.
const QUIET: u32 = 40;

/// The world of one run.
pub struct World {
    /// The machine.
    pub machine: SimMachine,
    /// The hypervisor.
    pub hv: Arc<Hypervisor>,
    /// What guests do and did.
    pub play: Shared,
    /// Frames that the heap had when nothing was made yet.
    pub free_at_first: u64,
    /// Timers that were overdue at the last look.
    pub overdue: Mutex<judge::Overdue>,
    /// Steps done when everything was looked at last.
    looked: AtomicU64,
}

impl World {
    /// The domains, built and ready to run.
    pub fn new(script: &Script) -> World {
        let cpus = usize::from(script.setting.cpus.clamp(1, 8));
        let machine = SimMachine::new(RAM, cpus);
        let hv = Arc::new(testing::hypervisor_with_map(machine, Policy::Dummy));
        let free_at_first = hv.heap.lock().free_frames();
        machine
            .set_patience((script.setting.patience != 0).then(|| script.setting.patience.into()));
        let play = Arc::new(Mutex::new(Play::new(machine, hv.clone(), script)));
        let world = World {
            machine,
            hv,
            play,
            free_at_first,
            overdue: Mutex::default(),
            looked: AtomicU64::new(0),
        };
        for slot in 0..SLOTS {
            world.domain(slot);
        }
        let shared = world.play.clone();
        machine.program_elsewhere(move |g| super::play::next(&shared, g));
        world
    }

    fn domain(&self, slot: u8) {
        let hv = &*self.hv;
        let id = u16::from(slot);
        let fresh = || hv.alloc_block(0).unwrap().into_page(true).unwrap();
        let shared = fresh();
        shared.info().set_owner(id.into());
        let dom = Domain::new(id, slot == 0, VCPUS.into(), 256, shared).unwrap();
        assert!(hv.domains.insert(dom.clone()));
        let frames: Vec<u64> = (0..FRAMES)
            .map(|_| {
                dom.pages.reserve(1).unwrap();
                dom.pages.assign(hv.mem, id.into(), fresh()).unwrap().0
            })
            .collect();
        assert!(furnish(hv.mem, id.into(), &frames));
        let root = frames[usize::from(FIRST_TABLE)];
        super::play::lock(&self.play).frames[usize::from(slot)] = frames;
        let mut cpu = self.machine.cpu(0);
        for number in 0..VCPUS {
            let place = u32::from(number) % hv.cpus;
            let vcpu = Vcpu::new(&dom, number.into(), place).unwrap();
            dom.vcpus[usize::from(number)].call_once(|| vcpu.clone());
            let ctx = super::layout::context(number, root);
            let mut state = vcpu.state.lock();
            while context::set(hv, &mut cpu, &dom, &mut state, &ctx).is_err() {}
            drop(state);
            vcpu.sched.initialised.store(true, Ordering::SeqCst);
            hv.sched.set_online(&cpu, &dom, &vcpu, true);
        }
    }

    /// All domains, dying ones among them.
    pub fn domains(&self) -> Vec<Arc<Domain>> {
        super::play::domains(&self.hv)
    }

    /// Runs the script to its end, and everything down.
    pub fn run(&self) {
        let (seed, round_steps) = {
            let play = super::play::lock(&self.play);
            (play.setting.seed, play.setting.round)
        };
        judge::check(self, true);
        let mut idle = 0;
        for round in 0..ROUNDS {
            let seed = seed.wrapping_add(u64::from(round) << 32);
            idle = if self.round(seed, round_steps) {
                0
            } else {
                idle + 1
            };
            if idle == 3 || !super::play::lock(&self.play).has_more() {
                break;
            }
        }
        judge::check(self, true);
        self.take_down();
    }

    /// One round. `false` when no guest did anything.
    fn round(&self, seed: u64, steps: u32) -> bool {
        self.prepare(steps);
        let before = super::play::lock(&self.play).done;
        self.machine.run(seed, |mut cpu| self.cpu_main(&mut cpu));
        let late = self.muster();
        let after = super::play::lock(&self.play).done;
        let all = after - self.looked.load(Ordering::Relaxed) >= FULL_LOOK;
        if all {
            self.looked.store(after, Ordering::Relaxed);
        }
        judge::check(self, all);
        assert!(
            late.is_empty(),
            "vCPUs that can run were found by no CPU: {late:?}"
        );
        after != before
    }

    fn prepare(&self, steps: u32) {
        let cpu = self.machine.cpu(0);
        let domains = self.domains();
        let (parked, idle) = {
            let mut play = super::play::lock(&self.play);
            play.begin_round(&domains, steps);
            let idle = play.round_steps() == 0;
            (core::mem::take(&mut play.parked), idle)
        };
        for vcpu in parked {
            vcpu.sched.pause_count.fetch_sub(1, Ordering::SeqCst);
            if let Some(dom) = vcpu.domain.upgrade()
                && !dom.dying.load(Ordering::SeqCst)
            {
                self.hv.sched.update(&cpu, &dom, &vcpu);
            }
        }
        // Nothing would come to wake them: so that the script goes on.
        if idle || self.hv.cpus == 0 {
            for dom in domains
                .iter()
                .filter(|dom| !dom.dying.load(Ordering::SeqCst))
            {
                for vcpu in dom.all_vcpus() {
                    self.hv.sched.wake(&cpu, dom, vcpu);
                }
            }
        }
    }

    /// What a CPU does in a round: turns, until the round ends; then it gives up what it would
    /// run next.
    fn cpu_main(&self, cpu: &mut Cpu) {
        let hv = &*self.hv;
        let (mut quiet, mut seen) = (0, 0);
        loop {
            let (stop, done) = {
                let play = super::play::lock(&self.play);
                (play.stop, play.done)
            };
            if stop {
                break;
            }
            quiet = if done == seen { quiet + 1 } else { 0 };
            seen = done;
            if quiet > QUIET {
                super::play::lock(&self.play).stop = true;
                break;
            }
            crate::run::step(cpu, hv);
        }
        self.give_up(cpu);
    }

    /// Parks whatever this CPU would run.
    fn give_up(&self, cpu: &mut Cpu) -> Vec<(u16, u32)> {
        let mut found = Vec::new();
        while let Some(vcpu) = self.hv.sched.next(&self.hv, cpu) {
            vcpu.sched.pause_count.fetch_add(1, Ordering::SeqCst);
            found.push((vcpu.domid, vcpu.id));
            super::play::lock(&self.play).parked.push(vcpu);
        }
        found
    }

    /// After a round, when all CPUs have come to rest: parks who can still run. Those whom no
    /// CPU would have found.
    fn muster(&self) -> Vec<(u16, u32)> {
        for id in 0..self.hv.cpus {
            let mut cpu = self.machine.cpu(id);
            self.give_up(&mut cpu);
            self.hv.reap();
            crate::domain::bury(&self.hv, &cpu);
        }
        super::play::lock(&self.play).forget_gone();
        self.hv.reap();
        // A CPU may only have let go of one for another.
        for id in 0..self.hv.cpus {
            let mut cpu = self.machine.cpu(id);
            self.give_up(&mut cpu);
        }
        let domains = self.domains();
        let parked: Vec<*const Vcpu> = super::play::lock(&self.play)
            .parked
            .iter()
            .map(Arc::as_ptr)
            .collect();
        for vcpu in domains.iter().flat_map(|dom| dom.all_vcpus()) {
            let ours = parked.iter().filter(|at| **at == Arc::as_ptr(vcpu)).count();
            let paused = vcpu.sched.pause_count.load(Ordering::SeqCst) as usize;
            assert!(
                paused == ours,
                "d{}v{} is paused {paused} times, {ours} of them for the round's end",
                vcpu.domid,
                vcpu.id
            );
        }
        let all = domains
            .iter()
            .filter(|dom| !dom.dying.load(Ordering::SeqCst))
            .filter(|dom| self.hv.sched.shares_time(dom))
            .flat_map(|dom| dom.all_vcpus().map(move |vcpu| (dom, vcpu)));
        all.filter(|(dom, vcpu)| vcpu.sched.can_run(dom))
            .map(|(_, vcpu)| (vcpu.domid, vcpu.id))
            .collect()
    }

    /// Ends all domains but the control domain and looks at what is left.
    fn take_down(&self) {
        self.machine.set_patience(None);
        let mut cpu = self.machine.cpu(0);
        let domains = self.domains();
        // What the control domain holds of others it lets go of when it ends.
        for dom in domains.iter().rev() {
            for _ in 0..10_000 {
                if Domain::destroy(&self.hv, &mut cpu, dom) {
                    break;
                }
            }
            assert!(
                dom.dead.load(Ordering::SeqCst),
                "domain {} does not come to its end",
                dom.id
            );
        }
        super::play::lock(&self.play).forget_domains();
        drop(domains);
        self.hv.reap();
        crate::domain::bury(&self.hv, &cpu);
        drop(cpu);
        let left = self.domains();
        let ids: Vec<u16> = left.iter().map(|dom| dom.id).collect();
        if !ids.is_empty() {
            judge::check(self, true);
        }
        assert!(ids.is_empty(), "domains {ids:?} are still there at the end");
        self.hv.reap();
        let free = self.hv.heap.lock().free_frames();
        let first = self.free_at_first;
        assert!(
            free == first,
            "{} of {first} frames did not come back: {:x?}",
            first - free,
            self.lost().get(..8.min(self.lost().len()))
        );
        judge::count(judge::Kind::End);
    }

    /// Frames with references.
    fn lost(&self) -> Vec<(u64, u32, u64)> {
        (0..self.hv.mem.max_mfn().0)
            .filter_map(|mfn| Some((mfn, self.hv.mem.frame(Mfn(mfn))?)))
            .filter(|(_, info)| info.count() != 0)
            .map(|(mfn, info)| (mfn, info.owner(), info.count()))
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        super::play::lock(&self.play).forget_domains();
    }
}
