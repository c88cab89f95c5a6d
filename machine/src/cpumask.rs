//! Sets of physical CPUs.

use core::sync::atomic::{AtomicU64, Ordering};

/// Most CPUs that one machine may have.
pub const MAX_CPUS: usize = 256;
const WORDS: usize = MAX_CPUS / 64;

/// A set of CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuMask([u64; WORDS]);

impl CpuMask {
    /// No CPU.
    pub const EMPTY: CpuMask = CpuMask([0; WORDS]);

    /// One CPU; empty when the number is too large.
    pub fn one(cpu: u32) -> CpuMask {
        let mut mask = CpuMask::EMPTY;
        mask.set(cpu);
        mask
    }

    /// The first `n` CPUs.
    pub fn first(n: u32) -> CpuMask {
        let mut mask = CpuMask::EMPTY;
        (0..n).for_each(|cpu| mask.set(cpu));
        mask
    }

    /// Adds a CPU.
    pub fn set(&mut self, cpu: u32) {
        if let Some(word) = self.0.get_mut(cpu as usize / 64) {
            *word |= 1 << (cpu % 64);
        }
    }

    /// Takes a CPU out.
    pub fn clear(&mut self, cpu: u32) {
        if let Some(word) = self.0.get_mut(cpu as usize / 64) {
            *word &= !(1 << (cpu % 64));
        }
    }

    /// Whether a CPU is in it.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0
            .get(cpu as usize / 64)
            .is_some_and(|word| word >> (cpu % 64) & 1 != 0)
    }

    /// Whether no CPU is in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// Number of CPUs.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }

    /// Both sets together.
    pub fn union(&self, other: &CpuMask) -> CpuMask {
        let mut out = *self;
        out.0.iter_mut().zip(other.0).for_each(|(a, b)| *a |= b);
        out
    }

    /// What is in both.
    pub fn intersect(&self, other: &CpuMask) -> CpuMask {
        let mut out = *self;
        out.0.iter_mut().zip(other.0).for_each(|(a, b)| *a &= b);
        out
    }

    /// The CPUs in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            let mut left = word;
            core::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let bit = left.trailing_zeros();
                left &= left - 1;
                Some(i as u32 * 64 + bit)
            })
        })
    }
}

/// A set of CPUs that several CPUs change.
#[derive(Debug, Default)]
pub struct AtomicCpuMask([AtomicU64; WORDS]);

impl AtomicCpuMask {
    /// No CPU.
    pub const fn new() -> AtomicCpuMask {
        AtomicCpuMask([const { AtomicU64::new(0) }; WORDS])
    }

    /// Adds a CPU.
    pub fn set(&self, cpu: u32) {
        if let Some(word) = self.0.get(cpu as usize / 64) {
            word.fetch_or(1 << (cpu % 64), Ordering::SeqCst);
        }
    }

    /// Takes a CPU out; whether it was in.
    pub fn clear(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 64).is_some_and(|word| {
            word.fetch_and(!(1 << (cpu % 64)), Ordering::SeqCst) >> (cpu % 64) & 1 != 0
        })
    }

    /// Whether a CPU is in it.
    #[inline]
    pub fn contains(&self, cpu: u32) -> bool {
        self.0
            .get(cpu as usize / 64)
            .is_some_and(|word| word.load(Ordering::Acquire) >> (cpu % 64) & 1 != 0)
    }

    /// The set as it is now.
    pub fn load(&self) -> CpuMask {
        let mut out = CpuMask::EMPTY;
        out.0
            .iter_mut()
            .zip(&self.0)
            .for_each(|(o, w)| *o = w.load(Ordering::SeqCst));
        out
    }

    /// Replaces the set.
    pub fn store(&self, mask: &CpuMask) {
        self.0
            .iter()
            .zip(mask.0)
            .for_each(|(w, m)| w.store(m, Ordering::SeqCst));
    }

    /// Whether no CPU is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|w| w.load(Ordering::Acquire) == 0)
    }
}
