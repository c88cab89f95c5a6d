//! Reports about domains and their vCPUs.

use super::cpus;
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::say;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};

/// All domains, by id.
pub fn each(hv: &Hypervisor) -> impl Iterator<Item = Arc<Domain>> {
    let mut next = Some(0u16);
    core::iter::from_fn(move || {
        let dom = hv.domains.from(next?)?;
        next = dom.id.checked_add(1);
        Some(dom)
    })
}

/// The CPU that a vCPU runs on, or ran on last.
pub fn place(vcpu: &Vcpu) -> u32 {
    vcpu.sched.cpu.load(Ordering::Relaxed)
}

fn condition(vcpu: &Vcpu) -> &'static str {
    if vcpu.sched.is_running() {
        "running"
    } else if !vcpu.sched.online() {
        "down"
    } else if vcpu.sched.is_blocked() {
        "blocked"
    } else {
        "waiting"
    }
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
                "  vCPU {}: {} on CPU {}, paused {}, upcall pending {} masked {}",
                vcpu.id,
                condition(vcpu),
                place(vcpu),
                vcpu.sched.pause_count.load(Ordering::Relaxed),
                vcpu.upcall_pending(),
                vcpu.upcall_masked(),
            );
        }
    }
}

/// The pools and their queues, where vCPUs are and where their time went.
pub fn run_states(hv: &Hypervisor, cpu: &mut Cpu) {
    hv.sched.dump(hv);
    let now = cpu.now();
    for dom in each(hv) {
        for vcpu in dom.all_vcpus() {
            // Without the run queue's lock the figures may be of different moments.
            let info = vcpu.sched.account.info_at(now);
            let [running, runnable, blocked, offline] = info.time.map(|ns| ns / 1_000_000);
            say!(
                hv,
                "d{}v{} CPU {} {}: ms running {running} waiting {runnable} blocked {blocked} offline {offline}",
                dom.id,
                vcpu.id,
                place(vcpu),
                condition(vcpu),
            );
        }
    }
}

/// The control domain's registers.
pub fn control_registers(hv: &Hypervisor, cpu: &mut Cpu) {
    let Some(dom) = hv.domain(0) else { return };
    for vcpu in dom.all_vcpus() {
        if vcpu.sched.is_running() && place(vcpu) == cpu.id() {
            cpus::own(hv, cpu);
            continue;
        }
        match vcpu.state.try_lock() {
            Some(state) if state.initialised => {
                say!(hv, "d{}v{} {}:", dom.id, vcpu.id, condition(vcpu));
                cpus::show_registers(hv, &state.pv.regs);
            }
            Some(_) => say!(hv, "d{}v{} was never brought up", dom.id, vcpu.id),
            None => cpus::ask(hv, cpu, place(vcpu)),
        }
    }
}

/// Event channels of all domains.
pub fn events(hv: &Hypervisor, _cpu: &mut Cpu) {
    for dom in each(hv) {
        crate::event::dump(hv, &dom);
    }
}

/// Grants of all domains.
pub fn grants(hv: &Hypervisor, _cpu: &mut Cpu) {
    for dom in each(hv) {
        crate::grant::dump(hv, &dom);
    }
}
