//! Pools of CPUs: each domain belongs to one and runs on its CPUs only, under its policy.
//!
//! Lock: the scheduler's list of pools. Pool 0 is there always and has CPU 0, so that the
//! control domain, which stays in it, can run. A CPU that is told to leave its pool is in none
//! once what it runs has left it; until then its place still names its group.

use super::{Kind, Scheduler};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::CpuMask;
use xen_abi::Errno;
use xen_abi::sysctl::XEN_SYSCTL_CPUPOOL_PAR_ANY;

/// A pool.
pub(super) struct Pool {
    pub id: u32,
    pub kind: Kind,
    pub tunables: Arc<Tunables>,
    /// Its CPUs, but for those that were told to leave.
    pub cpus: CpuMask,
}

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
        Tunables::with_rate_limit(super::DEFAULT_RATE_LIMIT_US)
    }
}

impl Tunables {
    /// With this rate limit in microseconds; 0 for none.
    pub fn with_rate_limit(us: u32) -> Tunables {
        Tunables {
            rate_limit_ns: AtomicU64::new(u64::from(us).saturating_mul(1000)),
        }
    }
}

impl Pool {
    /// A pool without CPUs.
    pub fn new(id: u32, kind: Kind, rate_limit_us: u32) -> Pool {
        Pool {
            id,
            kind,
            tunables: Arc::new(Tunables::with_rate_limit(rate_limit_us)),
            cpus: CpuMask::EMPTY,
        }
    }

    fn info(&self) -> PoolInfo {
        PoolInfo {
            id: self.id,
            sched_id: self.kind.id(),
            cpus: self.cpus,
        }
    }
}

/// The domains of a pool, by id, dying ones among them.
pub(super) fn members(hv: &Hypervisor, pool: u32) -> impl Iterator<Item = Arc<Domain>> {
    let mut next = Some(0u16);
    core::iter::from_fn(move || {
        loop {
            let dom = hv.domains.from(next?)?;
            next = dom.id.checked_add(1);
            if dom.cpupool.load(Ordering::Acquire) == pool {
                return Some(dom);
            }
        }
    })
}

impl Scheduler {
    /// The scheduler chosen at boot, `XEN_SCHEDULER_*`.
    pub fn default_id(&self) -> u32 {
        self.default.id()
    }

    /// The pool with this number. A domain can be made in it when it has CPUs.
    pub fn pool(&self, id: u32) -> Option<PoolInfo> {
        self.pool_from(id).filter(|pool| pool.id == id)
    }

    /// The first pool with a number of at least `from`.
    pub fn pool_from(&self, from: u32) -> Option<PoolInfo> {
        let pools = self.pools.lock();
        pools.iter().find(|pool| pool.id >= from).map(Pool::info)
    }

    /// Whether nothing but other vCPUs keeps a domain's from running when they can: its policy
    /// gives nobody a CPU or a budget of his own, and it has no cap.
    pub fn shares_time(&self, dom: &Domain) -> bool {
        let pool = self.pool_of(dom);
        pool.is_some_and(|pool| pool.sched_id == Kind::Credit2.id()) && dom.share.cap() == 0
    }

    /// The pool of a domain.
    pub fn pool_of(&self, dom: &Domain) -> Option<PoolInfo> {
        self.pool(dom.cpupool.load(Ordering::Acquire))
    }

    /// Does `work` while pool `id` stays as it is. `None` without such a pool, or one without
    /// CPUs.
    pub fn while_pool<R>(&self, id: u32, work: impl FnOnce() -> R) -> Option<R> {
        let pools = self.pools.lock();
        pools
            .iter()
            .find(|pool| pool.id == id && !pool.cpus.is_empty())?;
        Some(work())
    }

    /// The CPUs of a domain's pool.
    pub fn cpus_of(&self, dom: &Domain) -> CpuMask {
        self.pool_of(dom).map_or(CpuMask::EMPTY, |pool| pool.cpus)
    }

    /// How many domains are in a pool, dying ones among them.
    pub fn pool_domains(&self, hv: &Hypervisor, pool: u32) -> u32 {
        members(hv, pool).count() as u32
    }

    /// CPUs that belong to no pool.
    pub fn free_cpus(&self) -> CpuMask {
        let mut free = CpuMask::EMPTY;
        (0..self.cpus)
            .filter(|&cpu| self.is_free(cpu))
            .for_each(|cpu| free.set(cpu));
        free
    }

    /// Makes a pool without CPUs, with this number or any. Its number. Errors: `ENOENT` without
    /// such a scheduler, `EEXIST`, `ENOSPC` when there are many, `ENOMEM`.
    pub fn create_pool(&self, id: u32, sched_id: u32) -> Result<u32, Errno> {
        let mut pools = self.pools.lock();
        if pools.len() as u64 >= u64::from(self.cpus).saturating_mul(2) {
            return Err(Errno::ENOSPC);
        }
        let id = match id {
            XEN_SYSCTL_CPUPOOL_PAR_ANY => {
                let after = pools.last().map_or(0, |last| last.id.saturating_add(1));
                let taken = |id: u32| pools.iter().any(|pool| pool.id == id);
                let free = |&id: &u32| id != XEN_SYSCTL_CPUPOOL_PAR_ANY && !taken(id);
                let mut ids = core::iter::once(after).chain(0..=pools.len() as u32);
                ids.find(free).ok_or(Errno::ENOSPC)?
            }
            id => id,
        };
        let at = pools.partition_point(|pool| pool.id < id);
        if pools.get(at).is_some_and(|pool| pool.id == id) {
            return Err(Errno::EEXIST);
        }
        let kind = Kind::from_id(sched_id).ok_or(Errno::ENOENT)?;
        pools.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        pools.insert(at, Pool::new(id, kind, self.default_rate_limit_us));
        Ok(id)
    }

    /// Ends a pool. Errors: `ENOENT`; `EBUSY` while it has CPUs or domains.
    pub fn destroy_pool(&self, hv: &Hypervisor, id: u32) -> Result<(), Errno> {
        let mut pools = self.pools.lock();
        let at = pools.iter().position(|pool| pool.id == id);
        let at = at.ok_or(Errno::ENOENT)?;
        let has_cpus = self.groups_of(id).next().is_some();
        if has_cpus || members(hv, id).next().is_some() {
            return Err(Errno::EBUSY);
        }
        pools.remove(at);
        Ok(())
    }

    fn tunables(&self, pool: u32) -> Option<Arc<Tunables>> {
        let pools = self.pools.lock();
        let pool = pools.iter().find(|other| other.id == pool)?;
        Some(pool.tunables.clone())
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
