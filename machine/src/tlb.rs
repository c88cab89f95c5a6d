//! TLB flushes on other CPUs, and the clock that tells which are needed.
//!
//! The clock moves on with every full flush of any CPU. A frame is stamped with it when its
//! last reference of a kind goes; before the frame becomes something else, the CPUs that have
//! not flushed since that stamp are made to. The clock has 64 bits, a stamp the lower half of it:
//! a guest can move the clock on by billions within the hour while a CPU of its does not flush,
//! so a difference of 32 bits alone could be taken for its opposite. Owns the one request that can be under way; whoever
//! waits for it to be done answers requests itself, so two CPUs never wait for each other.

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

    /// The clock now, as frames are stamped with it.
    #[inline]
    pub fn clock(&self) -> u32 {
        self.clock.load(Ordering::Acquire) as u32
    }

    /// Notes that `cpu` is about to flush everything. Called before the flush itself, so that a
    /// stamp made meanwhile counts as later.
    #[inline]
    pub fn note_full_flush(&self, cpu: u32) {
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
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
        // The latest instant that has such a stamp: at worst later than the true one, which
        // costs a flush and no more.
        let now = self.clock.load(Ordering::SeqCst);
        let stamped = now.saturating_sub((now as u32).wrapping_sub(stamp).into());
        let mut out = CpuMask::EMPTY;
        for cpu in mask.iter() {
            if let Some(last) = self.last.get(cpu as usize)
                && stamped >= last.load(Ordering::SeqCst)
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

#[cfg(not(target_os = "none"))]
impl TlbState {
    /// As new.
    pub(crate) fn reset(&self) {
        self.clock.store(1, Ordering::Relaxed);
        for last in &self.last {
            last.store(0, Ordering::Relaxed);
        }
        self.busy.store(false, Ordering::Relaxed);
        self.targets.store(&CpuMask::EMPTY);
        self.what.store(0, Ordering::Relaxed);
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

    /// CPU 1 does not flush while the clock moves on by `ticks`: whether it is then asked to, for
    /// a frame that is let go at that moment.
    fn asked_after(ticks: u64) -> bool {
        let tlb = TlbState::new();
        tlb.note_full_flush(1);
        tlb.clock.fetch_add(ticks, Ordering::SeqCst);
        let mut one = CpuMask::EMPTY;
        one.set(1);
        tlb.need_flush(&one, tlb.clock()).contains(1)
    }

    #[test]
    fn who_did_not_flush_for_long_is_asked_all_the_same() {
        for ticks in [
            0,
            1,
            1 << 31,
            (1 << 31) + 1,
            u32::MAX.into(),
            1 << 32,
            1 << 40,
        ] {
            assert!(asked_after(ticks), "{ticks}");
        }
    }

    #[test]
    fn who_flushed_since_is_not_asked() {
        let tlb = TlbState::new();
        tlb.clock.fetch_add((1 << 33) - 3, Ordering::SeqCst);
        let mut one = CpuMask::EMPTY;
        one.set(1);
        for _ in 0..6 {
            let stamp = tlb.clock();
            tlb.note_full_flush(1);
            assert!(!tlb.need_flush(&one, stamp).contains(1), "{stamp}");
            assert!(tlb.need_flush(&one, tlb.clock()).contains(1), "{stamp}");
        }
    }
}
