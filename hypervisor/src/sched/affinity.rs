//! Where a vCPU may run.

use super::Scheduler;
use super::vcpu::NO_PIN;
use crate::domain::{Domain, Vcpu};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi, CpuMask};
use xen_abi::Errno;

impl Scheduler {
    /// Sets the CPUs that a vCPU may run on, and those that it should run on. Errors: `EINVAL`
    /// when it may run on none of its pool, `EBUSY` while it is pinned for a while.
    pub fn set_affinity(
        &self,
        cpu: &Cpu,
        dom: &Domain,
        vcpu: &Arc<Vcpu>,
        hard: &CpuMask,
        soft: &CpuMask,
    ) -> Result<(), Errno> {
        if hard.intersect(&self.cpus_of(dom)).is_empty() {
            return Err(Errno::EINVAL);
        }
        if vcpu.sched.pin.load(Ordering::Relaxed) != NO_PIN {
            return Err(Errno::EBUSY);
        }
        vcpu.sched.hard.store(hard);
        vcpu.sched.soft.store(soft);
        self.apply_affinity(cpu, vcpu);
        Ok(())
    }

    /// Pins the vCPU to one CPU for a while, or undoes it. Errors: `EINVAL` without such a CPU
    /// or without a pin to undo, `EBUSY` when it is pinned already.
    pub fn pin_override(
        &self,
        cpu: &Cpu,
        dom: &Domain,
        vcpu: &Arc<Vcpu>,
        pin: Option<u32>,
    ) -> Result<(), Errno> {
        let old = vcpu.sched.pin.load(Ordering::Relaxed);
        let new = match pin {
            Some(pin) if !self.cpus_of(dom).contains(pin) => return Err(Errno::EINVAL),
            Some(_) if old != NO_PIN => return Err(Errno::EBUSY),
            Some(pin) => pin,
            None if old == NO_PIN => return Err(Errno::EINVAL),
            None => NO_PIN,
        };
        vcpu.sched.pin.store(new, Ordering::Relaxed);
        self.apply_affinity(cpu, vcpu);
        Ok(())
    }

    /// A domain's entitlement changed: CPUs that run it look again, those of its vCPUs that had
    /// used up a cap wait again if they may.
    pub fn share_changed(&self, cpu: &Cpu, dom: &Domain) {
        for vcpu in dom.all_vcpus() {
            let Some((group, mut queue)) = self.lock_of(vcpu) else {
                continue;
            };
            let slot = vcpu.sched.slot.load(Ordering::Relaxed);
            let told = queue.policy.share_changed(slot, cpu.now());
            group.tell(cpu, queue, told);
        }
    }

    fn apply_affinity(&self, cpu: &Cpu, vcpu: &Arc<Vcpu>) {
        let Some((group, mut queue)) = self.lock_of(vcpu) else {
            return;
        };
        let (may, soft) = (vcpu.sched.may(), vcpu.sched.soft.load());
        let slot = vcpu.sched.slot.load(Ordering::Relaxed);
        let told = queue.policy.set_affinity(slot, may, soft, cpu.now());
        let elsewhere = may.intersect(&group.mask).is_empty();
        group.tell(cpu, queue, told);
        if elsewhere {
            self.rehome(cpu, vcpu);
        }
    }

    /// Whether a vCPU may run on one CPU only.
    pub fn is_pinned(&self, vcpu: &Vcpu) -> bool {
        vcpu.sched
            .may()
            .intersect(&CpuMask::first(self.cpus))
            .count()
            == 1
    }
}
