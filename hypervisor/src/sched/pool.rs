//! Pools of CPUs: each domain belongs to one and runs on its CPUs only.

use super::Scheduler;
use crate::domain::Domain;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::CpuMask;
use xen_abi::Errno;
use xen_abi::domctl::XEN_SCHEDULER_CREDIT2;

/// A pool as it is just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolInfo {
    /// Its number.
    pub id: u32,
    /// Its scheduler, `XEN_SCHEDULER_*`.
    pub sched_id: u32,
    /// Its CPUs.
    pub cpus: CpuMask,
}

/// What can be set for the policies of a pool while they are at work.
#[derive(Debug)]
pub struct Tunables {
    /// A unit that began to run goes on for so long at least, nanoseconds.
    pub rate_limit_ns: AtomicU64,
}

impl Default for Tunables {
    fn default() -> Self {
        Tunables {
            rate_limit_ns: AtomicU64::new(super::credit2::RATE_LIMIT),
        }
    }
}

impl Scheduler {
    /// The scheduler chosen at boot, `XEN_SCHEDULER_*`.
    pub fn default_id(&self) -> u32 {
        XEN_SCHEDULER_CREDIT2
    }

    /// The pool with this number.
    pub fn pool(&self, id: u32) -> Option<PoolInfo> {
        (id == 0).then(|| PoolInfo {
            id: 0,
            sched_id: self.default_id(),
            cpus: CpuMask::first(self.cpus),
        })
    }

    /// The first pool with a number of at least `from`.
    pub fn pool_from(&self, from: u32) -> Option<PoolInfo> {
        self.pool(from)
    }

    /// The pool of a domain.
    pub fn pool_of(&self, dom: &Domain) -> Option<PoolInfo> {
        self.pool(dom.cpupool.load(Ordering::Acquire))
    }

    /// The CPUs of a domain's pool.
    pub fn cpus_of(&self, dom: &Domain) -> CpuMask {
        self.pool_of(dom).map_or(CpuMask::EMPTY, |pool| pool.cpus)
    }

    /// CPUs that belong to no pool.
    pub fn free_cpus(&self) -> CpuMask {
        CpuMask::EMPTY
    }

    fn tunables(&self, pool: u32) -> Option<&Arc<Tunables>> {
        (pool == 0).then_some(&self.tunables)
    }

    /// How long a vCPU of this pool runs at least, microseconds; 0 for no such limit.
    pub fn rate_limit(&self, pool: u32) -> Option<u32> {
        let ns = self.tunables(pool)?.rate_limit_ns.load(Ordering::Relaxed);
        u32::try_from(ns / 1000).ok()
    }

    /// Sets [`Scheduler::rate_limit`]. Errors: `ESRCH`.
    pub fn set_rate_limit(&self, pool: u32, us: u32) -> Result<(), Errno> {
        let tunables = self.tunables(pool).ok_or(Errno::ESRCH)?;
        let ns = u64::from(us).saturating_mul(1000);
        tunables.rate_limit_ns.store(ns, Ordering::Relaxed);
        Ok(())
    }
}
