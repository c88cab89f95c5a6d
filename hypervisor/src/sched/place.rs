//! Which group a vCPU belongs to: taking it in, moving it where it may run, and moving vCPUs
//! to where there is time.
//!
//! A vCPU belongs to a group of its domain's pool with a CPU that it may run on. Whoever changes
//! one of these looks at every vCPU concerned ([`Scheduler::rehome`]); one that runs just then
//! is marked as displaced, and its CPU looks when it comes off.

use super::group::{Group, RunQueue};
use super::vcpu::GONE;
use super::{NO_GROUP, Scheduler};
use crate::domain::{Domain, Vcpu};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::lock::lock_pair;
use machine::{Cpu, CpuApi, CpuMask};
use xen_abi::Errno;

/// How often a group compares itself with others, nanoseconds.
const BALANCE: u64 = 10_000_000;

impl Scheduler {
    /// A group of the domain's pool where the vCPU may run: that of its last CPU if it can be.
    fn find_group(&self, dom: &Domain, vcpu: &Vcpu) -> Option<u32> {
        let pool = dom.cpupool.load(Ordering::Acquire);
        let may = vcpu.sched.may();
        let last = vcpu.sched.cpu.load(Ordering::Relaxed);
        let mut fitting = self
            .groups_of(pool)
            .filter(|(_, group)| group.fits(pool, &may));
        let first = fitting.next()?;
        let has_last = |(_, group): &(u32, &Group)| group.mask.contains(last);
        if has_last(&first) {
            return Some(first.0);
        }
        Some(fitting.find(has_last).unwrap_or(first).0)
    }

    /// Makes a vCPU known to a policy, so that nothing is allocated when it wakes. Nothing
    /// happens when it is already. Errors: `ENOMEM`; `ENODEV` when its pool has no CPU for it.
    #[cold]
    pub fn admit(&self, dom: &Domain, vcpu: &Arc<Vcpu>) -> Result<(), Errno> {
        let word = &vcpu.sched.group;
        while word.load(Ordering::Acquire) == NO_GROUP {
            let index = self.find_group(dom, vcpu).ok_or(Errno::ENODEV)?;
            let group = self.groups.get(index as usize).ok_or(Errno::ENODEV)?;
            let mut queue = group.queue.lock();
            if !group.fits(dom.cpupool.load(Ordering::Acquire), &vcpu.sched.may()) {
                continue;
            }
            let won = word.compare_exchange(NO_GROUP, index, Ordering::AcqRel, Ordering::Relaxed);
            if won.is_ok()
                && let Err(errno) = queue.admit(dom, vcpu)
            {
                word.store(NO_GROUP, Ordering::Release);
                return Err(errno);
            }
        }
        Ok(())
    }

    /// Lets a vCPU go that will not run again. It is on no CPU.
    pub fn forget(&self, cpu: &Cpu, vcpu: &Arc<Vcpu>) {
        vcpu.sched.offline.store(true, Ordering::SeqCst);
        let word = &vcpu.sched.group;
        loop {
            if let Some((group, mut queue)) = self.lock_of(vcpu) {
                queue.remove(vcpu);
                word.store(GONE, Ordering::Release);
                let told = queue.policy.freed();
                group.tell(cpu, queue, told);
                return;
            }
            let gone = word.compare_exchange(NO_GROUP, GONE, Ordering::AcqRel, Ordering::Acquire);
            if matches!(gone, Ok(_) | Err(GONE)) {
                return;
            }
        }
    }

    /// Brings a vCPU to a group where it may run, if the one that it is in is none. While it
    /// runs it is made to leave its CPU first. It waits for a CPU afterwards if it can run.
    pub(super) fn rehome(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        loop {
            let old = vcpu.sched.group.load(Ordering::Acquire);
            if old == NO_GROUP && vcpu.sched.runnable(dom) {
                // It woke when there was no place for it.
                return self.update(cpu, dom, vcpu);
            }
            let found = self.find_group(dom, vcpu);
            let (Some(from), Some(index)) = (self.groups.get(old as usize), found) else {
                return;
            };
            let Some(to) = self.groups.get(index as usize) else {
                return;
            };
            let (mut theirs, mine) = lock_pair(&from.queue, &to.queue);
            if vcpu.sched.group.load(Ordering::Relaxed) != old {
                continue;
            }
            let pool = dom.cpupool.load(Ordering::Acquire);
            let may = vcpu.sched.may();
            let stays = from.fits(pool, &may);
            if vcpu.sched.running.load(Ordering::Relaxed) {
                if !stays {
                    vcpu.sched.displaced.store(true, Ordering::Relaxed);
                    vcpu.sched.must_leave.store(true, Ordering::Relaxed);
                    cpu.kick(vcpu.sched.cpu.load(Ordering::Relaxed));
                }
                return;
            }
            let (group, mut queue) = match mine {
                _ if stays => (from, theirs),
                Some(mut mine) if to.fits(pool, &may) => {
                    move_unit(&mut theirs, &mut mine, vcpu, index);
                    let freed = theirs.policy.freed();
                    from.tell(cpu, theirs, freed);
                    let (group, queue) = match vcpu.sched.group.load(Ordering::Relaxed) {
                        at if at == index => (to, mine),
                        _ => return,
                    };
                    (group, queue)
                }
                _ => continue,
            };
            let slot = vcpu.sched.slot.load(Ordering::Relaxed);
            let told = if vcpu.sched.runnable(dom) {
                queue.policy.wake(slot, cpu.now())
            } else {
                None
            };
            group.tell(cpu, queue, told);
            return;
        }
    }

    /// Takes a waiting vCPU over from another group of the pool for this CPU, which is idle.
    /// Whether it did.
    pub(super) fn steal(&self, cpu: &Cpu, group: &Group, now: u64) -> bool {
        let me = CpuMask::one(cpu.id());
        let pool = group.pool.load(Ordering::Acquire);
        self.groups_of(pool)
            .any(|(_, other)| self.pull(cpu, group, other, &me, 1, now))
    }

    /// Now and then, takes a vCPU over from a group of the pool where clearly more wait.
    pub(super) fn balance(&self, cpu: &Cpu, group: &Group, now: u64) {
        let due = group.balance.load(Ordering::Relaxed);
        if now < due || self.used.load(Ordering::Relaxed) < 2 {
            return;
        }
        let next = now.saturating_add(BALANCE);
        let mine = group
            .balance
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_err() {
            return;
        }
        let mask = group.mask.load();
        let pool = group.pool.load(Ordering::Acquire);
        let load = |of: &Group| {
            let cpus = u64::from(of.mask.load().count().max(1));
            u64::from(of.waiting.load(Ordering::Acquire)).saturating_mul(1000) / cpus
        };
        // One more here must not be more than one less there.
        let here = load(group).saturating_add(2000 / u64::from(mask.count().max(1)));
        let busiest = self
            .groups_of(pool)
            .map(|(_, other)| (load(other), other))
            .max_by_key(|&(load, _)| load);
        if let Some((_, other)) = busiest.filter(|&(load, _)| load >= here) {
            self.pull(cpu, group, other, &mask, 2, now);
        }
    }

    /// Takes a vCPU over that waits in `other`, where at least `least` do, for one of `cpus` of
    /// `group`. Whether it did.
    fn pull(
        &self,
        cpu: &Cpu,
        group: &Group,
        other: &Group,
        cpus: &CpuMask,
        least: u32,
        now: u64,
    ) -> bool {
        if core::ptr::eq(other, group) || other.waiting.load(Ordering::Acquire) < least {
            return false;
        }
        let (mut mine, theirs) = lock_pair(&group.queue, &other.queue);
        let Some(mut theirs) = theirs else {
            return false;
        };
        let pool = group.pool.load(Ordering::Acquire);
        let cpus = cpus.intersect(&group.mask.load());
        if other.pool.load(Ordering::Acquire) != pool {
            return false;
        }
        let Some(index) = self.index_here(cpu, group) else {
            return false;
        };
        let Some(vcpu) = theirs
            .policy
            .spare(&cpus)
            .and_then(|slot| theirs.vcpu(slot).cloned())
        else {
            return false;
        };
        move_unit(&mut theirs, &mut mine, &vcpu, index);
        other.note(&theirs);
        let slot = vcpu.sched.slot.load(Ordering::Relaxed);
        if vcpu.sched.group.load(Ordering::Relaxed) != index {
            // No memory: it waits where it was.
            let told = theirs.policy.wake(slot, now);
            drop(mine);
            other.tell(cpu, theirs, told);
            return false;
        }
        let freed = theirs.policy.freed();
        other.tell(cpu, theirs, freed);
        // This CPU looks next; another idle one may be told, and finds out.
        let told = mine.policy.wake(slot, now);
        group.tell(cpu, mine, told);
        true
    }

    /// The number of `group`, which is this CPU's, unless it has just left it.
    fn index_here(&self, cpu: &Cpu, group: &Group) -> Option<u32> {
        let index = self.places.get(cpu.id() as usize)?.load(Ordering::Acquire);
        let named = self.groups.get(index as usize)?;
        core::ptr::eq(named, group).then_some(index)
    }
}

/// Moves a unit that does not run from one queue to another, where it is asleep. Without memory
/// for that it is asleep where it was.
fn move_unit(from: &mut RunQueue, to: &mut RunQueue, vcpu: &Arc<Vcpu>, group: u32) {
    let Some(mut unit) = from.remove(vcpu) else {
        return;
    };
    unit.hard = vcpu.sched.may();
    unit.soft = vcpu.sched.soft.load();
    if to.add(vcpu, unit.clone()).is_ok() {
        vcpu.sched.group.store(group, Ordering::Release);
    } else {
        // The place that it had is free.
        let _ = from.add(vcpu, unit);
    }
}
