//! What the processor looks like to domains: CPU policies.
//!
//! The machine has six, made at boot and never changed: what CPUID says (*raw*), what the
//! hypervisor uses of it (*host*), and for each kind of guest the most it can have (*max*) and
//! what it gets (*default*). Each domain has one of its own ([`domain`]), by default its kind's,
//! which answers its CPUID ([`guest`]) and some of its MSRs. The tools read them all and set a
//! domain's before it runs ([`control`]).

pub mod build;
pub mod control;
mod deps;
mod domain;
mod features;
pub mod guest;
pub mod marks;
mod policy;
#[cfg(test)]
mod tests;
mod wire;

pub use domain::DomainPolicy;
pub use features::{FeatureSet, WORDS};
pub use policy::Policy;

use alloc::sync::Arc;
use machine::CpuApi;

/// The machine's policies.
pub struct Policies {
    /// What CPUID says.
    pub raw: Arc<Policy>,
    /// What the hypervisor uses.
    pub host: Arc<Policy>,
    /// The most for PV guests.
    pub pv_max: Arc<Policy>,
    /// What PV guests get.
    pub pv_default: Arc<Policy>,
    /// What the control domain gets.
    pub control: Arc<Policy>,
    /// Those of hardware-virtualised guests; none without such guests.
    pub hvm: Option<HvmPolicies>,
}

/// The policies of hardware-virtualised guests.
pub struct HvmPolicies {
    /// The most for them.
    pub max: Arc<Policy>,
    /// What they get.
    pub default: Arc<Policy>,
    /// What the control domain gets when it is one.
    pub control: Arc<Policy>,
}

impl Policies {
    /// Asks the processor. `hvm` says whether there can be hardware-virtualised guests.
    pub fn new(cpu: &impl CpuApi, hvm: bool) -> Policies {
        let raw = build::raw(cpu);
        let host = build::host(cpu, &raw);
        let pair = |most, wanted| {
            let max = build::max(&raw, &host, most);
            let default = build::default(&raw, &host, &max, wanted);
            [Arc::new(max), Arc::new(default)]
        };
        let [pv_max, pv_default] = pair(&marks::PV_MAX, &marks::PV_DEFAULT);
        let hvm = hvm.then(|| {
            let [max, default] = pair(&marks::HVM_MAX, &marks::HVM_DEFAULT);
            let control = Arc::new(build::control(&host, &default));
            HvmPolicies {
                max,
                default,
                control,
            }
        });
        let control = Arc::new(build::control(&host, &pv_default));
        Policies {
            raw: Arc::new(raw),
            host: Arc::new(host),
            pv_max,
            pv_default,
            control,
            hvm,
        }
    }
}
