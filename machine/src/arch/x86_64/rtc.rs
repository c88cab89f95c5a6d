//! The CMOS clock.
//!
//! No lock: the index and data ports are used by the boot CPU before guests run, and by
//! whoever the policy serialises afterwards.

use super::io::{inb, outb};

fn register(index: u8) -> u8 {
    outb(0x70, index);
    inb(0x71)
}

fn from_bcd(value: u8) -> u8 {
    (value >> 4).wrapping_mul(10).wrapping_add(value & 15)
}

/// Seconds, minutes, hours, day, month, year, century as the registers hold them.
fn snapshot(century: u8) -> [u8; 7] {
    for _ in 0..1_000_000 {
        if register(0x0a) & 0x80 == 0 {
            break;
        }
    }
    let century = if century == 0 { 0 } else { register(century) };
    [
        register(0),
        register(2),
        register(4),
        register(7),
        register(8),
        register(9),
        century,
    ]
}

/// Seconds since 1970-01-01 as the clock says (it is taken to run in UTC). `century` is the
/// index of the century register, or 0.
pub fn read_seconds_with(century: u8) -> u64 {
    let mut now = snapshot(century);
    for _ in 0..100 {
        let again = snapshot(century);
        if again == now {
            break;
        }
        now = again;
    }
    let mode = register(0x0b);
    let (binary, full_day) = (mode & 4 != 0, mode & 2 != 0);
    let afternoon = !full_day && now[2] & 0x80 != 0;
    now[2] &= 0x7f;
    if !binary {
        now = now.map(from_bcd);
    }
    let [second, minute, mut hour, day, month, year, century] = now.map(u64::from);
    if !full_day {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let year = match century {
        19..=29 => century * 100 + year,
        _ if year < 70 => 2000 + year,
        _ => 1900 + year,
    };
    days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
}

/// As [`read_seconds_with`], the century by the year.
pub fn read_seconds() -> u64 {
    read_seconds_with(0)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, which is not before it.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years that begin in March put the leap day last.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + (month * 153 + 2) / 5 + day).saturating_sub(719_469)
}
