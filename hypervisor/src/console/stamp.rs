//! The time in front of a line of the log, as `console_timestamps` wants it. Pure.

use crate::cmdline::Stamp;
use core::fmt;

/// A moment to be shown.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// How to show it.
    pub form: Stamp,
    /// Nanoseconds since boot.
    pub now: u64,
    /// Nanoseconds from 1970 to boot.
    pub booted: u64,
}

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wall = self.booted.saturating_add(self.now);
        let (seconds, nanos) = (wall / SECOND, wall % SECOND);
        let (year, month, day) = date(seconds / DAY);
        let time = seconds % DAY;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        match self.form {
            Stamp::None => Ok(()),
            Stamp::Date => write!(
                f,
                "[{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}] "
            ),
            Stamp::DateMs => write!(
                f,
                "[{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}] ",
                nanos / 1_000_000
            ),
            Stamp::Boot => write!(
                f,
                "[{:5}.{:06}] ",
                self.now / SECOND,
                self.now % SECOND / 1000
            ),
            Stamp::Raw => write!(f, "[{:016x}] ", self.now),
        }
    }
}

/// Year, month and day of a day since 1970-01-01. Years are counted from March, so that a leap
/// day is a year's last one.
fn date(days: u64) -> (u64, u64, u64) {
    /// Days from 0000-03-01 to 1970-01-01, and in 400, 100, 4 years and one.
    const TO_1970: u64 = 719_468;
    const YEARS_400: u64 = 146_097;
    let days = days + TO_1970;
    let (era, day) = (days / YEARS_400, days % YEARS_400);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March is month 0; five months have 153 days.
    let month = (5 * day + 2) / 153;
    let in_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, in_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_088), (2024, 12, 31));
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1));
    }

    #[test]
    fn forms() {
        let show = |form| {
            Moment {
                form,
                now: 65_004_003_002,
                booted: 1_735_689_600_000_000_000,
            }
            .to_string()
        };
        assert_eq!(show(Stamp::None), "");
        assert_eq!(show(Stamp::Date), "[2025-01-01 00:01:05] ");
        assert_eq!(show(Stamp::DateMs), "[2025-01-01 00:01:05.004] ");
        assert_eq!(show(Stamp::Boot), "[   65.004003] ");
        assert_eq!(show(Stamp::Raw), "[0000000f228a5eba] ");
    }
}
