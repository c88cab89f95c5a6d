//! The policies there are, by the names and numbers that the tools know.

use super::credit2::Credit2;
use super::nobody::Nobody;
use super::null::Null;
use super::policy::Policy;
use super::pool::Tunables;
use super::rtds::Rtds;
use alloc::boxed::Box;
use alloc::sync::Arc;
use xen_abi::Errno;
use xen_abi::domctl::*;

/// A policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Shares of time by weight, with caps.
    #[default]
    Credit2,
    /// Budgets of time each period, earliest deadline first.
    Rtds,
    /// Each vCPU has a CPU to itself.
    Null,
}

impl Kind {
    /// The policy of this number, `XEN_SCHEDULER_*`, if it is there.
    pub fn from_id(id: u32) -> Option<Kind> {
        [Kind::Credit2, Kind::Rtds, Kind::Null]
            .into_iter()
            .find(|kind| kind.id() == id)
    }

    /// Its number, `XEN_SCHEDULER_*`.
    pub fn id(self) -> u32 {
        match self {
            Kind::Credit2 => XEN_SCHEDULER_CREDIT2,
            Kind::Rtds => XEN_SCHEDULER_RTDS,
            Kind::Null => XEN_SCHEDULER_NULL,
        }
    }

    /// Its name, as `sched=` and `xl` have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Credit2 => "credit2",
            Kind::Rtds => "rtds",
            Kind::Null => "null",
        }
    }

    /// Most CPUs that share a queue.
    pub(super) fn group_size(self) -> u32 {
        match self {
            Kind::Credit2 => super::GROUP,
            // One queue is what makes the first deadline of all the first, and what finds the
            // free CPU.
            Kind::Rtds | Kind::Null => u32::MAX,
        }
    }

    /// A policy of this kind without CPUs, on a machine of `cpus`. Errors: `ENOMEM`.
    pub(super) fn make(
        self,
        cpus: u32,
        tunables: &Arc<Tunables>,
    ) -> Result<Box<dyn Policy>, Errno> {
        Ok(match self {
            Kind::Credit2 => Box::new(Credit2::new(cpus, tunables.clone())?),
            Kind::Rtds => Box::new(Rtds::new(cpus)?),
            Kind::Null => Box::new(Null::new(cpus)?),
        })
    }
}

/// The policy of a group without CPUs.
pub(super) fn nobody() -> Box<dyn Policy> {
    Box::new(Nobody)
}
