//! What guests do: takes a vCPU's steps off the script, one each time the machine asks for an
//! operation, and serves exceptions and events as a kernel would.

extern crate std;

mod alarm;
mod perform;
mod returned;

use super::layout::*;
use super::op::Op;
use super::reach::Reach;
use super::resume::{back, from_user};
use super::script::{Script, Setting, Who};
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::arch::sim::{GuestCpu, GuestOp, SimMachine};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xen_abi::hypercall as nr;

/// A [`Play`] that the machine's program and the world have in common.
pub type Shared = Arc<Mutex<Play>>;

/// Its contents, also after a panic.
pub fn lock(play: &Shared) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries of a vCPU in a row without a step, at most.
const SPINS: u32 = 200;

/// How a line of a trace begins that tells what domain 1 learned.
pub const SAW: &str = "  domain 1 saw ";

/// A vCPU's part of the script.
#[derive(Default)]
struct Track {
    steps: VecDeque<Op>,
    /// The call that is under way, and what its kernel put in R15 to know it again: a tool may
    /// set other registers meanwhile.
    pending: Option<(u16, u32, u64)>,
    /// Entries since its last step.
    spins: u32,
    /// Calls of its kernel that a user made in a row.
    asked: u32,
    /// The domain whose vCPU this is, by the number that no other has.
    of: u64,
    /// What its kernel knows of its timer.
    alarm: alarm::Alarm,
    /// What interrupted page-table calls left was worked off, in this round.
    settled: bool,
}

/// What becomes of lines that tell what happens.
#[derive(Debug, Default)]
pub enum Trace {
    /// There are none.
    #[default]
    No,
    /// They are kept.
    Kept(Vec<String>),
    /// They are printed at once.
    Said,
}

impl Trace {
    fn note(&mut self, line: impl FnOnce() -> String) {
        match self {
            Trace::No => {}
            Trace::Kept(lines) => lines.push(line()),
            Trace::Said => std::eprintln!("{}", line()),
        }
    }
}

/// The state of a run.
pub struct Play {
    /// The machine.
    pub setting: Setting,
    machine: SimMachine,
    hv: Arc<Hypervisor>,
    tracks: Vec<Track>,
    /// Each slot's frames by number, as its builder knows them.
    pub frames: Vec<Vec<u64>>,
    special: Vec<[u64; 2]>,
    /// The domains whose those are, by the number that no other has.
    special_of: Vec<u64>,
    known: Vec<Arc<Vcpu>>,
    /// A domain that is to be furnished.
    wanted: Option<u8>,
    /// Steps done.
    pub done: u64,
    until: u64,
    begun: u64,
    last_round: u64,
    /// The round ends.
    pub stop: bool,
    /// vCPUs that wait for the next round, each with one pause of ours.
    pub parked: Vec<Arc<Vcpu>>,
    /// What was reached.
    pub reach: Reach,
    /// What becomes of the line about each step.
    pub trace: Trace,
    /// What domain 1 saw, summed up.
    pub seen: u64,
    /// All steps, when they were made and what calls answered, summed up.
    pub sum: u64,
}

impl Play {
    /// The start of a run.
    pub fn new(machine: SimMachine, hv: Arc<Hypervisor>, script: &Script) -> Play {
        let mut tracks: Vec<Track> = Who::all().map(|_| Track::default()).collect();
        for (who, op) in &script.steps {
            tracks[who.index()].steps.push_back(op.clone());
        }
        Play {
            setting: script.setting,
            machine,
            hv,
            tracks,
            frames: alloc::vec![Vec::new(); SLOTS.into()],
            special: alloc::vec![[0; 2]; SLOTS.into()],
            special_of: alloc::vec![0; SLOTS.into()],
            known: Vec::new(),
            wanted: None,
            done: 0,
            until: 0,
            begun: 0,
            last_round: 1,
            stop: false,
            parked: Vec::new(),
            reach: Reach::default(),
            trace: Trace::No,
            seen: 0,
            sum: 0,
        }
    }

    /// Lets guests do `steps` steps more.
    pub fn begin_round(&mut self, domains: &[Arc<Domain>], steps: u32) {
        self.last_round = self.done - self.begun;
        self.begun = self.done;
        self.until = self.done + u64::from(steps);
        self.stop = false;
        self.tracks
            .iter_mut()
            .for_each(|track| track.settled = false);
        for dom in domains.iter().filter(|dom| dom.id < SLOTS.into()) {
            let slot = usize::from(dom.id);
            let grants = dom
                .grants
                .table
                .lock()
                .frame(0)
                .map_or(0, |page| page.mfn().0);
            self.special[slot] = [dom.shared_info.mfn().0, grants];
            self.special_of[slot] = dom.unique_id.load(Ordering::Relaxed);
            self.note_frames(dom);
        }
        let _ = self.know(domains);
    }

    /// Steps of the round before.
    pub fn round_steps(&self) -> u64 {
        self.last_round
    }

    /// Whether a script has more steps.
    pub fn has_more(&self) -> bool {
        self.tracks.iter().any(|track| !track.steps.is_empty())
    }

    /// Steps that are left of each vCPU's.
    pub fn left(&self) -> Vec<usize> {
        self.tracks.iter().map(|track| track.steps.len()).collect()
    }

    /// Lets go of vCPUs of domains that are no more.
    pub fn forget_gone(&mut self) {
        self.known.clear();
        self.parked.retain(|vcpu| vcpu.domain.upgrade().is_some());
    }

    /// Lets go of everything of domains'.
    pub fn forget_domains(&mut self) {
        self.known.clear();
        self.parked.clear();
    }

    /// Frames that the domain came to since it was built stand behind the others.
    fn note_frames(&mut self, dom: &Domain) {
        let frames = &mut self.frames[usize::from(dom.id)];
        frames.truncate(FRAMES.into());
        let (mut at, mut look) = (dom.pages.first(), 0);
        while let Some(mfn) = at.filter(|_| look < 64) {
            if !frames.contains(&mfn.0) {
                frames.push(mfn.0);
            }
            look += 1;
            at = dom.pages.next(self.hv.mem, mfn);
        }
    }

    /// Gives back those known before: the last of somebody is not to be dropped in the lock.
    fn know(&mut self, domains: &[Arc<Domain>]) -> Vec<Arc<Vcpu>> {
        let all = domains.iter().flat_map(|dom| dom.all_vcpus().cloned());
        core::mem::replace(&mut self.known, all.collect())
    }

    /// The vCPU that runs on a CPU.
    fn on(&mut self, cpu: u32) -> Option<Arc<Vcpu>> {
        let here =
            |v: &&Arc<Vcpu>| v.sched.is_running() && v.sched.cpu.load(Ordering::Relaxed) == cpu;
        self.known.iter().find(here).cloned()
    }

    /// The vCPU waits for the next round.
    fn park(&mut self, g: &GuestCpu<'_>, vcpu: &Arc<Vcpu>) -> GuestOp {
        vcpu.sched.pause_count.fetch_add(1, Ordering::SeqCst);
        self.parked.push(vcpu.clone());
        self.machine.kick(g.cpu);
        GuestOp::Work { ns: 1 }
    }

    /// Domain 1 learned `value`.
    fn see(&mut self, value: u64) {
        self.seen = mixed(self.seen, value);
        self.trace.note(|| alloc::format!("{SAW}{value:#x}"));
    }

    fn step(&mut self, g: &mut GuestCpu<'_>, vcpu: &Arc<Vcpu>) -> GuestOp {
        let who = Who {
            slot: vcpu.domid.min(255) as u8,
            vcpu: vcpu.id.min(255) as u8,
        };
        if who.slot >= SLOTS || who.vcpu >= VCPUS {
            return self.park(g, vcpu);
        }
        // A call of a domain that went does not return in the next one of its id.
        let dom = vcpu.domain.upgrade();
        let of = dom
            .as_ref()
            .map_or(0, |dom| dom.unique_id.load(Ordering::Relaxed));
        let track = &mut self.tracks[who.index()];
        if track.of != of {
            (track.of, track.pending) = (of, None);
            track.alarm = alarm::Alarm::default();
        }
        if let Some(dom) = dom.filter(|dom| !dom.dying.load(Ordering::SeqCst)) {
            // Other CPUs may have gone on since the guest was asked.
            let now = self.machine.now();
            self.look_at_alarms(&dom, now);
        }
        // A guest that only answers its own events, say: it goes on in the next round.
        let track = &mut self.tracks[who.index()];
        track.spins += 1;
        if track.spins > SPINS {
            track.spins = 0;
            return self.park(g, vcpu);
        }
        match g.regs.rip {
            EVENT => {
                if from_user(g) {
                    // Its user's call, not answered by the hypervisor.
                    self.forget_call(who);
                }
                return back(g, vcpu, None);
            }
            HANDLER | SYSCALL => {
                self.forget_call(who);
                return back(g, vcpu, Some(stack(who.vcpu)));
            }
            USER => {}
            PROGRAM => self.returned(g, who),
            _ => {
                self.forget_call(who);
                g.regs.rip = PROGRAM;
            }
        }
        let track = &mut self.tracks[who.index()];
        if !self.stop && !track.steps.is_empty() && g.regs.rip == PROGRAM {
            track.spins = 0;
        }
        if g.regs.rip == USER {
            // A user reads, writes, and calls its kernel.
            return match track.steps.front() {
                Some(Op::Read(_) | Op::Write(..) | Op::Fetch(_)) if !self.stop => {
                    let op = track.steps.pop_front().unwrap_or(Op::Work(1));
                    self.count();
                    self.perform(g, who, &op)
                }
                // A kernel that does not answer, or that itself ran into its users' code.
                _ if track.asked > 3 => {
                    track.asked = 0;
                    g.regs.rip = PROGRAM;
                    GuestOp::Work { ns: 10 }
                }
                _ => {
                    track.asked += 1;
                    GuestOp::UserSyscall { nr: u64::MAX }
                }
            };
        }
        track.asked = 0;
        if self.stop || track.steps.is_empty() {
            if !track.settled {
                track.settled = true;
                return GuestOp::Hypercall {
                    nr: nr::UPDATE_VA_MAPPING.into(),
                    args: [0; 6],
                };
            }
            return self.park(g, vcpu);
        }
        let Some(op) = track.steps.pop_front() else {
            return self.park(g, vcpu);
        };
        self.count();
        self.sum = mixed(self.sum, g.now ^ (who.index() as u64) << 60);
        if who.slot == 1 && matches!(op, Op::Read(_)) {
            let Op::Read(va) = op else {
                return GuestOp::Work { ns: 1 };
            };
            let va = self.value(who, g.now, va);
            let value = machine::cpu::guest_va_ok(va, 8).then(|| g.read(va, 8));
            self.see(value.and_then(Result::ok).unwrap_or(!0));
        }
        let (slot, vcpu, now, cpu) = (who.slot, who.vcpu, g.now, g.cpu);
        self.trace
            .note(|| alloc::format!("{slot}.{vcpu} {op} @{now} cpu {cpu}"));
        self.perform(g, who, &op)
    }

    /// What became of the call that was under way is not known.
    fn forget_call(&mut self, who: Who) {
        self.tracks[who.index()].pending = None;
        self.alarm_answered(who, None, 0);
    }

    fn count(&mut self) {
        self.done += 1;
        if self.done >= self.until {
            self.stop = true;
        }
    }
}

/// A sum of all numbers, in their order.
fn mixed(sum: u64, value: u64) -> u64 {
    (sum ^ value)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(23)
}

/// Writes tables for a domain's first frames.
fn furnish_domain(play: &Shared, hv: &Hypervisor, slot: u8) {
    let Some(dom) = hv.domain(slot.into()).filter(|_| slot < SLOTS) else {
        return;
    };
    let mut frames = Vec::new();
    let mut at = dom.pages.first();
    while let Some(mfn) = at.filter(|_| frames.len() < usize::from(FRAMES)) {
        frames.push(mfn.0);
        at = dom.pages.next(hv.mem, mfn);
    }
    if furnish(hv.mem, dom.owner(), &frames) {
        lock(play).frames[usize::from(slot)] = frames;
    }
}

/// The domains there are.
pub fn domains(hv: &Hypervisor) -> Vec<Arc<Domain>> {
    let mut all = Vec::new();
    let mut from = Some(0);
    while let Some(dom) = from.and_then(|id| hv.domains.from(id)) {
        from = dom.id.checked_add(1);
        all.push(dom);
    }
    all
}

/// The program that stands at all addresses. What may let other CPUs go on, as the hypervisor's
/// locks do, is done without the lock of the play.
pub fn next(play: &Shared, g: &mut GuestCpu<'_>) -> Option<GuestOp> {
    let (hv, found) = {
        let mut play = lock(play);
        (play.hv.clone(), play.on(g.cpu))
    };
    let vcpu = match found {
        Some(vcpu) => vcpu,
        None => {
            let domains = domains(&hv);
            let mut state = lock(play);
            let old = state.know(&domains);
            let vcpu = state.on(g.cpu);
            drop(state);
            drop(old);
            vcpu?
        }
    };
    let mut state = lock(play);
    let op = state.step(g, &vcpu);
    let wanted = state.wanted.take();
    drop(state);
    if let Some(slot) = wanted {
        furnish_domain(play, &hv, slot);
    }
    Some(op)
}
