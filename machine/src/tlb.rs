//! TLB flushes on other CPUs, and the clock that tells which are needed.
//!
//! The clock moves on with every full flush of any CPU. A frame is stamped with it when its
//! last reference of a kind goes; before the frame becomes something else, the CPUs that have
//! not flushed since that stamp are made to. The clock never comes round again; a stamp is its
//! lower half, and one that is so old that its number came again means a flush too many. Owns
//! the one request that can be under way; whoever waits for it to be done answers requests
//! itself, so two CPUs never wait for each other.

use crate::cpumask::{AtomicCpuMask, CpuMask, MAX_CPUS};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What to flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Everything, global entries too.
    All,
    /// One page's translation, by virtual address.
    Page(u64),
}

/// One machine's flush state.
pub struct TlbState {
    clock: AtomicU64,
    last: [AtomicU64; MAX_CPUS],
    busy: AtomicBool,
    targets: AtomicCpuMask,
    /// Address to flush, or `u64::MAX` for all.
    what: AtomicU64,
}

impl TlbState {
    /// No request, clock at one.
    pub const fn new() -> TlbState {
        TlbState {
            clock: AtomicU64::new(1),
            last: [const { AtomicU64::new(0) }; MAX_CPUS],
            busy: AtomicBool::new(false),
            targets: AtomicCpuMask::new(),
            what: AtomicU64::new(0),
        }
    }

    /// The clock now, as a stamp.
    #[inline]
    pub fn clock(&self) -> u32 {
        self.clock.load(Ordering::Acquire) as u32
    }

    /// Notes that `cpu` is about to flush everything. Called before the flush itself, so that a
    /// stamp made meanwhile counts as later.
    #[inline]
    pub fn note_full_flush(&self, cpu: u32) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        if let Some(last) = self.last.get(cpu as usize) {
            last.store(now, Ordering::SeqCst);
        }
    }

    /// What the clock stood at when `cpu` last flushed everything.
    #[inline(always)]
    pub fn last_flush(&self, cpu: u32) -> u64 {
        self.last
            .get(cpu as usize)
            .map_or(0, |last| last.load(Ordering::Relaxed))
    }

    /// Of `mask`, the CPUs that have not flushed since `stamp`.
    pub fn need_flush(&self, mask: &CpuMask, stamp: u32) -> CpuMask {
        // Stamps are never ahead of the clock.
        let clock = self.clock.load(Ordering::SeqCst);
        let age = (clock as u32).wrapping_sub(stamp);
        let made = clock.saturating_sub(age.into());
        let mut out = CpuMask::EMPTY;
        for cpu in mask.iter() {
            if let Some(last) = self.last.get(cpu as usize)
                && last.load(Ordering::SeqCst) <= made
            {
                out.set(cpu);
            }
        }
        out
    }

    /// Whether `cpu` is asked to flush.
    #[inline]
    pub fn requested(&self, cpu: u32) -> bool {
        self.targets.contains(cpu)
    }

    /// Answers a request to `cpu`, if there is one: `flush` does it.
    #[inline]
    pub fn answer(&self, cpu: u32, flush: impl FnOnce(Flush)) {
        if !self.targets.contains(cpu) {
            return;
        }
        let what = self.what.load(Ordering::Acquire);
        flush(if what == u64::MAX {
            Flush::All
        } else {
            Flush::Page(what)
        });
        self.targets.clear(cpu);
    }

    /// Makes the CPUs of `mask` (without the caller) flush and waits until they have.
    /// `kick` interrupts a CPU; `relax` is what the caller does while it waits, which has to
    /// answer requests to the caller itself.
    pub fn request(
        &self,
        mask: &CpuMask,
        what: Flush,
        mut kick: impl FnMut(u32),
        mut relax: impl FnMut(),
    ) {
        if mask.is_empty() {
            return;
        }
        while self.busy.swap(true, Ordering::Acquire) {
            relax();
        }
        let word = match what {
            Flush::All => u64::MAX,
            Flush::Page(va) => va,
        };
        self.what.store(word, Ordering::Release);
        self.targets.store(mask);
        for cpu in mask.iter() {
            kick(cpu);
        }
        while !self.targets.is_empty() {
            relax();
        }
        self.busy.store(false, Ordering::Release);
    }
}

impl Default for TlbState {
    fn default() -> Self {
        TlbState::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One CPU flushes all the time, the other never.
    #[test]
    fn who_never_flushes_is_made_to_however_long_that_is() {
        let mask = CpuMask::first(2);
        for flushes in [1, 1 << 31, (1 << 31) + 5, u64::from(u32::MAX), 3 << 32] {
            let state = TlbState::new();
            state.note_full_flush(0);
            state.note_full_flush(1);
            state.clock.fetch_add(flushes, Ordering::SeqCst);
            let stamp = state.clock();
            assert_eq!(state.need_flush(&mask, stamp), mask, "{flushes}");
            state.note_full_flush(0);
            let need = state.need_flush(&mask, stamp);
            assert!(!need.contains(0) && need.contains(1), "{flushes}");
            // Who has flushed since is left alone, until the stamp's number comes again.
            state.note_full_flush(1);
            assert!(state.need_flush(&mask, stamp).is_empty(), "{flushes}");
        }
    }
}
