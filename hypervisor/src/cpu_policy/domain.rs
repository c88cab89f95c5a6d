//! A domain's own policy: the machine's default until the tools set another, and fixed from the
//! first time that one of its vCPUs runs.
//!
//! What the tools chose is behind a lock of the domain's level. Once fixed it never changes, so
//! that CPUID is answered without a lock.

use super::Policy;
use crate::domain::Domain;
use crate::hv::{Hypervisor, domain_lock};
use alloc::sync::Arc;
use machine::Lock;
use spin::Once;

/// What a domain's processor looks like.
pub struct DomainPolicy {
    chosen: Lock<Option<Arc<Policy>>>,
    fixed: Once<Arc<Policy>>,
}

impl Default for DomainPolicy {
    fn default() -> Self {
        DomainPolicy {
            chosen: domain_lock(None),
            fixed: Once::new(),
        }
    }
}

impl Domain {
    /// What its processor looks like, from now on for good.
    #[inline]
    pub fn cpu_policy(&self, hv: &Hypervisor) -> &Policy {
        match self.policy.fixed.get() {
            Some(policy) => policy,
            None => self.fix_cpu_policy(hv),
        }
    }

    #[cold]
    fn fix_cpu_policy(&self, hv: &Hypervisor) -> &Policy {
        // Whoever sets a policy holds the lock and looks whether it is fixed.
        let chosen = self.policy.chosen.lock();
        let policy = chosen.as_ref().unwrap_or_else(|| self.default_policy(hv));
        self.policy.fixed.call_once(|| policy.clone())
    }

    fn default_policy<'a>(&self, hv: &'a Hypervisor) -> &'a Arc<Policy> {
        let all = &hv.policies;
        match (self.hvm.get().and(all.hvm.as_ref()), self.privileged) {
            (Some(hvm), true) => &hvm.control,
            (Some(hvm), false) => &hvm.default,
            (None, true) => &all.control,
            (None, false) => &all.pv_default,
        }
    }

    /// The most that its processor can look like.
    pub fn most_cpu_policy<'a>(&self, hv: &'a Hypervisor) -> &'a Arc<Policy> {
        let all = &hv.policies;
        let hvm = self.hvm.get().and(all.hvm.as_ref());
        hvm.map_or(&all.pv_max, |hvm| &hvm.max)
    }

    /// What its processor looks like now; the tools may change it while the domain never ran.
    pub fn chosen_cpu_policy(&self, hv: &Hypervisor) -> Arc<Policy> {
        let chosen = self.policy.chosen.lock();
        chosen
            .as_ref()
            .unwrap_or_else(|| self.default_policy(hv))
            .clone()
    }

    /// Sets what its processor looks like. `false`, and nothing done, when it ran already.
    pub fn choose_cpu_policy(&self, policy: Arc<Policy>) -> bool {
        let mut chosen = self.policy.chosen.lock();
        let changeable = self.policy.fixed.get().is_none();
        if changeable {
            *chosen = Some(policy);
        }
        changeable
    }

    /// Whether its policy is fixed.
    pub fn cpu_policy_is_fixed(&self) -> bool {
        self.policy.fixed.get().is_some()
    }
}
