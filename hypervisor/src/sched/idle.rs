//! How much time each CPU had nothing to run.
//!
//! No lock: only the CPU itself writes.

use super::Scheduler;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::{Cpu, CpuApi};

/// Does not idle.
const BUSY: u64 = u64::MAX;

/// A CPU's idle time.
#[derive(Debug)]
pub(super) struct IdleTime {
    /// Nanoseconds, without the stretch that goes on.
    spent: AtomicU64,
    /// When that began.
    since: AtomicU64,
}

impl Default for IdleTime {
    fn default() -> Self {
        IdleTime {
            spent: AtomicU64::new(0),
            since: AtomicU64::new(BUSY),
        }
    }
}

impl IdleTime {
    /// The CPU begins to idle, or does not idle any more. Nothing changes if so it was before.
    #[inline]
    pub fn enter(&self, idle: bool, now: u64) {
        let since = self.since.load(Ordering::Relaxed);
        if idle == (since != BUSY) {
            return;
        }
        if idle {
            self.since.store(now, Ordering::Release);
        } else {
            let spent = self.spent.load(Ordering::Relaxed);
            let more = now.saturating_sub(since);
            self.spent
                .store(spent.saturating_add(more), Ordering::Relaxed);
            self.since.store(BUSY, Ordering::Release);
        }
    }

    /// The idle time up to `now`. Another CPU's may be short of the last stretch.
    fn up_to(&self, now: u64) -> u64 {
        let since = self.since.load(Ordering::Acquire);
        let spent = self.spent.load(Ordering::Relaxed);
        match since {
            BUSY => spent,
            since => spent.saturating_add(now.saturating_sub(since)),
        }
    }
}

impl Scheduler {
    /// Nanoseconds that CPU `of` has had nothing to run since boot.
    pub fn idle_time(&self, cpu: &Cpu, of: u32) -> u64 {
        let idle = self.idle.get(of as usize);
        idle.map_or(0, |idle| idle.up_to(cpu.now()))
    }
}
