//! Event channels: both ends, and the tables by interrupt.

use super::super::world::World;
use super::all_of;
use crate::event::{Binding, inspect, pirq_port};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Checks them.
pub fn check(world: &World) -> Result<(), String> {
    let domains = world.domains();
    let mut all = BTreeMap::new();
    for dom in &domains {
        for (port, binding, vcpu) in inspect::ports(dom) {
            all.insert((dom.id, port), (binding, vcpu));
        }
    }
    let mut wrong = Vec::new();
    for (&(id, port), &(binding, vcpu)) in &all {
        let Some(dom) = domains.iter().find(|dom| dom.id == id) else {
            continue;
        };
        let sound = match binding {
            Binding::Interdomain(remote, other) => {
                let back = all.get(&(remote, other)).map(|(binding, _)| *binding);
                back == Some(Binding::Interdomain(id, port))
            }
            Binding::Pirq(pirq) => pirq_port(dom, pirq) == Some(port),
            Binding::Virq(virq) => dom
                .all_vcpus()
                .any(|vcpu| inspect::virq_port(vcpu, virq) == port),
            _ => true,
        };
        if !sound {
            wrong.push(format!("port {port} of domain {id} is {binding:?} alone"));
        }
        if dom.vcpu(vcpu).is_none() && vcpu != 0 {
            wrong.push(format!("port {port} of domain {id} notifies vCPU {vcpu}"));
        }
    }
    for dom in &domains {
        for vcpu in dom.all_vcpus() {
            for virq in 0..xen_abi::xen::NR_VIRQS {
                let port = inspect::virq_port(vcpu, virq);
                let bound = all.get(&(dom.id, port)).map(|(binding, _)| *binding);
                if port != 0 && bound != Some(Binding::Virq(virq)) {
                    wrong.push(format!(
                        "virq {virq} of d{}v{} has port {port}, which is {bound:?}",
                        dom.id, vcpu.id
                    ));
                }
            }
        }
    }
    all_of(wrong)
}
