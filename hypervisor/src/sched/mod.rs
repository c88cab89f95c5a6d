//! Who runs where.
//!
//! CPUs belong to pools, a domain to one of them. A pool's CPUs form groups; each has a run
//! queue in a lock, in which a [`policy::Policy`] decides. A vCPU belongs to one group at a time
//! and runs on one CPU at most; both change under the lock of its group, or of both groups when
//! it moves. A CPU that has to take notice is kicked.

use crate::domain::{Domain, Vcpu};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::{Cpu, CpuApi, Lock};
use xen_abi::Errno;
use xen_abi::vcpu::*;

mod account;
mod affinity;
mod credit2;
mod dump;
mod group;
mod idle;
mod kind;
mod nobody;
mod null;
mod ops;
mod place;
pub mod policy;
mod poll;
mod pool;
mod pool_cpus;
mod rtds;
mod share;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
mod turn;
mod vcpu;

pub use account::Account;
pub use kind::Kind;
pub use ops::sched_op;
pub use poll::{Poll, poll_timed_out, wake_pollers};
pub use pool::{PoolInfo, Tunables};
pub use share::{DEFAULT_WEIGHT, Share};
pub use turn::kicked;
pub use vcpu::VcpuSched;

use group::Group;
use idle::IdleTime;
use pool::Pool;

/// Most CPUs of a group, unless its policy wants them all.
const GROUP: u32 = 16;
/// In place of a group's number: none.
const NO_GROUP: u32 = u32::MAX;

/// How long a vCPU that began to run goes on at least, unless set otherwise, microseconds.
pub const DEFAULT_RATE_LIMIT_US: u32 = 1000;

/// All run queues.
pub struct Scheduler {
    /// As many as there are CPUs, so that each could have a pool to itself.
    groups: Vec<Group>,
    /// Groups from here on were never used.
    used: AtomicU32,
    /// The group of each CPU, [`NO_GROUP`] for one that is in no pool. Changes under the lock
    /// of the group.
    places: Vec<AtomicU32>,
    cpus: u32,
    /// The policy of new pools, unless they are given one.
    default: Kind,
    /// The rate limit of new pools, microseconds.
    default_rate_limit_us: u32,
    /// The pools, by rising number. Everything that places CPUs or vCPUs is done under this
    /// lock, but for what follows from it.
    pools: Lock<Vec<Pool>>,
    idle: Vec<IdleTime>,
}

fn filled<T>(n: u32, with: impl FnMut() -> T) -> Result<Vec<T>, Errno> {
    let mut all = Vec::new();
    all.try_reserve_exact(n as usize)
        .map_err(|_| Errno::ENOMEM)?;
    all.resize_with(n as usize, with);
    Ok(all)
}

impl Scheduler {
    /// Queues for `cpus` CPUs, all in one pool under the default policy. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Scheduler, Errno> {
        Self::with(cpus, Kind::default(), DEFAULT_RATE_LIMIT_US)
    }

    /// Queues for `cpus` CPUs, all in one pool, with a rate limit in microseconds (0 for none).
    /// Errors: `ENOMEM`.
    pub fn with(cpus: u32, kind: Kind, rate_limit_us: u32) -> Result<Scheduler, Errno> {
        let sched = Scheduler {
            groups: filled(cpus, Group::new)?,
            used: AtomicU32::new(0),
            places: filled(cpus, || AtomicU32::new(NO_GROUP))?,
            cpus,
            default: kind,
            default_rate_limit_us: rate_limit_us,
            pools: Lock::new(crate::locks::POOLS, Vec::new()),
            idle: filled(cpus, IdleTime::default)?,
        };
        let mut pools = sched.pools.lock();
        pools.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let mut pool = Pool::new(0, kind, rate_limit_us);
        (0..cpus).try_for_each(|cpu| sched.attach(&mut pool, cpu))?;
        pools.push(pool);
        drop(pools);
        Ok(sched)
    }

    /// Looks at a vCPU again after one of its conditions changed: lets it wait for a CPU when
    /// it can run and does not, and makes a CPU take notice.
    pub fn update(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        let Some((group, mut queue)) = self.lock_of(vcpu) else {
            return self.first_update(cpu, dom, vcpu);
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
        let slot = vcpu.sched.slot.load(Ordering::Relaxed);
        let told = if state == RUNSTATE_runnable {
            queue.policy.wake(slot, now)
        } else {
            queue.policy.sleep(slot);
            None
        };
        group.tell(cpu, queue, told);
    }

    /// [`Scheduler::update`] of a vCPU that no policy knows.
    #[cold]
    fn first_update(&self, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
        let known = self.admit(dom, vcpu).is_ok();
        if known && vcpu.sched.group.load(Ordering::Acquire) != vcpu::GONE {
            self.update(cpu, dom, vcpu);
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

    /// The run-state record of a vCPU, up to now.
    pub fn account(&self, cpu: &Cpu, vcpu: &Vcpu) -> VcpuRunstateInfo {
        let _queue = self.lock_of(vcpu);
        vcpu.sched.account.info_at(cpu.now())
    }
}
