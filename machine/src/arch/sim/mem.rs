//! Memory of a simulated machine, and all else that its CPUs share.
//!
//! Locks: each table has its own standard mutex, held for one access; none is held when another
//! is taken, or at a scheduling point.

use super::devices::Devices;
use super::guest::{Program, SharedProgram};
use super::std::cell::Cell;
use super::std::collections::{BTreeMap, BTreeSet, VecDeque};
use super::std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use super::std::thread_local;
use super::tlb::Tlb;
use crate::addr::Mfn;
use crate::cpumask::MAX_CPUS;
use crate::frame::{MemOps, NIL, PageInfo};
use crate::tlb::{Flush, TlbState};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// "No deadline".
pub(super) const NEVER: u64 = u64::MAX;

/// What the other CPUs are to do after boot.
pub(super) type CpuMain = &'static (dyn Fn(super::Cpu) + Sync);

thread_local! {
    static CURRENT: Cell<Option<&'static Shared>> = const { Cell::new(None) };
}

/// The machine that this thread made or took a CPU of last: the one that functions without a
/// handle (console, power, clock chip) are about.
pub(super) fn current() -> Option<&'static Shared> {
    CURRENT.get()
}

/// Makes `machine` this thread's [`current`] one.
pub(super) fn set_current(machine: &'static Shared) {
    CURRENT.set(Some(machine));
}

/// What other CPUs see of a CPU.
pub(super) struct PerCpu {
    pub tlb: Mutex<Tlb>,
    /// Translations of nested tables: by root and guest frame.
    pub nested_tlb: Mutex<BTreeMap<(u64, u64), super::hvm::Kept>>,
    pub kicked: AtomicBool,
    pub nmi: AtomicBool,
    pub taken: AtomicBool,
    pub idle: AtomicBool,
    /// When its timer strikes, in nanoseconds; [`NEVER`] when disarmed.
    pub deadline: AtomicU64,
    /// Its function returned: it goes on in another run, if ever.
    pub halted: AtomicBool,
    /// When its timer strikes once it goes on.
    pub kept: AtomicU64,
    /// Vectors of devices that wait to be taken.
    pub irqs: Mutex<VecDeque<u8>>,
    pub eois: AtomicU64,
}

impl PerCpu {
    /// Whether the CPU is halted and would do something before the time comes to `next`.
    pub fn left_behind(&self, next: u64) -> bool {
        let wanted = self.kicked.load(Ordering::Acquire);
        self.halted.load(Ordering::Acquire) && (wanted || self.kept.load(Ordering::Relaxed) < next)
    }

    fn reset(&self) {
        assert!(
            !self.taken.load(Ordering::Relaxed),
            "a CPU is in somebody's hands"
        );
        *lock(&self.tlb) = Tlb::default();
        lock(&self.nested_tlb).clear();
        lock(&self.irqs).clear();
        for flag in [&self.kicked, &self.nmi, &self.idle, &self.halted] {
            flag.store(false, Ordering::Relaxed);
        }
        self.deadline.store(NEVER, Ordering::Relaxed);
        self.kept.store(NEVER, Ordering::Relaxed);
        self.eois.store(0, Ordering::Relaxed);
    }
}

/// One machine.
pub(super) struct Shared {
    frames: Box<[PageInfo]>,
    ram: Box<[[AtomicU64; 512]]>,
    m2p: Box<[AtomicU64]>,
    dead: AtomicU32,
    pub tlb: TlbState,
    pub clock: AtomicU64,
    pub cpus: Box<[PerCpu]>,
    pub devices: Mutex<Devices>,
    pub programs: Mutex<BTreeMap<u64, Arc<Mutex<Program>>>>,
    /// What stands at all other addresses.
    pub elsewhere: Mutex<Option<Arc<SharedProgram>>>,
    /// Addresses at which a SYSCALL instruction stands: two bytes before where one returned to.
    pub syscalls: Mutex<BTreeSet<u64>>,
    /// Whether the page-table oracle is on.
    pub strict: AtomicBool,
    /// Boot modules, by machine address.
    pub modules: Mutex<Vec<(u64, &'static [u8])>>,
    pub released: Mutex<Option<CpuMain>>,
    /// `work_pending` says yes after that many calls since the last exit; [`NEVER`] for off.
    pub patience: AtomicU64,
}

/// The contents of a mutex, whether or not a test failed while it was held.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn zeroed<T: Default>(len: usize) -> Box<[T]> {
    (0..len).map(|_| T::default()).collect()
}

impl Shared {
    pub fn new(frames: usize, cpus: usize) -> Shared {
        assert!(cpus <= MAX_CPUS && (frames as u64) < u64::from(NIL));
        let ram = Box::new_zeroed_slice(frames);
        Shared {
            frames: zeroed(frames),
            // SAFETY: an atomic integer may be all zero.
            ram: unsafe { ram.assume_init() },
            m2p: (0..frames).map(|_| AtomicU64::new(u64::MAX)).collect(),
            dead: AtomicU32::new(NIL),
            tlb: TlbState::new(),
            clock: AtomicU64::new(0),
            cpus: (0..cpus)
                .map(|_| PerCpu {
                    tlb: Mutex::default(),
                    nested_tlb: Mutex::default(),
                    kicked: AtomicBool::new(false),
                    nmi: AtomicBool::new(false),
                    taken: AtomicBool::new(false),
                    idle: AtomicBool::new(false),
                    deadline: AtomicU64::new(NEVER),
                    halted: AtomicBool::new(false),
                    kept: AtomicU64::new(NEVER),
                    irqs: Mutex::default(),
                    eois: AtomicU64::new(0),
                })
                .collect(),
            devices: Mutex::new(Devices::new()),
            programs: Mutex::default(),
            elsewhere: Mutex::default(),
            syscalls: Mutex::default(),
            strict: AtomicBool::new(true),
            modules: Mutex::default(),
            released: Mutex::default(),
            patience: AtomicU64::new(NEVER),
        }
    }

    /// Frames of RAM.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Makes it as new. No CPU of it is in anybody's hands.
    pub fn reset(&self) {
        for info in &self.frames {
            for word in [&info.state, &info.typ] {
                word.store(0, Ordering::Relaxed);
            }
            for link in [&info.stamp, &info.prev, &info.next] {
                link.store(0, Ordering::Relaxed);
            }
            info.set_owner(0);
        }
        for frame in &self.ram {
            crate::words::fill(frame, 0);
        }
        for entry in &self.m2p {
            entry.store(u64::MAX, Ordering::Relaxed);
        }
        self.dead.store(NIL, Ordering::Relaxed);
        self.tlb.reset();
        self.clock.store(0, Ordering::Relaxed);
        for per in &self.cpus {
            per.reset();
        }
        *lock(&self.devices) = Devices::new();
        lock(&self.programs).clear();
        *lock(&self.elsewhere) = None;
        lock(&self.syscalls).clear();
        self.strict.store(true, Ordering::Relaxed);
        lock(&self.modules).clear();
        *lock(&self.released) = None;
        self.patience.store(NEVER, Ordering::Relaxed);
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub fn advance(&self, ns: u64) {
        self.clock.fetch_add(ns, Ordering::Relaxed);
    }

    /// Flushes `cpu`'s TLB.
    pub fn do_flush(&self, cpu: u32, what: Flush, remote: bool) {
        let Some(per) = self.cpus.get(cpu as usize) else {
            return;
        };
        if what == Flush::All {
            self.tlb.note_full_flush(cpu);
            lock(&per.nested_tlb).clear();
        }
        lock(&per.tlb).flush(what, remote);
    }

    /// The frame's words, if it is RAM.
    pub fn ram(&self, mfn: u64) -> Option<&[AtomicU64; 512]> {
        self.ram.get(usize::try_from(mfn).ok()?)
    }
}

/// Handle on a machine's memory.
#[derive(Clone, Copy)]
pub struct MemArch(pub(super) &'static Shared);

impl MemOps for MemArch {
    fn frame(self, mfn: Mfn) -> Option<&'static PageInfo> {
        self.0.frames.get(usize::try_from(mfn.0).ok()?)
    }

    fn words(self, mfn: Mfn) -> &'static [AtomicU64; 512] {
        match self.0.ram(mfn.0) {
            Some(words) => words,
            None => panic!("frame {mfn:#x} is not RAM"),
        }
    }

    fn dead(self) -> &'static AtomicU32 {
        &self.0.dead
    }

    fn m2p(self, mfn: Mfn) -> Option<&'static AtomicU64> {
        self.0.m2p.get(usize::try_from(mfn.0).ok()?)
    }

    fn max_mfn(self) -> u64 {
        self.0.frames.len() as u64
    }

    fn tlb_clock(self) -> u32 {
        self.0.tlb.clock()
    }

    fn host_slot(self, slot: usize) -> u64 {
        // Recognisable, and never walked: supervisor's entries beyond RAM.
        (0xf_fff0_0000 + slot as u64) << 12 | 3
    }
}
