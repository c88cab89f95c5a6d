//! A CPU's turns: what runs next, when it has to leave, and whether it may stay.

use super::group::{Group, RunQueue};
use super::policy::Leaves;
use super::{GROUP, Scheduler, poll};
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::lock::lock_pair;
use machine::{Cpu, CpuApi, CpuMask, Guard};
use xen_abi::vcpu::*;

impl Scheduler {
    /// The vCPU to run next on this CPU; `None` when there is none.
    pub fn next(&self, hv: &Hypervisor, cpu: &mut Cpu) -> Option<Arc<Vcpu>> {
        let group = self.group(cpu.id())?;
        let mut queue = group.queue.lock();
        let last = queue.cpu(cpu.id())?.current.take();
        let now = cpu.now();
        let leaves = match &last {
            Some(last) => came_off(last, now),
            None => Leaves::Asleep,
        };
        let mut next = choose(group, queue, cpu, leaves, now);
        if let Some(last) = last.filter(|_| leaves != Leaves::Asleep)
            && last.sched.may().intersect(&group.mask).is_empty()
        {
            self.rehome(cpu, &last);
        }
        if next.vcpu.is_none() && self.steal(cpu, group, now) {
            next = choose(group, group.queue.lock(), cpu, Leaves::Asleep, now);
        }
        if let Some(until) = next.until {
            hv.clocks.timers.set_slice_end(cpu, until);
        }
        if let Some(idle) = self.idle.get(cpu.id() as usize) {
            idle.enter(next.vcpu.is_none(), now);
        }
        let vcpu = next.vcpu?;
        if vcpu.sched.poll.active() {
            let dom = vcpu.domain.upgrade()?;
            poll::ended(hv, cpu, &dom, &vcpu);
        }
        Some(vcpu)
    }

    /// Takes a waiting vCPU over from another group for this CPU, which is idle. Whether it did.
    fn steal(&self, cpu: &Cpu, group: &Group, now: u64) -> bool {
        let me = CpuMask::one(cpu.id());
        for other in &self.groups {
            if core::ptr::eq(other, group) || other.waiting.load(Ordering::Acquire) == 0 {
                continue;
            }
            let (mut mine, theirs) = lock_pair(&group.queue, &other.queue);
            let Some(mut theirs) = theirs else { continue };
            let Some(slot) = theirs.policy.spare(&me) else {
                continue;
            };
            let Some(vcpu) = theirs.vcpu(slot).cloned() else {
                continue;
            };
            if move_unit(&mut theirs, &mut mine, &vcpu, cpu.id() / GROUP) {
                other
                    .waiting
                    .store(theirs.policy.waiting() as u32, Ordering::Release);
                let slot = vcpu.sched.slot.load(Ordering::Relaxed);
                drop(theirs);
                // This CPU looks next; another idle one may be told, and finds out.
                let told = mine.policy.wake(slot, now);
                group.tell(cpu, mine, told);
                return true;
            }
        }
        false
    }

    /// Brings a vCPU that may not run in its group any more to one where it may. Nothing
    /// happens while it runs.
    pub(super) fn rehome(&self, cpu: &Cpu, vcpu: &Arc<Vcpu>) {
        let may = vcpu.sched.may();
        let old = vcpu.sched.group.load(Ordering::Acquire);
        let found = self
            .groups
            .iter()
            .position(|g| !g.mask.intersect(&may).is_empty());
        let (Some(from), Some(index)) = (self.groups.get(old as usize), found) else {
            return;
        };
        let Some(to) = self.groups.get(index) else {
            return;
        };
        let (mut theirs, mine) = lock_pair(&from.queue, &to.queue);
        let Some(mut mine) = mine else { return };
        let moved = vcpu.sched.group.load(Ordering::Relaxed) != old;
        if moved || vcpu.sched.running.load(Ordering::Relaxed) {
            return;
        }
        if !move_unit(&mut theirs, &mut mine, vcpu, index as u32) {
            return;
        }
        from.waiting
            .store(theirs.policy.waiting() as u32, Ordering::Release);
        drop(theirs);
        let runnable = vcpu
            .domain
            .upgrade()
            .is_some_and(|dom| vcpu.sched.runnable(&dom));
        let slot = vcpu.sched.slot.load(Ordering::Relaxed);
        let told = if runnable {
            mine.policy.wake(slot, cpu.now())
        } else {
            None
        };
        to.tell(cpu, mine, told);
    }

    /// The vCPU on this CPU is about to be taken off: enters its new state in the account.
    #[inline]
    pub fn leaving(&self, cpu: &Cpu, dom: &Domain, vcpu: &Vcpu) {
        // Nobody else changes the account of a vCPU that runs, so this needs no lock.
        vcpu.sched
            .account
            .change(vcpu.sched.waiting_state(dom), cpu.now());
    }

    /// Whether the vCPU that wanted to give up this CPU can stay on it, because nobody else
    /// wants it and it may go on.
    #[inline]
    pub fn stay(&self, hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) -> bool {
        let sched = &vcpu.sched;
        let free = self
            .group(cpu.id())
            .is_some_and(|g| g.waiting.load(Ordering::Acquire) == 0);
        if !free || !sched.runnable(dom) || sched.must_leave.load(Ordering::Relaxed) {
            return false;
        }
        sched.yields.store(false, Ordering::Relaxed);
        if sched.poll.active() {
            poll::ended(hv, cpu, dom, vcpu);
        }
        true
    }

    /// This CPU's timer struck or somebody kicked it: whether the vCPU that runs has to leave,
    /// because it may not go on or its turn is over.
    pub fn turn_over(&self, hv: &Hypervisor, cpu: &mut Cpu) -> bool {
        let Some(group) = self.group(cpu.id()) else {
            return false;
        };
        let now = cpu.now();
        let mut queue = group.queue.lock();
        let end = queue.policy.turn_end(cpu.id());
        let Some(run) = queue.cpu(cpu.id()) else {
            return false;
        };
        let Some(current) = &run.current else {
            return false;
        };
        let can = current
            .domain
            .upgrade()
            .is_some_and(|dom| current.sched.runnable(&dom));
        if !can || now >= end {
            current.sched.must_leave.store(true, Ordering::Relaxed);
            return true;
        }
        if run.set_until(end) {
            drop(queue);
            hv.clocks.timers.set_slice_end(cpu, end);
        }
        false
    }
}

/// What [`choose`] found.
struct Next {
    vcpu: Option<Arc<Vcpu>>,
    /// When to ask again, if the CPU's timer does not know yet.
    until: Option<u64>,
}

/// A vCPU came off its CPU: how.
fn came_off(vcpu: &Vcpu, now: u64) -> Leaves {
    let sched = &vcpu.sched;
    sched.running.store(false, Ordering::SeqCst);
    sched.must_leave.store(false, Ordering::Relaxed);
    let state = match vcpu.domain.upgrade() {
        Some(dom) => sched.waiting_state(&dom),
        None => RUNSTATE_offline,
    };
    sched.account.change(state, now);
    let yields = sched.yields.swap(false, Ordering::Relaxed);
    match (state == RUNSTATE_runnable, yields) {
        (true, true) => Leaves::Yields,
        (true, false) => Leaves::Ready,
        _ => Leaves::Asleep,
    }
}

/// Lets the policy choose for this CPU and carries it out.
fn choose(
    group: &Group,
    mut queue: Guard<'_, RunQueue>,
    cpu: &Cpu,
    leaves: Leaves,
    now: u64,
) -> Next {
    let choice = queue.policy.next(cpu.id(), now, leaves);
    let vcpu = choice.unit.and_then(|slot| queue.vcpu(slot)).cloned();
    if let Some(vcpu) = &vcpu {
        vcpu.sched.cpu.store(cpu.id(), Ordering::Relaxed);
        vcpu.sched.running.store(true, Ordering::SeqCst);
        vcpu.sched.account.change(RUNSTATE_running, now);
    }
    let mut until = None;
    if let Some(run) = queue.cpu(cpu.id()) {
        until = run.set_until(choice.until).then_some(choice.until);
        run.current.clone_from(&vcpu);
    }
    group.tell(cpu, queue, choice.tell);
    Next { vcpu, until }
}

/// Moves a unit that does not run from one queue to another, where it is asleep. Whether there
/// was memory for that.
fn move_unit(from: &mut RunQueue, to: &mut RunQueue, vcpu: &Arc<Vcpu>, group: u32) -> bool {
    let Some(unit) = from.remove(vcpu) else {
        vcpu.sched.group.store(group, Ordering::Release);
        return true;
    };
    if to.add(vcpu, unit.clone()).is_ok() {
        vcpu.sched.group.store(group, Ordering::Release);
        return true;
    }
    // The place that it had is free. It sleeps there now; the caller's `update` wakes it.
    let _ = from.add(vcpu, unit);
    false
}

/// Another CPU asked this one to look at its work: whether the vCPU that runs has to leave.
pub fn kicked(hv: &Hypervisor, cpu: &mut Cpu) -> bool {
    crate::time::run_timers(hv, cpu);
    hv.sched.turn_over(hv, cpu)
}
