//! What guests do: takes a vCPU's steps off the script, one each time the machine asks for an
//! operation, and serves exceptions and events as a kernel would.

extern crate std;

mod returned;

use super::layout::*;
use super::op::{Op, Put};
use super::reach::Reach;
use super::resume::{back, to_user};
use super::script::{Script, Setting, Who};
use super::value::{SPECIAL, Val};
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::Mfn;
use machine::arch::sim::{GuestCpu, GuestOp, SimMachine};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xen_abi::hypercall as nr;
use zerocopy::IntoBytes;

/// A [`Play`] that the machine's program and the world have in common.
pub type Shared = Arc<Mutex<Play>>;

/// Its contents, also after a panic.
pub fn lock(play: &Shared) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries of a vCPU in a row without a step, at most.
const SPINS: u32 = 200;

/// A vCPU's part of the script.
#[derive(Default)]
struct Track {
    steps: VecDeque<Op>,
    /// The call that is under way.
    pending: Option<(u16, u32)>,
    /// Entries since its last step.
    spins: u32,
    /// Calls of its kernel that a user made in a row.
    asked: u32,
    /// The domain whose vCPU this is, by the number that no other has.
    of: u64,
    /// What interrupted page-table calls left was worked off, in this round.
    settled: bool,
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
    /// A line for each step, if wanted.
    pub trace: Option<Vec<String>>,
    /// What domain 1 saw, summed up.
    pub seen: u64,
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
            known: Vec::new(),
            wanted: None,
            done: 0,
            until: 0,
            begun: 0,
            last_round: 1,
            stop: false,
            parked: Vec::new(),
            reach: Reach::default(),
            trace: None,
            seen: 0,
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

    fn mfn(&self, slot: u8, n: u16) -> u64 {
        let slot = usize::from(slot);
        if n >= SPECIAL {
            let special = self
                .special
                .get(slot)
                .and_then(|s| s.get(usize::from(n - SPECIAL)));
            return special.copied().unwrap_or(0);
        }
        let frames = self.frames.get(slot).map_or(&[][..], |f| f);
        // A domain without so many frames has some other.
        frames
            .get(usize::from(n))
            .or_else(|| frames.last())
            .copied()
            .unwrap_or(0)
    }

    fn value(&self, who: Who, now: u64, val: Val) -> u64 {
        let vcpu = who.vcpu;
        match val {
            Val::Num(n) => n,
            Val::Mfn(slot, n) => self.mfn(slot, n),
            Val::Pte(slot, n, flags) => self.mfn(slot, n) << 12 | flags,
            Val::Entry(slot, n, at, cmd) => {
                self.mfn(slot, n) << 12 | u64::from(at & 511) << 3 | u64::from(cmd & 7)
            }
            Val::Data(n, offset) => va(n) + u64::from(offset),
            Val::Arg(offset) => args(vcpu) + u64::from(offset),
            Val::Soon(ns) => now + u64::from(ns),
            Val::Secret(n) if who.slot == 2 => self.setting.secret.wrapping_mul(u64::from(n) + 1),
            Val::Secret(n) => n.into(),
        }
    }

    /// Puts a call's argument into memory; the operation that faults when that does.
    fn put(&self, g: &GuestCpu<'_>, who: Who, put: Put) -> Option<GuestOp> {
        let (at, value) = (args(who.vcpu), |val| self.value(who, g.now, val));
        let (va, done) = match put {
            Put::Word(offset, size, val) => {
                let va = at + u64::from(offset);
                (va, g.write(va, size, value(val)))
            }
            Put::Zero(offset, len) => {
                let va = at + u64::from(offset);
                let zeros = [0; 256];
                (va, g.write_bytes(va, &zeros[..usize::from(len).min(256)]))
            }
            Put::Context(offset, slot, vcpu) => {
                let va = at + u64::from(offset);
                let root = self.mfn(slot, FIRST_TABLE);
                (va, g.write_bytes(va, context(vcpu, root).as_bytes()))
            }
        };
        done.err().map(|_| GuestOp::Write {
            va,
            size: 8,
            value: 0,
        })
    }

    fn call(&mut self, g: &GuestCpu<'_>, who: Who, op: &Op) -> GuestOp {
        let Op::Call {
            nr,
            op,
            args: list,
            mem,
        } = op
        else {
            return GuestOp::Work { ns: 1 };
        };
        if let Some(fault) = mem.iter().find_map(|put| self.put(g, who, *put)) {
            return fault;
        }
        let mut args = [0; 6];
        for (slot, val) in args.iter_mut().zip(list) {
            *slot = self.value(who, g.now, *val);
        }
        self.tracks[who.index()].pending = Some((*nr, *op));
        self.reach.made(*nr, *op);
        GuestOp::Hypercall {
            nr: (*nr).into(),
            args,
        }
    }

    fn poke(&self, who: Who, which: u8, at: u16, size: u8, value: u64) {
        let frame = Mfn(self.mfn(who.slot, SPECIAL + u16::from(which & 1)));
        let Some(page) = self.hv.mem.get_page(frame, who.slot.into()) else {
            return;
        };
        // The frame may be something else of the domain's by now.
        let (kind, n) = page.info().page_type();
        if kind != machine::PageType::Writable || n == 0 {
            return;
        }
        let bytes = value.to_le_bytes();
        page.write(usize::from(at), &bytes[..usize::from(size).min(8)]);
    }

    /// Carries out a step.
    fn perform(&mut self, g: &mut GuestCpu<'_>, who: Who, op: &Op) -> GuestOp {
        let now = g.now;
        let value = |play: &Play, val| play.value(who, now, val);
        match *op {
            Op::Call { .. } => self.call(g, who, op),
            Op::Read(va) => GuestOp::Read {
                va: value(self, va),
                size: 8,
            },
            Op::Write(va, size, val) => GuestOp::Write {
                va: value(self, va),
                size,
                value: value(self, val),
            },
            Op::Fetch(va) => GuestOp::Fetch {
                va: value(self, va),
            },
            Op::Trap(vector) => GuestOp::Exception { vector, error: 0 },
            Op::Int(vector) => GuestOp::Int { vector },
            Op::Insn(bytes) => {
                // It stands in the page of arguments, and the kernel gets there by a jump.
                let at = args(who.vcpu) + 0x200;
                if g.write(at, 8, bytes).is_ok() {
                    g.regs.rip = at;
                }
                GuestOp::Exception {
                    vector: if bytes & 0xffff == 0x0b0f { 6 } else { 13 },
                    error: 0,
                }
            }
            Op::Work(ns) => GuestOp::Work { ns },
            Op::User => to_user(g, who),
            Op::Poke(which, at, size, val) => {
                self.poke(who, which, at, size, value(self, val));
                GuestOp::Work { ns: 10 }
            }
            Op::Furnish(slot) => {
                self.wanted = Some(slot);
                GuestOp::Work { ns: 10 }
            }
        }
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
        self.seen = (self.seen ^ value)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23);
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
        let of = dom.map_or(0, |dom| dom.unique_id.load(Ordering::Relaxed));
        let track = &mut self.tracks[who.index()];
        if track.of != of {
            (track.of, track.pending) = (of, None);
        }
        // A guest that only answers its own events, say: it goes on in the next round.
        let track = &mut self.tracks[who.index()];
        track.spins += 1;
        if track.spins > SPINS {
            track.spins = 0;
            return self.park(g, vcpu);
        }
        match g.regs.rip {
            EVENT => return back(g, vcpu, None),
            HANDLER | SYSCALL => {
                self.tracks[who.index()].pending = None;
                return back(g, vcpu, Some(stack(who.vcpu)));
            }
            USER => {}
            PROGRAM => self.returned(g, who),
            _ => {
                self.tracks[who.index()].pending = None;
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
        if who.slot == 1 && matches!(op, Op::Read(_)) {
            let Op::Read(va) = op else {
                return GuestOp::Work { ns: 1 };
            };
            let va = self.value(who, g.now, va);
            let value = machine::cpu::guest_va_ok(va, 8).then(|| g.read(va, 8));
            self.see(value.and_then(Result::ok).unwrap_or(!0));
        }
        if let Some(trace) = &mut self.trace {
            let line = alloc::format!("{}.{} {op}", who.slot, who.vcpu);
            std::eprintln!("{line} @{} cpu {}", g.now, g.cpu);
            trace.push(line);
        }
        self.perform(g, who, &op)
    }

    fn count(&mut self) {
        self.done += 1;
        if self.done >= self.until {
            self.stop = true;
        }
    }
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
