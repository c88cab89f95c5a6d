//! What a domain is entitled to: a weight against others, and perhaps a cap.
//!
//! A capped domain has a budget that is filled up each period and that its vCPUs draw on, on
//! whatever CPU they run. Overdrafts are carried over, so the cap holds in the long run. No
//! lock: CPUs draw and fill by atomics.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// The weight of a domain that was given none.
pub const DEFAULT_WEIGHT: u32 = 256;
/// How often budgets are filled up, nanoseconds.
pub const PERIOD: u64 = 10_000_000;

/// A domain's entitlement.
#[derive(Debug)]
pub struct Share {
    weight: AtomicU32,
    /// Hundredths of a CPU; zero for no cap.
    cap: AtomicU32,
    /// Nanoseconds left in this period.
    budget: AtomicI64,
    /// When the next period begins.
    refill: AtomicU64,
}

impl Default for Share {
    fn default() -> Self {
        Share {
            weight: AtomicU32::new(DEFAULT_WEIGHT),
            cap: AtomicU32::new(0),
            budget: AtomicI64::new(0),
            refill: AtomicU64::new(0),
        }
    }
}

impl Share {
    /// An entitlement of `weight` (at least 1) and `cap` hundredths of a CPU (0 for no limit).
    pub fn new(weight: u32, cap: u32) -> Share {
        let share = Share::default();
        share.set(weight, cap);
        share
    }

    /// Changes it.
    pub fn set(&self, weight: u32, cap: u32) {
        self.weight.store(weight.max(1), Ordering::Relaxed);
        self.cap.store(cap, Ordering::Relaxed);
        self.budget.store(0, Ordering::Relaxed);
        self.refill.store(0, Ordering::Relaxed);
    }

    /// Its weight.
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Its cap in hundredths of a CPU, zero for none.
    pub fn cap(&self) -> u32 {
        self.cap.load(Ordering::Relaxed)
    }

    /// Time on a CPU as it counts against the domain: the heavier, the less.
    #[inline]
    pub fn weighted(&self, ns: u64) -> u64 {
        let weight = self.weight();
        if weight == DEFAULT_WEIGHT {
            return ns;
        }
        ns.saturating_mul(u64::from(DEFAULT_WEIGHT)) / u64::from(weight.max(1))
    }

    /// The time that counts as `weighted`.
    pub fn unweighted(&self, weighted: u64) -> u64 {
        weighted.saturating_mul(u64::from(self.weight())) / u64::from(DEFAULT_WEIGHT)
    }

    /// Draws `ns` of time that was used.
    #[inline]
    pub fn draw(&self, ns: u64) {
        if self.cap() != 0 {
            self.budget
                .fetch_sub(i64::try_from(ns).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }

    /// What is left at `now`, nanoseconds; `None` without a cap. Fills up when a period began.
    #[inline]
    pub fn left(&self, now: u64) -> Option<u64> {
        match self.cap() {
            0 => None,
            cap => Some(self.fill(cap, now)),
        }
    }

    fn fill(&self, cap: u32, now: u64) -> u64 {
        let due = self.refill.load(Ordering::Relaxed);
        if now >= due {
            let next = now.saturating_add(PERIOD);
            // One of the CPUs that see the new period fills for all.
            let won = self
                .refill
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
            if won.is_ok() {
                let periods = if due == 0 {
                    1
                } else {
                    1 + (now - due) / PERIOD
                };
                let each = u64::from(cap).saturating_mul(PERIOD) / 100;
                let more = i64::try_from(each.saturating_mul(periods)).unwrap_or(i64::MAX);
                let most = i64::try_from(each).unwrap_or(i64::MAX);
                let _ = self
                    .budget
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        Some(left.saturating_add(more).min(most))
                    });
                // Late fills do not shift the periods that follow.
                if due != 0 {
                    let on_time = due.saturating_add(periods.saturating_mul(PERIOD));
                    self.refill.store(on_time, Ordering::Relaxed);
                }
            }
        }
        u64::try_from(self.budget.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// When the budget is filled up next.
    pub fn next_fill(&self) -> u64 {
        self.refill.load(Ordering::Relaxed)
    }
}
