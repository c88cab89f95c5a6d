//! Pausing a domain and shutting it down.
//!
//! A domain runs while nobody wants it paused. Shutting down is pausing for good, with a reason
//! that the control domain is told of; `resume` takes it back.

use super::Domain;
use crate::hv::Hypervisor;
use core::sync::atomic::Ordering;
use machine::{Cpu, CpuApi};
use xen_abi::Errno;
use xen_abi::sched::SHUTDOWN_suspend;
use xen_abi::xen::VIRQ_DOM_EXC;

/// How often the tools may pause a domain, as in Xen.
const MAX_CONTROLLER_PAUSES: u32 = 255;
/// Rounds of waiting for other CPUs in one go.
const MAX_WAIT: u32 = 100_000;

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

    /// Pauses it once more for the tools. Errors: `EOVERFLOW` after 255 times.
    pub fn controller_pause(&self, hv: &Hypervisor, cpu: &Cpu) -> Result<(), Errno> {
        let mut count = self.controller_pauses.lock();
        if *count >= MAX_CONTROLLER_PAUSES {
            return Err(Errno::EOVERFLOW);
        }
        *count += 1;
        drop(count);
        self.pause(hv, cpu);
        Ok(())
    }

    /// Undoes one [`Domain::controller_pause`]. Errors: `EINVAL` when there is none.
    pub fn controller_unpause(&self, hv: &Hypervisor, cpu: &Cpu) -> Result<(), Errno> {
        let mut count = self.controller_pauses.lock();
        *count = count.checked_sub(1).ok_or(Errno::EINVAL)?;
        drop(count);
        self.unpause(hv, cpu);
        Ok(())
    }

    /// Waits for a paused domain to leave all CPUs, as long as nothing else waits. `false`
    /// when it did not by then: they have been told, so it is to be asked again soon.
    pub fn wait_quiescent(&self, cpu: &Cpu) -> bool {
        // At least once, so that a short patience cannot keep it from ever ending.
        for _ in 0..MAX_WAIT {
            if self.is_quiescent() {
                return true;
            }
            if cpu.work_pending() {
                return false;
            }
            machine::relax();
        }
        self.is_quiescent()
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
        self.announce(hv, cpu, reason);
    }

    /// Tells of a shutdown: whoever subscribed to a suspend, else the control domain.
    fn announce(&self, hv: &Hypervisor, cpu: &Cpu, reason: u32) {
        hv.changes.note(self.id);
        let port = self.suspend_port.load(Ordering::Relaxed);
        if reason == SHUTDOWN_suspend && port != 0 {
            // A port that cannot send is the tools' own fault.
            let _ = crate::event::send(hv, cpu, self, port);
        } else {
            crate::event::notify_virq(hv, cpu, VIRQ_DOM_EXC);
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
