//! Reports about domains and their vCPUs.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::say;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::Cpu;

/// All domains, by id.
pub fn each(hv: &Hypervisor) -> impl Iterator<Item = Arc<Domain>> {
    let mut next = Some(0u16);
    core::iter::from_fn(move || {
        let dom = hv.domains.from(next?)?;
        next = dom.id.checked_add(1);
        Some(dom)
    })
}

/// Each domain in short, and its vCPUs.
pub fn list(hv: &Hypervisor, _cpu: &mut Cpu) {
    for dom in each(hv) {
        let shutdown = dom.shutdown.try_lock().and_then(|reason| *reason);
        say!(
            hv,
            "domain {}{}: {} pages of {}, paused {}, dying {}, shutdown {shutdown:?}, assists {:#x}",
            dom.id,
            if dom.privileged { " (control)" } else { "" },
            dom.pages.total(),
            dom.pages.max(),
            dom.pause_count.load(Ordering::Relaxed),
            dom.dying.load(Ordering::Relaxed),
            dom.assists.load(Ordering::Relaxed),
        );
        for vcpu in dom.all_vcpus() {
            say!(
                hv,
                "  vCPU {}: {}, upcall pending {} masked {}",
                vcpu.id,
                if vcpu.sched.is_running() {
                    "running"
                } else if vcpu.sched.is_blocked() {
                    "blocked"
                } else {
                    "waiting or down"
                },
                vcpu.upcall_pending(),
                vcpu.upcall_masked(),
            );
        }
    }
}
