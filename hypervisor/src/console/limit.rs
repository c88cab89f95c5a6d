//! How often lines are logged that a guest can cause.
//!
//! No lock of its own. Invariant: in any stretch of time no more than [`BURST`] lines and one
//! for each [`PERIOD`] pass.

/// One line for so many nanoseconds.
const PERIOD: u64 = 5_000_000_000;
/// So many lines at once, after a quiet time.
const BURST: u64 = 10;

/// A limiter.
pub struct Limit {
    /// Time saved up, nanoseconds; a line costs [`PERIOD`].
    saved: u64,
    /// When that was, nanoseconds since boot.
    at: u64,
    /// Lines held back since the last that passed.
    missed: u64,
}

impl Limit {
    /// Nothing was logged yet.
    pub const fn new() -> Limit {
        Limit {
            saved: BURST * PERIOD,
            at: 0,
            missed: 0,
        }
    }

    /// Whether a line may pass at `now`: then, how many were held back before it.
    pub fn pass(&mut self, now: u64) -> Option<u64> {
        let since = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.saved = self.saved.saturating_add(since).min(BURST * PERIOD);
        match self.saved.checked_sub(PERIOD) {
            Some(left) => {
                self.saved = left;
                Some(core::mem::take(&mut self.missed))
            }
            None => {
                self.missed = self.missed.saturating_add(1);
                None
            }
        }
    }
}
