//! Who runs where.
//!
//! Each CPU has a queue of the vCPUs that want it, in a lock. A vCPU stands in at most one
//! queue or runs on one CPU; all changes of that are made under the queue's lock of the CPU
//! that it belongs to.

use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::locks;
use crate::time::NEVER;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use machine::{Cpu, CpuApi, Lock};
use xen_abi::Errno;
use xen_abi::vcpu::*;

mod account;
mod ops;
mod poll;

pub use account::Account;
pub use ops::sched_op;
pub use poll::{Poll, poll_timed_out, wake_pollers};

/// A vCPU's turn, in nanoseconds.
pub const SLICE_NS: u64 = 10_000_000;

/// All queues.
pub struct Scheduler {
    queues: Vec<Lock<RunQueue>>,
}

struct RunQueue {
    waiting: VecDeque<Arc<Vcpu>>,
    current: Option<Arc<Vcpu>>,
    /// End of the turn of `current`, nanoseconds since boot; [`NEVER`] while nobody waits.
    slice_end: u64,
}

impl Default for RunQueue {
    fn default() -> Self {
        RunQueue {
            waiting: VecDeque::new(),
            current: None,
            slice_end: NEVER,
        }
    }
}

/// A vCPU's scheduling state.
pub struct VcpuSched {
    /// The CPU it belongs to.
    pub cpu: AtomicU32,
    /// Waits for an event.
    blocked: AtomicBool,
    /// Not brought up, or taken down.
    offline: AtomicBool,
    /// Whether it was given a state to run from.
    pub initialised: AtomicBool,
    /// How many want it not to run.
    pub pause_count: AtomicU32,
    /// Stands in a queue.
    queued: AtomicBool,
    /// Is on a CPU.
    running: AtomicBool,
    /// What it polls for.
    pub poll: Poll,
    /// Where its time goes.
    pub account: Account,
}

impl VcpuSched {
    /// An offline vCPU of `cpu`.
    pub fn new(cpu: u32) -> VcpuSched {
        VcpuSched {
            cpu: AtomicU32::new(cpu),
            blocked: AtomicBool::new(false),
            offline: AtomicBool::new(true),
            initialised: AtomicBool::new(false),
            pause_count: AtomicU32::new(0),
            queued: AtomicBool::new(false),
            running: AtomicBool::new(false),
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

    fn runnable(&self, dom: &Domain) -> bool {
        !self.blocked.load(Ordering::SeqCst)
            && !self.offline.load(Ordering::SeqCst)
            && self.pause_count.load(Ordering::SeqCst) == 0
            && dom.pause_count.load(Ordering::SeqCst) == 0
    }

    /// The run state of a vCPU that is on no CPU.
    fn waiting_state(&self, dom: &Domain) -> i32 {
        if self.runnable(dom) {
            RUNSTATE_runnable
        } else if self.blocked.load(Ordering::Relaxed) {
            RUNSTATE_blocked
        } else {
            RUNSTATE_offline
        }
    }
}

impl Scheduler {
    /// Queues for `cpus` CPUs. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Scheduler, Errno> {
        let mut queues = Vec::new();
        queues
            .try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        queues.resize_with(cpus as usize, || {
            Lock::new(locks::RUN_QUEUE, RunQueue::default())
        });
        Ok(Scheduler { queues })
    }

    fn queue(&self, cpu: u32) -> Option<&Lock<RunQueue>> {
        self.queues.get(cpu as usize)
    }

    /// Looks at a vCPU again after one of its conditions changed: queues it when it can run
    /// and does not, and makes its CPU take notice.
    pub fn update(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        let on = vcpu.sched.cpu.load(Ordering::Relaxed);
        let Some(queue) = self.queue(on) else { return };
        let mut queue = queue.lock();
        if vcpu.sched.running.load(Ordering::Relaxed) {
            // It may have to leave, or to take up an event.
            if on != cpu.id() {
                cpu.kick(on);
            }
            return;
        }
        let state = vcpu.sched.waiting_state(dom);
        vcpu.sched.account.change(state, cpu.now());
        if state == RUNSTATE_runnable && !vcpu.sched.queued.swap(true, Ordering::Relaxed) {
            queue.waiting.push_back(vcpu.clone());
            let busy = queue.current.is_some();
            drop(queue);
            // Also when it is this CPU: whoever runs here shall not do so for ever.
            if on != cpu.id() || busy {
                cpu.kick(on);
            }
        }
    }

    /// An event came for a vCPU: it is not blocked any more.
    #[inline]
    pub fn wake(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        if vcpu.sched.blocked.load(Ordering::SeqCst)
            && vcpu.sched.blocked.swap(false, Ordering::SeqCst)
        {
            self.update(cpu, dom, vcpu);
        }
    }

    /// An event came for a vCPU: wakes it, or makes its CPU take notice when it runs.
    #[inline]
    pub fn notify(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        if vcpu.sched.blocked.load(Ordering::SeqCst) {
            self.wake(cpu, dom, vcpu);
        } else if vcpu.sched.running.load(Ordering::SeqCst) {
            let on = vcpu.sched.cpu.load(Ordering::Relaxed);
            if on != cpu.id() {
                cpu.kick(on);
            }
        }
    }

    /// Marks a vCPU blocked. The caller looks for pending events afterwards and, if there is
    /// one, calls [`Scheduler::unblock_self`].
    #[inline]
    pub fn block(&self, vcpu: &Vcpu) {
        vcpu.sched.blocked.store(true, Ordering::SeqCst);
    }

    /// Takes [`Scheduler::block`] back, for the vCPU that runs here.
    #[inline]
    pub fn unblock_self(&self, vcpu: &Vcpu) {
        vcpu.sched.blocked.store(false, Ordering::SeqCst);
    }

    /// Brings a vCPU up or takes it down.
    pub fn set_online(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>, online: bool) {
        if online {
            vcpu.sched.initialised.store(true, Ordering::SeqCst);
        }
        vcpu.sched.offline.store(!online, Ordering::SeqCst);
        self.update(cpu, dom, vcpu);
    }

    /// The vCPU to run next on this CPU; `None` when there is none.
    /// The one that ran so far goes to the queue's end if it still can run.
    pub fn next(&self, hv: &Hypervisor, cpu: &mut Cpu) -> Option<Arc<Vcpu>> {
        let now = cpu.now();
        let mut queue = self.queue(cpu.id())?.lock();
        if let Some(last) = queue.current.take() {
            last.sched.running.store(false, Ordering::SeqCst);
            let state = match last.domain.upgrade() {
                Some(dom) => last.sched.waiting_state(&dom),
                None => RUNSTATE_offline,
            };
            last.sched.account.change(state, now);
            if state == RUNSTATE_runnable && !last.sched.queued.swap(true, Ordering::Relaxed) {
                queue.waiting.push_back(last);
            }
        }
        // Each of those waiting is looked at once: some may have been paused meanwhile.
        let mut chosen = None;
        for _ in 0..queue.waiting.len() {
            let Some(vcpu) = queue.waiting.pop_front() else {
                break;
            };
            vcpu.sched.queued.store(false, Ordering::Relaxed);
            if let Some(dom) = vcpu.domain.upgrade().filter(|dom| vcpu.sched.runnable(dom)) {
                vcpu.sched.running.store(true, Ordering::SeqCst);
                vcpu.sched.account.change(RUNSTATE_running, now);
                chosen = Some((vcpu, dom));
                break;
            }
        }
        let contended = chosen.is_some() && !queue.waiting.is_empty();
        let end = if contended {
            now.saturating_add(SLICE_NS)
        } else {
            NEVER
        };
        let changed = queue.slice_end != end;
        queue.slice_end = end;
        queue.current = chosen.as_ref().map(|(vcpu, _)| vcpu.clone());
        drop(queue);
        if changed {
            hv.clocks.timers.set_slice_end(cpu, end);
        }
        let (vcpu, dom) = chosen?;
        if vcpu.sched.poll.active() {
            poll::ended(hv, cpu, &dom, &vcpu);
        }
        Some(vcpu)
    }

    /// The vCPU on this CPU is about to be taken off: enters its new state in the account.
    pub fn leaving(&self, cpu: &Cpu, dom: &Domain, vcpu: &Vcpu) {
        let Some(queue) = self.queue(cpu.id()) else {
            return;
        };
        let _queue = queue.lock();
        vcpu.sched
            .account
            .change(vcpu.sched.waiting_state(dom), cpu.now());
    }

    /// Whether the vCPU that wanted to give up this CPU can stay on it, because nobody else
    /// wants it and it may go on.
    #[inline]
    pub fn stay(&self, hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) -> bool {
        if !vcpu.sched.runnable(dom) {
            return false;
        }
        let Some(queue) = self.queue(cpu.id()) else {
            return false;
        };
        if !queue.lock().waiting.is_empty() {
            return false;
        }
        if vcpu.sched.poll.active() {
            poll::ended(hv, cpu, dom, vcpu);
        }
        true
    }

    /// This CPU's timer struck or somebody kicked it: whether the vCPU that runs has to leave,
    /// because it may not go on or its turn is over.
    pub fn turn_over(&self, hv: &Hypervisor, cpu: &mut Cpu) -> bool {
        let Some(lock) = self.queue(cpu.id()) else {
            return false;
        };
        let now = cpu.now();
        let mut queue = lock.lock();
        let Some(current) = &queue.current else {
            return false;
        };
        let can = current
            .domain
            .upgrade()
            .is_some_and(|dom| current.sched.runnable(&dom));
        if !can || now >= queue.slice_end {
            return true;
        }
        if queue.slice_end == NEVER && !queue.waiting.is_empty() {
            let end = now.saturating_add(SLICE_NS);
            queue.slice_end = end;
            drop(queue);
            hv.clocks.timers.set_slice_end(cpu, end);
        }
        false
    }

    /// The run-state record of a vCPU, up to now.
    pub fn account(&self, cpu: &Cpu, vcpu: &Vcpu) -> VcpuRunstateInfo {
        let _queue = self
            .queue(vcpu.sched.cpu.load(Ordering::Relaxed))
            .map(Lock::lock);
        vcpu.sched.account.info_at(cpu.now())
    }

    /// Whether a vCPU may run on one CPU only.
    pub fn is_pinned(&self, _vcpu: &Vcpu) -> bool {
        false
    }

    /// Pins the vCPU to one CPU for a while, or undoes it. Errors: `EBUSY`.
    pub fn pin_override(&self, _cpu: &Cpu, _vcpu: &Vcpu, _pin: Option<u32>) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Whether another vCPU waits for this CPU.
    pub fn contended(&self, cpu: u32) -> bool {
        self.queue(cpu)
            .is_some_and(|queue| !queue.lock().waiting.is_empty())
    }
}

/// Another CPU asked this one to look at its work: whether the vCPU that runs has to leave.
pub fn kicked(hv: &Hypervisor, cpu: &mut Cpu) -> bool {
    crate::time::run_timers(hv, cpu);
    hv.sched.turn_over(hv, cpu)
}
