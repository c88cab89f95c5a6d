//! A group of CPUs and its run queue.
//!
//! Groups come and go: each belongs to a pool while it has CPUs. What is in the queue, and the
//! group's mask and pool, change under the queue's lock.

use super::kind;
use super::policy::{Policy, Slot, Unit};
use super::vcpu::NO_SLOT;
use super::{NO_GROUP, Scheduler};
use crate::domain::{Domain, Vcpu};
use crate::locks;
use crate::time::NEVER;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use machine::{AtomicCpuMask, Cpu, CpuApi, CpuMask, Guard, Lock};
use xen_abi::Errno;

/// In no pool.
pub(super) const NO_POOL: u32 = u32::MAX;

/// A CPU, for the scheduler.
#[derive(Clone, Default)]
pub(super) struct CpuRun {
    /// What runs on it.
    pub current: Option<Arc<Vcpu>>,
    /// When its turn ends, as the CPU's timer was told.
    pub until: Option<u64>,
}

/// What a group's lock protects.
pub(super) struct RunQueue {
    pub policy: Box<dyn Policy>,
    /// The vCPU of each of the policy's slots.
    pub vcpus: Vec<Option<Arc<Vcpu>>>,
    /// By the machine's numbers; empty until the group is first used.
    pub cpus: Vec<CpuRun>,
}

/// A group.
pub(super) struct Group {
    /// Its CPUs, but for those that are about to leave.
    pub mask: AtomicCpuMask,
    /// The pool that it belongs to.
    pub pool: AtomicU32,
    /// Units that wait, for a look without the lock.
    pub waiting: AtomicU32,
    /// When it compares itself with others next, nanoseconds.
    pub balance: AtomicU64,
    pub queue: Lock<RunQueue>,
}

impl Group {
    /// A group of no CPUs.
    pub fn new() -> Group {
        let queue = RunQueue {
            policy: kind::nobody(),
            vcpus: Vec::new(),
            cpus: Vec::new(),
        };
        Group {
            mask: AtomicCpuMask::new(),
            pool: AtomicU32::new(NO_POOL),
            waiting: AtomicU32::new(0),
            balance: AtomicU64::new(0),
            queue: Lock::new(locks::RUN_QUEUE, queue),
        }
    }

    /// Whether a vCPU of this pool that may run on `may` can run here.
    pub fn fits(&self, pool: u32, may: &CpuMask) -> bool {
        self.pool.load(Ordering::Acquire) == pool && !self.mask.load().intersect(may).is_empty()
    }

    /// Notes how many wait, for those who look without the lock.
    #[inline]
    pub fn note(&self, queue: &RunQueue) {
        self.waiting
            .store(queue.policy.waiting() as u32, Ordering::Release);
    }

    /// Ends a change of the queue: makes CPU `told`, if any, look at it.
    #[inline]
    pub fn tell(&self, cpu: &Cpu, queue: Guard<'_, RunQueue>, told: Option<u32>) {
        self.note(&queue);
        let Some(told) = told else { return };
        // A CPU that runs nothing chooses before it goes to sleep.
        let here = told == cpu.id() && queue.runs(told).is_none();
        drop(queue);
        if !here {
            cpu.kick(told);
        }
    }
}

impl RunQueue {
    #[inline]
    pub fn cpu(&mut self, cpu: u32) -> Option<&mut CpuRun> {
        self.cpus.get_mut(cpu as usize)
    }

    /// What runs on a CPU.
    pub fn runs(&self, cpu: u32) -> Option<&Arc<Vcpu>> {
        self.cpus.get(cpu as usize)?.current.as_ref()
    }

    /// The vCPU that the policy knows by `slot`.
    pub fn vcpu(&self, slot: Slot) -> Option<&Arc<Vcpu>> {
        self.vcpus.get(slot as usize)?.as_ref()
    }

    /// Takes a vCPU in, asleep. Errors: `ENOMEM`.
    pub fn admit(&mut self, dom: &Domain, vcpu: &Arc<Vcpu>) -> Result<(), Errno> {
        let unit = Unit {
            share: dom.share.clone(),
            hard: vcpu.sched.may(),
            soft: vcpu.sched.soft.load(),
            cpu: vcpu.sched.cpu.load(Ordering::Relaxed),
            ahead: 0,
            real_time: vcpu.sched.real_time(),
        };
        self.add(vcpu, unit)
    }

    /// Takes a unit in. Errors: `ENOMEM`.
    pub fn add(&mut self, vcpu: &Arc<Vcpu>, unit: Unit) -> Result<(), Errno> {
        self.vcpus.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let slot = self.policy.add(unit)?;
        if self.vcpus.len() <= slot as usize {
            self.vcpus.push(None);
        }
        if let Some(place) = self.vcpus.get_mut(slot as usize) {
            *place = Some(vcpu.clone());
        }
        vcpu.sched.slot.store(slot, Ordering::Relaxed);
        Ok(())
    }

    /// Lets a unit go.
    pub fn remove(&mut self, vcpu: &Vcpu) -> Option<Unit> {
        let slot = vcpu.sched.slot.swap(NO_SLOT, Ordering::Relaxed);
        self.vcpus.get_mut(slot as usize)?.take()?;
        self.policy.remove(slot)
    }
}

impl Scheduler {
    /// Locks the group of a vCPU, if it has one.
    #[inline]
    pub(super) fn lock_of(&self, vcpu: &Vcpu) -> Option<(&Group, Guard<'_, RunQueue>)> {
        self.lock_named(&vcpu.sched.group)
    }

    /// Locks the group of a CPU, if it is in a pool.
    #[inline]
    pub(super) fn lock_cpu(&self, cpu: u32) -> Option<(&Group, Guard<'_, RunQueue>)> {
        self.lock_named(self.places.get(cpu as usize)?)
    }

    /// Locks the group whose number stands in a word that changes under that group's lock.
    #[inline]
    fn lock_named(&self, word: &AtomicU32) -> Option<(&Group, Guard<'_, RunQueue>)> {
        loop {
            let index = word.load(Ordering::Acquire);
            let group = self.groups.get(index as usize)?;
            let queue = group.queue.lock();
            if word.load(Ordering::Relaxed) == index {
                return Some((group, queue));
            }
        }
    }

    /// The group of a CPU.
    #[inline]
    pub(super) fn group(&self, cpu: u32) -> Option<&Group> {
        let index = self.places.get(cpu as usize)?.load(Ordering::Acquire);
        self.groups.get(index as usize)
    }

    /// The groups that a pool may have, with their numbers.
    pub(super) fn groups_of(&self, pool: u32) -> impl Iterator<Item = (u32, &Group)> {
        let used = self.used.load(Ordering::Acquire);
        (0..used)
            .zip(&self.groups)
            .filter(move |(_, group)| group.pool.load(Ordering::Acquire) == pool)
    }

    /// Whether a CPU is in no pool.
    pub(super) fn is_free(&self, cpu: u32) -> bool {
        self.places
            .get(cpu as usize)
            .is_some_and(|place| place.load(Ordering::Acquire) == NO_GROUP)
    }
}

impl CpuRun {
    /// Notes when the turn ends; `true` when the CPU's timer does not know yet.
    #[inline]
    pub fn set_until(&mut self, until: u64) -> bool {
        let until = (until != NEVER).then_some(until);
        core::mem::replace(&mut self.until, until) != until
    }
}
