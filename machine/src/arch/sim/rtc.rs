//! The clock chip: a date that the test sets, plus the machine's clock.

use super::mem::{current, lock};

/// 2025-01-01, where the clock stands unless it is set.
pub(super) const START: u64 = 1_735_689_600;

/// Seconds since 1970-01-01.
pub fn read_seconds_with(_century: u8) -> u64 {
    current().map_or(START, |m| {
        lock(&m.devices).rtc_at_boot + m.now() / 1_000_000_000
    })
}

/// Seconds since 1970-01-01.
pub fn read_seconds() -> u64 {
    read_seconds_with(0)
}
