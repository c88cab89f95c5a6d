//! Which messages are shown: the two limits of `loglvl` or `guest_loglvl`, which the tools
//! change while CPUs log. No lock: a message that comes just then goes by either.

use crate::cmdline::{Level, LogLimits};
use core::sync::atomic::{AtomicU16, Ordering};

/// Limits that change.
pub struct Levels(AtomicU16);

const ALL: [Level; 5] = [
    Level::None,
    Level::Error,
    Level::Warning,
    Level::Info,
    Level::Debug,
];

fn pack(limits: LogLimits) -> u16 {
    (limits.always as u16) << 8 | limits.limited as u16
}

impl Levels {
    /// These.
    pub fn new(limits: LogLimits) -> Levels {
        Levels(AtomicU16::new(pack(limits)))
    }

    /// Sets them.
    pub fn set(&self, limits: LogLimits) {
        self.0.store(pack(limits), Ordering::Relaxed);
    }

    /// What they are now.
    pub fn get(&self) -> LogLimits {
        let word = self.0.load(Ordering::Relaxed);
        let level = |nr: u16| ALL.get(usize::from(nr)).copied().unwrap_or(Level::None);
        LogLimits {
            always: level(word >> 8),
            limited: level(word & 0xff),
        }
    }
}
