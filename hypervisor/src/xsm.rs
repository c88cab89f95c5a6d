//! Who may deal with whom: one function for each decision, asked by event channels and grants.
//!
//! Xen's two policies without labels. *Dummy* leaves it to the domains: a port is bound, a page
//! granted, to whom its owner names. *Silo* lets domains deal with nobody but themselves and the
//! control domain, whatever they name, so that two guests cannot have a channel between them.
//!
//! No state but the choice, made at boot. What only the control domain may do at all is decided
//! by `Domain::require_privilege` and `Cx::resolve`, under either policy.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use xen_abi::{DomId, Errno};

/// The policy in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// `xsm=dummy`.
    #[default]
    Dummy,
    /// `xsm=silo`.
    Silo,
}

impl Policy {
    fn may_deal(self, one: &Domain, other: &Domain) -> bool {
        match self {
            Policy::Dummy => true,
            Policy::Silo => one.id == other.id || one.privileged || other.privileged,
        }
    }

    /// Whether `one` may bind a port to one of `other`'s. Errors: `EPERM`.
    pub fn bind(self, one: &Domain, other: &Domain) -> Result<(), Errno> {
        self.may_deal(one, other).then_some(()).ok_or(Errno::EPERM)
    }

    /// Whether `dom` may have a port that waits for domain `remote`. Under silo that has to
    /// exist. Errors: `EPERM`, `ESRCH`.
    pub fn wait(self, hv: &Hypervisor, dom: &Domain, remote: DomId) -> Result<(), Errno> {
        if self == Policy::Dummy || remote == dom.id {
            return Ok(());
        }
        let remote = hv.domain(remote).ok_or(Errno::ESRCH)?;
        self.bind(dom, &remote)
    }

    /// Whether `user` may map or copy what `owner` granted.
    pub fn use_grant(self, user: &Domain, owner: &Domain) -> bool {
        self.may_deal(user, owner)
    }
}
