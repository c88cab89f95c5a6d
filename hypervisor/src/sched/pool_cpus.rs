//! CPUs that come to pools and leave them, and domains that change from one to another.
//!
//! All of it is done under the lock of the pools. Leaving takes until the CPU has come off what
//! it runs: the call is made again until then ([`Fail::Restart`]), and finds what was done.

use super::group::{CpuRun, Group, NO_POOL};
use super::kind;
use super::pool::{Pool, members};
use super::vcpu::NO_PIN;
use super::{NO_GROUP, Scheduler, filled};
use crate::domain::{Domain, Vcpu};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::log;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::cpumask::MAX_CPUS;
use machine::{Cpu, CpuApi, CpuMask};
use xen_abi::Errno;
use xen_abi::sysctl::XEN_SYSCTL_CPUPOOL_PAR_ANY;

fn find(pools: &mut [Pool], id: u32) -> Option<&mut Pool> {
    pools.iter_mut().find(|pool| pool.id == id)
}

impl Scheduler {
    /// A group of the pool with room for one more CPU, or an unused one.
    fn roomy_group(&self, pool: &Pool) -> Option<u32> {
        let size = pool.kind.group_size();
        let roomy = |(_, group): &(u32, &Group)| group.mask.load().count() < size;
        if let Some((index, _)) = self.groups_of(pool.id).find(roomy) {
            return Some(index);
        }
        let unused = |group: &Group| group.pool.load(Ordering::Acquire) == NO_POOL;
        let index = self.groups.iter().position(unused)?;
        u32::try_from(index).ok()
    }

    /// Gives a CPU that is in no pool to one. Errors: `ENOMEM`.
    pub(super) fn attach(&self, pool: &mut Pool, target: u32) -> Result<(), Errno> {
        let index = self.roomy_group(pool).ok_or(Errno::ENOSPC)?;
        let group = self.groups.get(index as usize).ok_or(Errno::ENOSPC)?;
        let mut queue = group.queue.lock();
        if queue.cpus.is_empty() {
            queue.cpus = filled(self.cpus, CpuRun::default)?;
        }
        if group.pool.load(Ordering::Relaxed) == NO_POOL {
            queue.policy = pool.kind.make(self.cpus, &pool.tunables)?;
            group.pool.store(pool.id, Ordering::Release);
            self.used
                .fetch_max(index.saturating_add(1), Ordering::AcqRel);
        }
        if let Some(run) = queue.cpu(target) {
            *run = CpuRun::default();
        }
        self.admit_cpu(pool, group, &mut queue, target);
        if let Some(place) = self.places.get(target as usize) {
            place.store(index, Ordering::Release);
        }
        Ok(())
    }

    fn admit_cpu(
        &self,
        pool: &mut Pool,
        group: &Group,
        queue: &mut super::group::RunQueue,
        target: u32,
    ) {
        queue.policy.add_cpu(target);
        group.mask.set(target);
        pool.cpus.set(target);
    }

    /// Gives a CPU, or any that is free, to a pool. Errors: `ENOENT` without such a pool;
    /// `EINVAL` without such a CPU; `ENODEV` when it, or every one, is in a pool;
    /// `EADDRNOTAVAIL` while it is about to leave another; `ENOMEM`.
    pub fn add_cpu(&self, cpu: &Cpu, pool: u32, target: u32) -> Result<(), Errno> {
        let mut pools = self.pools.lock();
        let pool = find(&mut pools, pool).ok_or(Errno::ENOENT)?;
        let target = match target {
            XEN_SYSCTL_CPUPOOL_PAR_ANY => self.free_cpus().iter().next().ok_or(Errno::ENODEV)?,
            target if target >= self.cpus => return Err(Errno::EINVAL),
            target => target,
        };
        if self.is_free(target) {
            self.attach(pool, target)?;
        } else {
            // It may have been told to leave, and is called back.
            let group = self.group(target).ok_or(Errno::ENODEV)?;
            if group.mask.contains(target) {
                return Err(Errno::ENODEV);
            }
            if group.pool.load(Ordering::Acquire) != pool.id {
                return Err(Errno::EADDRNOTAVAIL);
            }
            let mut queue = group.queue.lock();
            self.admit_cpu(pool, group, &mut queue, target);
        }
        drop(pools);
        cpu.kick(target);
        Ok(())
    }

    /// Takes a CPU, or any, out of a pool. Errors: `ENOENT` without such a pool; `EINVAL`
    /// without such a CPU and for CPU 0 of pool 0; `EADDRNOTAVAIL` when it is not in the pool;
    /// `EBUSY` for the last one of a pool with domains; `EADDRINUSE` while a vCPU is pinned to
    /// it for a while. To be restarted until it has left what it runs.
    pub fn remove_cpu(
        &self,
        hv: &Hypervisor,
        cpu: &Cpu,
        pool: u32,
        target: u32,
    ) -> Result<(), Fail> {
        let mut pools = self.pools.lock();
        let pool = find(&mut pools, pool).ok_or(Errno::ENOENT)?;
        let target = match target {
            XEN_SYSCTL_CPUPOOL_PAR_ANY => self.last_of(pool).ok_or(Errno::EINVAL)?,
            target => target,
        };
        if target >= self.cpus || (pool.id == 0 && target == 0) {
            return Err(Errno::EINVAL.into());
        }
        let group = self.group(target).ok_or(Errno::EADDRNOTAVAIL)?;
        if group.pool.load(Ordering::Acquire) != pool.id {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        if pool.cpus.contains(target) {
            self.may_leave(hv, cpu, pool, target)?;
            pool.cpus.clear(target);
            let mut queue = group.queue.lock();
            group.mask.clear(target);
            let told = queue.policy.remove_cpu(target, cpu.now());
            if let Some(current) = queue.runs(target) {
                current.sched.must_leave.store(true, Ordering::Relaxed);
            }
            group.tell(cpu, queue, told);
            cpu.kick(target);
        }
        self.sweep(hv, cpu, pool, group)?;
        self.detach(group, target)
    }

    /// The CPU of a pool to take out when any will do: one that is about to leave, or the last.
    fn last_of(&self, pool: &Pool) -> Option<u32> {
        let leaving = (0..self.cpus).find(|&cpu| {
            !pool.cpus.contains(cpu)
                && self
                    .group(cpu)
                    .is_some_and(|group| group.pool.load(Ordering::Acquire) == pool.id)
        });
        leaving.or_else(|| pool.cpus.iter().last())
    }

    /// Whether a CPU may leave its pool. Domains that are dying make room for the last one.
    fn may_leave(&self, hv: &Hypervisor, cpu: &Cpu, pool: &Pool, target: u32) -> Result<(), Errno> {
        let pinned = |vcpu: &Arc<Vcpu>| vcpu.sched.pin.load(Ordering::Relaxed) == target;
        if members(hv, pool.id).any(|dom| dom.all_vcpus().any(pinned)) {
            return Err(Errno::EADDRINUSE);
        }
        if pool.cpus.count() > 1 {
            return Ok(());
        }
        if members(hv, pool.id).any(|dom| !dom.dying.load(Ordering::Acquire)) {
            return Err(Errno::EBUSY);
        }
        for dom in members(hv, pool.id) {
            self.transfer(cpu, &dom, 0);
        }
        Ok(())
    }

    /// A CPU left `group`: lets vCPUs that could run on no other CPU of the pool run on all,
    /// and finds a place for those whose place it was. To be restarted when it takes long.
    fn sweep(&self, hv: &Hypervisor, cpu: &Cpu, pool: &Pool, group: &Group) -> Result<(), Fail> {
        let mut seen = 0u32;
        let mut pause = || {
            seen = seen.wrapping_add(1);
            if seen.is_multiple_of(64) && cpu.work_pending() {
                return Err(Fail::Restart);
            }
            Ok(())
        };
        for dom in members(hv, pool.id) {
            for vcpu in dom.all_vcpus() {
                if vcpu.sched.hard.load().intersect(&pool.cpus).is_empty() {
                    log!(
                        hv,
                        Info,
                        "d{}v{} may run on all CPUs: it has lost its last one",
                        dom.id,
                        vcpu.id
                    );
                    vcpu.sched.hard.store(&CpuMask::first(MAX_CPUS as u32));
                    self.tell_affinity(cpu, vcpu);
                    // It may be in another pool's group still, and have found no place here.
                    self.rehome(cpu, &dom, vcpu);
                }
                pause()?;
            }
        }
        let mut slot = 0;
        loop {
            let queue = group.queue.lock();
            if queue.vcpus.len() <= slot {
                return Ok(());
            }
            let vcpu = queue.vcpus.get(slot).cloned().flatten();
            drop(queue);
            slot = slot.saturating_add(1);
            let Some(vcpu) = vcpu else { continue };
            if let Some(dom) = vcpu.domain.upgrade() {
                self.rehome(cpu, &dom, &vcpu);
            }
            pause()?;
        }
    }

    /// Frees a CPU that was told to leave, once it runs nothing.
    fn detach(&self, group: &Group, target: u32) -> Result<(), Fail> {
        let mut queue = group.queue.lock();
        if queue.runs(target).is_some() {
            return Err(Fail::Restart);
        }
        if let Some(place) = self.places.get(target as usize) {
            place.store(NO_GROUP, Ordering::Release);
        }
        let left = |cpu: u32| self.group(cpu).is_some_and(|of| core::ptr::eq(of, group));
        let used = queue.vcpus.iter().any(Option::is_some);
        if group.mask.is_empty() && !used && !(0..self.cpus).any(left) {
            queue.policy = kind::nobody();
            group.pool.store(NO_POOL, Ordering::Release);
            group.note(&queue);
        }
        Ok(())
    }

    /// Moves a domain to a pool, where it may run on all CPUs. Errors: `ENOENT` without such a
    /// pool or when it has no CPU; `EBUSY` while a vCPU is pinned to a CPU for a while.
    pub fn move_domain(&self, cpu: &Cpu, dom: &Domain, to: u32) -> Result<(), Errno> {
        let mut pools = self.pools.lock();
        if dom.cpupool.load(Ordering::Acquire) == to {
            return Ok(());
        }
        let pool = find(&mut pools, to).filter(|pool| !pool.cpus.is_empty());
        let pool = pool.ok_or(Errno::ENOENT)?;
        let pinned = |vcpu: &Arc<Vcpu>| vcpu.sched.pin.load(Ordering::Relaxed) != NO_PIN;
        if dom.all_vcpus().any(pinned) {
            return Err(Errno::EBUSY);
        }
        self.transfer(cpu, dom, pool.id);
        Ok(())
    }

    fn transfer(&self, cpu: &Cpu, dom: &Domain, to: u32) {
        dom.cpupool.store(to, Ordering::Release);
        let all = CpuMask::first(MAX_CPUS as u32);
        for vcpu in dom.all_vcpus() {
            vcpu.sched.hard.store(&all);
            vcpu.sched.soft.store(&all);
            self.tell_affinity(cpu, vcpu);
            self.rehome(cpu, dom, vcpu);
        }
    }
}
