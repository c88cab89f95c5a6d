//! Who runs where.
//!
//! CPUs form groups; each has a run queue in a lock, in which a [`policy::Policy`] decides. A
//! vCPU belongs to one group at a time and runs on one CPU at most; both change under the lock
//! of its group, or of both groups when it moves. A CPU that has to take notice is kicked.

use crate::domain::{Domain, Vcpu};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};
use xen_abi::Errno;
use xen_abi::vcpu::*;

mod account;
mod affinity;
mod credit2;
mod group;
mod idle;
mod ops;
pub mod policy;
mod poll;
mod pool;
mod share;
#[cfg(test)]
mod tests;
mod turn;
mod vcpu;

pub use account::Account;
pub use ops::sched_op;
pub use poll::{Poll, poll_timed_out, wake_pollers};
pub use pool::{PoolInfo, Tunables};
pub use share::{DEFAULT_WEIGHT, Share};
pub use turn::kicked;
pub use vcpu::VcpuSched;

use group::Group;
use idle::IdleTime;

/// CPUs of a group.
const GROUP: u32 = 16;

/// All run queues.
pub struct Scheduler {
    groups: Vec<Group>,
    cpus: u32,
    tunables: Arc<Tunables>,
    idle: Vec<IdleTime>,
}

impl Scheduler {
    /// Queues for `cpus` CPUs. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Scheduler, Errno> {
        let mut groups = Vec::new();
        groups
            .try_reserve_exact(cpus.div_ceil(GROUP) as usize)
            .map_err(|_| Errno::ENOMEM)?;
        let tunables = Arc::new(Tunables::default());
        for first in (0..cpus).step_by(GROUP as usize) {
            groups.push(Group::new(first, (cpus - first).min(GROUP), &tunables)?);
        }
        let mut idle = Vec::new();
        idle.try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        idle.resize_with(cpus as usize, IdleTime::default);
        Ok(Scheduler {
            groups,
            cpus,
            tunables,
            idle,
        })
    }

    /// The group of a CPU.
    #[inline]
    fn group(&self, cpu: u32) -> Option<&Group> {
        self.groups.get((cpu / GROUP) as usize)
    }

    /// Looks at a vCPU again after one of its conditions changed: lets it wait for a CPU when
    /// it can run and does not, and makes a CPU take notice.
    pub fn update(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        let Some((group, mut queue)) = self.lock_of(vcpu) else {
            return;
        };
        if vcpu.sched.running.load(Ordering::Relaxed) {
            drop(queue);
            // It may have to leave, or to take up an event. Whoever does this to the vCPU on
            // his own CPU looks by himself.
            let on = vcpu.sched.cpu.load(Ordering::Relaxed);
            if on != cpu.id() {
                cpu.kick(on);
            }
            return;
        }
        let now = cpu.now();
        let state = vcpu.sched.waiting_state(dom);
        vcpu.sched.account.change(state, now);
        let told = if state == RUNSTATE_runnable {
            queue
                .slot(dom, vcpu)
                .and_then(|slot| queue.policy.wake(slot, now))
        } else {
            queue.policy.sleep(vcpu.sched.slot.load(Ordering::Relaxed));
            None
        };
        group.tell(cpu, queue, told);
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

    /// Lets a vCPU go that will not run again. It is on no CPU.
    pub fn forget(&self, vcpu: &Arc<Vcpu>) {
        if let Some((_, mut queue)) = self.lock_of(vcpu) {
            vcpu.sched.offline.store(true, Ordering::SeqCst);
            queue.remove(vcpu);
        }
    }

    /// The run-state record of a vCPU, up to now.
    pub fn account(&self, cpu: &Cpu, vcpu: &Vcpu) -> VcpuRunstateInfo {
        let _queue = self.lock_of(vcpu);
        vcpu.sched.account.info_at(cpu.now())
    }
}
