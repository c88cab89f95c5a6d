//! What the scheduler knows of a vCPU.
//!
//! The conditions under which it may run are flags that anybody sets; whoever changes one then
//! calls [`super::Scheduler::update`]. The rest changes under the lock of the vCPU's group.

use super::policy::RealTime;
use super::{Account, Poll};
use crate::domain::Domain;
use crate::locks;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use machine::cpumask::MAX_CPUS;
use machine::{AtomicCpuMask, CpuMask, Lock};
use xen_abi::vcpu::*;

/// Not known to a policy.
pub(super) const NO_SLOT: u32 = u32::MAX;
/// In a [`VcpuSched::group`]: let go for good.
pub(super) const GONE: u32 = u32::MAX - 1;
/// Not pinned by `SCHEDOP_pin_override`.
pub(super) const NO_PIN: u32 = u32::MAX;

/// A vCPU's scheduling state.
pub struct VcpuSched {
    /// The CPU it runs on, or ran on last.
    pub cpu: AtomicU32,
    /// Waits for an event.
    pub(super) blocked: AtomicBool,
    /// Not brought up, or taken down.
    pub(super) offline: AtomicBool,
    /// Whether it was given a state to run from.
    pub initialised: AtomicBool,
    /// How many want it not to run.
    pub pause_count: AtomicU32,
    /// Is on a CPU.
    pub(super) running: AtomicBool,
    /// Lets others go first the next time that it leaves its CPU.
    pub(super) yields: AtomicBool,
    /// Was told to leave its CPU, even if nobody waits.
    pub(super) must_leave: AtomicBool,
    /// Belongs to a group where it may not run: its CPU sees to that when it comes off.
    pub(super) displaced: AtomicBool,
    /// The group of CPUs that it belongs to, [`super::NO_GROUP`] before it first can run.
    pub(super) group: AtomicU32,
    /// What the group's policy knows it as.
    pub(super) slot: AtomicU32,
    /// CPUs that it may run on.
    pub(super) hard: AtomicCpuMask,
    /// CPUs that it should run on.
    pub(super) soft: AtomicCpuMask,
    /// The one that it runs on for a while.
    pub(super) pin: AtomicU32,
    /// Its budget under a real-time policy.
    real_time: Lock<RealTime>,
    /// What it polls for.
    pub poll: Poll,
    /// Where its time goes.
    pub account: Account,
}

impl VcpuSched {
    /// An offline vCPU that will start on `cpu` and may run anywhere.
    pub fn new(cpu: u32) -> VcpuSched {
        let everywhere = || {
            let mask = AtomicCpuMask::new();
            mask.store(&CpuMask::first(MAX_CPUS as u32));
            mask
        };
        VcpuSched {
            cpu: AtomicU32::new(cpu),
            blocked: AtomicBool::new(false),
            offline: AtomicBool::new(true),
            initialised: AtomicBool::new(false),
            pause_count: AtomicU32::new(0),
            running: AtomicBool::new(false),
            yields: AtomicBool::new(false),
            must_leave: AtomicBool::new(false),
            displaced: AtomicBool::new(false),
            group: AtomicU32::new(super::NO_GROUP),
            slot: AtomicU32::new(NO_SLOT),
            hard: everywhere(),
            soft: everywhere(),
            pin: AtomicU32::new(NO_PIN),
            real_time: Lock::new(locks::REAL_TIME, RealTime::default()),
            poll: Poll::default(),
            account: Account::default(),
        }
    }

    /// Whether it is up.
    pub fn online(&self) -> bool {
        !self.offline.load(Ordering::Acquire)
    }

    /// Whether it waits for an event.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Whether it is on a CPU just now.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Whether nothing keeps it from running but that others do.
    pub fn can_run(&self, dom: &Domain) -> bool {
        self.runnable(dom)
    }

    /// CPUs that it may run on, and those that it should run on.
    pub fn affinity(&self) -> (CpuMask, CpuMask) {
        (self.hard.load(), self.soft.load())
    }

    /// Its budget under a real-time policy.
    pub fn real_time(&self) -> RealTime {
        *self.real_time.lock()
    }

    pub(super) fn set_real_time(&self, to: RealTime) {
        *self.real_time.lock() = to;
    }

    /// CPUs that it may run on for now.
    pub(super) fn may(&self) -> CpuMask {
        match self.pin.load(Ordering::Relaxed) {
            NO_PIN => self.hard.load(),
            cpu => CpuMask::one(cpu),
        }
    }

    #[inline]
    pub(super) fn runnable(&self, dom: &Domain) -> bool {
        !self.blocked.load(Ordering::SeqCst)
            && !self.offline.load(Ordering::SeqCst)
            && self.pause_count.load(Ordering::SeqCst) == 0
            && dom.pause_count.load(Ordering::SeqCst) == 0
    }

    /// The run state of a vCPU that is on no CPU.
    #[inline]
    pub(super) fn waiting_state(&self, dom: &Domain) -> i32 {
        if self.runnable(dom) {
            RUNSTATE_runnable
        } else if self.blocked.load(Ordering::Relaxed) {
            RUNSTATE_blocked
        } else {
            RUNSTATE_offline
        }
    }
}
