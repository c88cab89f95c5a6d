//! A CPU's turns: what runs next, when it has to leave, and whether it may stay.

use super::group::{Group, RunQueue};
use super::policy::Leaves;
use super::{Scheduler, poll};
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi, Guard};
use xen_abi::vcpu::*;

impl Scheduler {
    /// The vCPU to run next on this CPU; `None` when there is none.
    pub fn next(&self, hv: &Hypervisor, cpu: &mut Cpu) -> Option<Arc<Vcpu>> {
        let now = cpu.now();
        let Some((group, mut queue)) = self.lock_cpu(cpu.id()) else {
            self.note_idle(cpu, true, now);
            return None;
        };
        let last = queue.cpu(cpu.id())?.current.take();
        let mut leaves = match &last {
            Some(last) => came_off(last, now),
            None => Leaves::Asleep,
        };
        let displaced = last.filter(|last| last.sched.displaced.load(Ordering::Relaxed));
        if let Some(last) = &displaced {
            // Set again if it is found in a wrong place again.
            last.sched.displaced.store(false, Ordering::Relaxed);
            leaves = Leaves::Asleep;
        }
        let mut next = choose(group, queue, cpu, leaves, now);
        if let Some(vcpu) = displaced {
            if let Some(dom) = vcpu.domain.upgrade() {
                self.rehome(cpu, &dom, &vcpu);
            }
            if next.vcpu.is_none() {
                next = next.again(group, cpu, now);
            }
        }
        if next.vcpu.is_none() {
            if self.steal(cpu, group, now) {
                next = next.again(group, cpu, now);
            }
        } else {
            self.balance(cpu, group, now);
        }
        if let Some(until) = next.until {
            hv.clocks.timers.set_slice_end(cpu, until);
        }
        self.note_idle(cpu, next.vcpu.is_none(), now);
        let vcpu = next.vcpu?;
        if vcpu.sched.poll.active() {
            let dom = vcpu.domain.upgrade()?;
            poll::ended(hv, cpu, &dom, &vcpu);
        }
        Some(vcpu)
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
        let Some((_, mut queue)) = self.lock_cpu(cpu.id()) else {
            return false;
        };
        let now = cpu.now();
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
        if !can || now >= end || current.sched.must_leave.load(Ordering::Relaxed) {
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

impl Next {
    /// Chooses once more, for a CPU that found nothing.
    #[cold]
    fn again(self, group: &Group, cpu: &Cpu, now: u64) -> Next {
        let next = choose(group, group.queue.lock(), cpu, Leaves::Asleep, now);
        Next {
            vcpu: next.vcpu,
            // What the first choice came to is not told to the timer yet.
            until: next.until.or(self.until),
        }
    }
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

/// Another CPU asked this one to look at its work: whether the vCPU that runs has to leave.
pub fn kicked(hv: &Hypervisor, cpu: &mut Cpu) -> bool {
    crate::time::run_timers(hv, cpu);
    hv.sched.turn_over(hv, cpu)
}
