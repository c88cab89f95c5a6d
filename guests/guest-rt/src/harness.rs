//! The test harness: cases, their messages, the summary line.
//!
//! Output, one line each: `PASS name`, `FAIL name: reason`, and at the end
//! `GUEST-END passed=N failed=M`. A trap inside a case fails that case only. Owns the text of the
//! last failure, under a lock.

use crate::smp::Lock;
use crate::{hypercall, traps};
use core::fmt::{self, Write};

const TEXT: usize = 240;

/// The reason of the last failure.
struct Text {
    bytes: [u8; TEXT],
    len: usize,
}

static REASON: Lock<Text> = Lock::new(Text {
    bytes: [0; TEXT],
    len: 0,
});

/// A case failed; the reason, cut off at its room, waits in the harness to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Failure(());

impl Failure {
    /// Formats a reason.
    pub fn new(args: fmt::Arguments<'_>) -> Self {
        let mut reason = REASON.lock();
        reason.len = 0;
        let _ = reason.write_fmt(args);
        Self(())
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

impl Text {
    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.len)
            .and_then(|t| core::str::from_utf8(t).ok())
            .unwrap_or("?")
    }
}

/// What a case returns.
pub type Outcome = Result<(), Failure>;

/// A case: its name and its function.
pub type Case = (&'static str, fn() -> Outcome);

/// Runs the cases in order and powers off.
pub fn run(kernel: &str, cases: &[Case]) -> ! {
    let (mut passed, mut failed) = (0, 0);
    crate::println!("GUEST-START {kernel} cases={}", cases.len());
    for (name, case) in cases {
        match traps::catch(case) {
            Ok(Ok(())) => {
                passed += 1;
                crate::println!("PASS {name}");
            }
            Ok(Err(_)) => {
                failed += 1;
                crate::println!("FAIL {name}: {}", REASON.lock().as_str());
            }
            Err(fault) => {
                failed += 1;
                crate::println!("FAIL {name}: trap {fault:x?}");
            }
        }
    }
    crate::println!("GUEST-END passed={passed} failed={failed}");
    hypercall::poweroff()
}

/// Makes the kernel's `main` from a list of cases.
#[macro_export]
macro_rules! cases {
    ($kernel:literal; $($name:literal => $case:path),* $(,)?) => {
        $crate::kernel!(main);
        fn main() {
            $crate::harness::run($kernel, &[$(($name, $case as fn() -> $crate::harness::Outcome)),*])
        }
    };
}

/// Fails the case unless the condition holds.
#[macro_export]
macro_rules! check {
    ($cond:expr, $($arg:tt)*) => {
        if !$cond {
            return Err($crate::harness::Failure::new(format_args!("line {}: {}", line!(), format_args!($($arg)*))));
        }
    };
}

/// Fails the case unless both sides are equal.
#[macro_export]
macro_rules! same {
    ($got:expr, $want:expr) => {
        match (&$got, &$want) {
            (got, want) => $crate::check!(
                *got == *want,
                "{:x?}, want {:x?}: {}",
                got,
                want,
                stringify!($got)
            ),
        }
    };
}

/// The success value of a hypercall or the like; fails the case on an error.
#[macro_export]
macro_rules! ok {
    ($call:expr) => {
        match $call {
            Ok(value) => value,
            Err(error) => {
                return Err($crate::harness::Failure::new(format_args!(
                    "line {}: error {:?} from {}",
                    line!(),
                    error,
                    stringify!($call)
                )))
            }
        }
    };
}

/// Fails the case unless the hypercall is refused with this [`xen_abi::Errno`].
#[macro_export]
macro_rules! refused {
    ($call:expr, $errno:ident) => {
        match $call {
            got => $crate::check!(
                got == Err(xen_abi::Errno::$errno as i64),
                "{:?}, want {}: {}",
                got,
                stringify!($errno),
                stringify!($call)
            ),
        }
    };
}

/// Fails the case unless each call, which only dom0 may make, is refused with this errno: a guest
/// is refused with EPERM before its arguments are looked at.
#[macro_export]
macro_rules! dom0_refused {
    ($($call:expr => $errno:ident;)*) => {$(
        if $crate::console::is_guest() {
            $crate::refused!($call, EPERM);
        } else {
            $crate::refused!($call, $errno);
        }
    )*};
}

/// Fails the case unless the closure traps with this vector; gives the fault.
#[macro_export]
macro_rules! traps {
    ($vector:expr, $body:expr) => {
        match $crate::traps::catch(|| $body) {
            Err(fault) => {
                $crate::check!(
                    fault.vector == $vector,
                    "trap {:x} error {:x} rip {:x} cr2 {:x}, want vector {}: {}",
                    fault.vector,
                    fault.error,
                    fault.rip,
                    fault.cr2,
                    $vector,
                    stringify!($body)
                );
                fault
            }
            Ok(_) => {
                return Err($crate::harness::Failure::new(format_args!(
                    "line {}: no trap, want vector {}: {}",
                    line!(),
                    $vector,
                    stringify!($body)
                )))
            }
        }
    };
}

/// A row of [`refused!`] checks: `call => ERRNO;`.
#[macro_export]
macro_rules! all_refused {
    ($($call:expr => $errno:ident;)*) => {$( $crate::refused!($call, $errno); )*};
}
