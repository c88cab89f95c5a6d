//! How a hypercall ends when it does not simply succeed.

use machine::Fault;
use xen_abi::Errno;

/// Why a call did not return a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// Returned to the guest, negated.
    Errno(Errno),
    /// Not finished: the guest executes the same call again, with the arguments that
    /// `Cx::set_args` left in its registers. Nothing may be half done that a guest could see.
    Restart,
    /// The guest did what no guest may survive; the reason is logged.
    Crash(&'static str),
}

/// A call's value, or why there is none.
pub type HyperResult = Result<i64, Fail>;

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Fail {
        Fail::Errno(errno)
    }
}

impl From<Fault> for Fail {
    fn from(_: Fault) -> Fail {
        Fail::Errno(Errno::EFAULT)
    }
}
