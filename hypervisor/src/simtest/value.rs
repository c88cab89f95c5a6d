//! Values in a script: what they are is decided when the guest uses them, so that a script
//! still means the same when a part of it is left out.
//!
//! As text: `0x12` a number; `m1.3` the machine frame number of domain 1's frame 3; `p1.3:67` an
//! entry that names it, with flags 0x67; `e1.3:10:1` the machine address of its entry 16, with
//! command 1; `d3+8` the address at which the caller's frame 3 is mapped, plus 8; `a+10` byte 16
//! of the caller's argument pages; `t+1000` that many nanoseconds from now; `x3` secret 3.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Val {
    /// A number.
    Num(u64),
    /// Machine frame number of frame `n` of the domain in a slot. From [`SPECIAL`] on: the
    /// shared page, then the first page of the grant table.
    Mfn(u8, u16),
    /// A page-table entry that names it, with flags.
    Pte(u8, u16, u64),
    /// Machine address of one of its 512 entries, with a command in the low bits.
    Entry(u8, u16, u16, u8),
    /// Address where the caller has its frame `n` mapped, and an offset.
    Data(u16, u16),
    /// Byte of the caller's argument pages.
    Arg(u16),
    /// The time in so many nanoseconds.
    Soon(u32),
    /// A number that differs between twin worlds.
    Secret(u8),
}

/// First frame that is not on a domain's account.
pub const SPECIAL: u16 = 1000;

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Val::Num(n) => write!(f, "{n:#x}"),
            Val::Mfn(dom, n) => write!(f, "m{dom:x}.{n:x}"),
            Val::Pte(dom, n, flags) => write!(f, "p{dom:x}.{n:x}:{flags:x}"),
            Val::Entry(dom, n, slot, cmd) => write!(f, "e{dom:x}.{n:x}:{slot:x}:{cmd:x}"),
            Val::Data(n, offset) => write!(f, "d{n:x}+{offset:x}"),
            Val::Arg(offset) => write!(f, "a+{offset:x}"),
            Val::Soon(ns) => write!(f, "t+{ns:x}"),
            Val::Secret(n) => write!(f, "x{n:x}"),
        }
    }
}

/// A hexadecimal number.
pub(super) fn hex(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16)
        .map_err(|_| alloc::format!("{text:?} is not a hexadecimal number"))
}

impl FromStr for Val {
    type Err = String;

    fn from_str(text: &str) -> Result<Val, String> {
        let mut parts = text.get(1..).unwrap_or("").split(['.', ':', '+']);
        let mut next = || hex(parts.next().unwrap_or("").trim());
        Ok(match text.chars().next() {
            Some('m') => Val::Mfn(next()? as u8, next()? as u16),
            Some('p') => Val::Pte(next()? as u8, next()? as u16, next()?),
            Some('e') => Val::Entry(next()? as u8, next()? as u16, next()? as u16, next()? as u8),
            Some('d') => Val::Data(next()? as u16, next()? as u16),
            Some('a') => Val::Arg({
                let _ = next();
                next()? as u16
            }),
            Some('t') => Val::Soon({
                let _ = next();
                next()? as u32
            }),
            Some('x') => Val::Secret(next()? as u8),
            _ => Val::Num(hex(text)?),
        })
    }
}
