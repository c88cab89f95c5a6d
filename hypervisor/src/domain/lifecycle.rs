//! Pausing a domain and shutting it down.
//!
//! A domain runs while nobody wants it paused. Shutting down is pausing for good, with a reason
//! that the control domain is told of; `resume` takes it back.

use super::Domain;
use crate::hv::Hypervisor;
use core::sync::atomic::Ordering;
use machine::Cpu;
use xen_abi::xen::VIRQ_DOM_EXC;

impl Domain {
    /// Stops all vCPUs, at the latest when each leaves its CPU next; see
    /// [`Domain::is_quiescent`]. Each call is undone by one [`Domain::unpause`].
    pub fn pause(&self, hv: &Hypervisor, cpu: &Cpu) {
        self.pause_count.fetch_add(1, Ordering::SeqCst);
        for vcpu in self.all_vcpus() {
            hv.sched.update(cpu, self, vcpu);
        }
    }

    /// Undoes one [`Domain::pause`].
    pub fn unpause(&self, hv: &Hypervisor, cpu: &Cpu) {
        if self.pause_count.fetch_sub(1, Ordering::SeqCst) == 1 {
            for vcpu in self.all_vcpus() {
                hv.sched.update(cpu, self, vcpu);
            }
        }
    }

    /// Whether none of its vCPUs is on a CPU. Lasting only while it is paused.
    pub fn is_quiescent(&self) -> bool {
        self.all_vcpus().all(|vcpu| !vcpu.sched.is_running())
    }

    /// Whether it shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shutdown.lock().is_some()
    }

    /// Shuts the domain down for `reason` (`SHUTDOWN_*`), unless it already is: it does not run
    /// any more, and the control domain is told. The control domain itself takes the machine
    /// along.
    pub fn shut_down(&self, hv: &Hypervisor, cpu: &mut Cpu, reason: u32) {
        let announced = self.shutdown_code.load(Ordering::Relaxed);
        let reason = if announced == u32::MAX {
            reason
        } else {
            announced
        };
        let mut shutdown = self.shutdown.lock();
        if shutdown.is_some() {
            return;
        }
        *shutdown = Some(reason);
        drop(shutdown);
        crate::log!(hv, Info, "domain {} shut down, reason {reason}", self.id);
        if self.privileged {
            crate::dom0::shutdown(hv, cpu, reason);
        }
        self.pause(hv, cpu);
        if let Some(control) = hv.domain(0) {
            crate::event::send_global_virq(hv, cpu, &control, VIRQ_DOM_EXC);
        }
    }

    /// Takes the vCPUs of a domain that is going away out of the scheduler and stops their
    /// timers, so that nothing but the list of domains holds them. It is paused and
    /// [quiescent](Domain::is_quiescent).
    pub fn retire(&self, hv: &Hypervisor, cpu: &Cpu) {
        for vcpu in self.all_vcpus() {
            hv.sched.forget(cpu, vcpu);
            crate::time::forget(hv, vcpu);
        }
    }

    /// Takes [`Domain::shut_down`] back, for a guest that was suspended and goes on.
    pub fn resume(&self, hv: &Hypervisor, cpu: &Cpu) {
        let was = self.shutdown.lock().take();
        self.shutdown_code.store(u32::MAX, Ordering::Relaxed);
        if was.is_some() {
            self.unpause(hv, cpu);
        }
    }
}
