//! Where a vCPU's time goes: the states of `VcpuRunstateInfo`.
//!
//! Changed under the lock of the run queue that the vCPU belongs to; the CPU that runs the vCPU
//! may read it without, because nobody else changes it then.

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use xen_abi::vcpu::{RUNSTATE_offline, VcpuRunstateInfo};

/// The account.
pub struct Account {
    state: AtomicI32,
    entered: AtomicU64,
    times: [AtomicU64; 4],
}

impl Default for Account {
    fn default() -> Self {
        Account {
            state: AtomicI32::new(RUNSTATE_offline),
            entered: AtomicU64::new(0),
            times: Default::default(),
        }
    }
}

impl Account {
    /// Enters `state` (`RUNSTATE_*`) at `now`.
    #[inline]
    pub fn change(&self, state: i32, now: u64) {
        let old = self.state.load(Ordering::Relaxed);
        if old == state {
            return;
        }
        let spent = now.saturating_sub(self.entered.load(Ordering::Relaxed));
        if let Some(time) = self.times.get(old as usize) {
            time.store(
                time.load(Ordering::Relaxed).wrapping_add(spent),
                Ordering::Relaxed,
            );
        }
        self.state.store(state, Ordering::Relaxed);
        self.entered.store(now, Ordering::Relaxed);
    }

    /// The record as of the last change.
    #[inline]
    pub fn info(&self) -> VcpuRunstateInfo {
        VcpuRunstateInfo {
            state: self.state.load(Ordering::Relaxed),
            _pad0: 0,
            state_entry_time: self.entered.load(Ordering::Relaxed),
            time: self
                .times
                .each_ref()
                .map(|time| time.load(Ordering::Relaxed)),
        }
    }

    /// The record with the time since the last change counted.
    pub fn info_at(&self, now: u64) -> VcpuRunstateInfo {
        let mut info = self.info();
        let spent = now.saturating_sub(info.state_entry_time);
        if let Some(time) = info.time.get_mut(info.state as usize) {
            *time = time.wrapping_add(spent);
        }
        info
    }
}
