//! What tools are told of a domain: `getdomaininfo`.

use super::Domain;
use crate::hv::Hypervisor;
use core::sync::atomic::Ordering;
use machine::Cpu;
use xen_abi::domctl::*;
use xen_abi::vcpu::RUNSTATE_running;

/// The record of a domain, as of now.
pub fn info(hv: &Hypervisor, cpu: &Cpu, dom: &Domain) -> DomctlGetdomaininfo {
    let handle = *dom.handle.lock();
    let arch_config = *dom.arch_config.lock();
    let mut info = DomctlGetdomaininfo {
        domain: dom.id,
        tot_pages: dom.pages.total(),
        max_pages: dom.pages.max(),
        outstanding_pages: dom.pages.claim.load(Ordering::Relaxed),
        shared_info_frame: dom.shared_info.mfn().0,
        max_vcpu_id: XEN_INVALID_MAX_VCPU_ID,
        handle,
        cpupool: dom.cpupool.load(Ordering::Acquire),
        arch_config,
        ..DomctlGetdomaininfo::default()
    };
    // Blocked when all vCPUs that are up are; running when one of them is.
    let mut blocked = true;
    let mut running = false;
    for vcpu in dom.all_vcpus() {
        let times = hv.sched.account(cpu, vcpu).time;
        let ran = times.get(RUNSTATE_running as usize).copied();
        info.cpu_time = info.cpu_time.wrapping_add(ran.unwrap_or(0));
        info.max_vcpu_id = vcpu.id;
        if vcpu.sched.online() {
            info.nr_online_vcpus = info.nr_online_vcpus.saturating_add(1);
            blocked &= vcpu.sched.is_blocked();
            running |= vcpu.sched.is_running();
        }
    }
    let up = info.nr_online_vcpus != 0;
    let shutdown = *dom.shutdown.lock();
    // Without a reason announced or given, all bits of the code are set.
    let code = shutdown.unwrap_or_else(|| dom.shutdown_code.load(Ordering::Relaxed));
    let paused = *dom.controller_pauses.lock() != 0;
    let flags = [
        (dom.dead.load(Ordering::Acquire), XEN_DOMINF_dying),
        (shutdown.is_some(), XEN_DOMINF_shutdown),
        (paused, XEN_DOMINF_paused),
        (up && blocked, XEN_DOMINF_blocked),
        (up && running, XEN_DOMINF_running),
        (dom.debugged.load(Ordering::Relaxed), XEN_DOMINF_debugged),
        (
            dom.hvm.get().is_some(),
            XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
        ),
        (dom.xenstore.load(Ordering::Relaxed), XEN_DOMINF_xs_domain),
    ];
    info.flags = flags
        .into_iter()
        .filter(|(on, _)| *on)
        .fold(0, |all, (_, flag)| all | flag)
        | code << XEN_DOMINF_shutdownshift;
    info
}
