//! A group of CPUs and its run queue.

use super::Scheduler;
use super::credit2::Credit2;
use super::policy::{Policy, Slot, Unit};
use super::pool::Tunables;
use super::vcpu::NO_SLOT;
use crate::domain::{Domain, Vcpu};
use crate::locks;
use crate::time::NEVER;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::{Cpu, CpuApi, CpuMask, Guard, Lock};
use xen_abi::Errno;

/// A CPU, for the scheduler.
#[derive(Default)]
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
    pub cpus: Vec<CpuRun>,
    first: u32,
}

/// A group.
pub(super) struct Group {
    pub mask: CpuMask,
    /// Units that wait, for a look without the lock.
    pub waiting: AtomicU32,
    pub queue: Lock<RunQueue>,
}

impl Group {
    /// CPUs `first` to `first + cpus - 1`. Errors: `ENOMEM`.
    pub fn new(first: u32, cpus: u32, tunables: &Arc<Tunables>) -> Result<Group, Errno> {
        let mut runs = Vec::new();
        runs.try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        runs.resize_with(cpus as usize, CpuRun::default);
        let mut mask = CpuMask::EMPTY;
        (first..first.saturating_add(cpus)).for_each(|cpu| mask.set(cpu));
        let policy = Box::new(Credit2::new(first, cpus, tunables.clone())?);
        let queue = RunQueue {
            policy,
            vcpus: Vec::new(),
            cpus: runs,
            first,
        };
        Ok(Group {
            mask,
            waiting: AtomicU32::new(0),
            queue: Lock::new(locks::RUN_QUEUE, queue),
        })
    }

    /// Ends a change of the queue: makes CPU `told`, if any, look at it.
    #[inline]
    pub fn tell(&self, cpu: &Cpu, mut queue: Guard<'_, RunQueue>, told: Option<u32>) {
        self.waiting
            .store(queue.policy.waiting() as u32, Ordering::Release);
        let Some(told) = told else { return };
        // A CPU that runs nothing chooses before it goes to sleep.
        let here = told == cpu.id() && queue.cpu(told).is_none_or(|run| run.current.is_none());
        drop(queue);
        if !here {
            cpu.kick(told);
        }
    }
}

impl RunQueue {
    #[inline]
    pub fn cpu(&mut self, cpu: u32) -> Option<&mut CpuRun> {
        self.cpus.get_mut(cpu.checked_sub(self.first)? as usize)
    }

    /// The vCPU that the policy knows by `slot`.
    pub fn vcpu(&self, slot: Slot) -> Option<&Arc<Vcpu>> {
        self.vcpus.get(slot as usize)?.as_ref()
    }

    /// What the policy knows `vcpu` as, made known to it if need be. `None` without memory.
    #[inline]
    pub fn slot(&mut self, dom: &Domain, vcpu: &Arc<Vcpu>) -> Option<Slot> {
        match vcpu.sched.slot.load(Ordering::Relaxed) {
            NO_SLOT => {
                let unit = Unit {
                    share: dom.share.clone(),
                    hard: vcpu.sched.may(),
                    soft: vcpu.sched.soft.load(),
                    cpu: vcpu.sched.cpu.load(Ordering::Relaxed),
                    ahead: 0,
                };
                self.add(vcpu, unit).ok()
            }
            slot => Some(slot),
        }
    }

    /// Takes a unit in. Errors: `ENOMEM`.
    pub fn add(&mut self, vcpu: &Arc<Vcpu>, unit: Unit) -> Result<Slot, Errno> {
        self.vcpus.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let slot = self.policy.add(unit)?;
        if self.vcpus.len() <= slot as usize {
            self.vcpus.push(None);
        }
        if let Some(place) = self.vcpus.get_mut(slot as usize) {
            *place = Some(vcpu.clone());
        }
        vcpu.sched.slot.store(slot, Ordering::Relaxed);
        Ok(slot)
    }

    /// Lets a unit go.
    pub fn remove(&mut self, vcpu: &Arc<Vcpu>) -> Option<Unit> {
        let slot = vcpu.sched.slot.swap(NO_SLOT, Ordering::Relaxed);
        self.vcpus.get_mut(slot as usize)?.take()?;
        self.policy.remove(slot)
    }
}

impl Scheduler {
    /// Locks the group of a vCPU.
    #[inline]
    pub(super) fn lock_of(&self, vcpu: &Vcpu) -> Option<(&Group, Guard<'_, RunQueue>)> {
        loop {
            let index = vcpu.sched.group.load(Ordering::Acquire);
            let group = self.groups.get(index as usize)?;
            let queue = group.queue.lock();
            if vcpu.sched.group.load(Ordering::Relaxed) == index {
                return Some((group, queue));
            }
        }
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
