//! `SCHEDOP_poll`: blocking until one of some ports is pending, masked or not.
//!
//! No lock: a poller first says that it polls, then looks at its ports; whoever makes a port
//! pending first does so, then looks for pollers. One of them sees the other.

use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use crate::time::Timer;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::Cpu;
use xen_abi::Errno;
use xen_abi::sched::SchedPoll;
use zerocopy::IntoBytes;

/// Most ports of one call.
const MAX_PORTS: usize = 128;
/// Does not poll.
const NOT: u32 = u32::MAX;
/// Polls several ports: any may be one of them.
const ANY: u32 = u32::MAX - 1;

/// What a vCPU polls for.
pub struct Poll(AtomicU32);

impl Default for Poll {
    fn default() -> Self {
        Poll(AtomicU32::new(NOT))
    }
}

impl Poll {
    /// Whether it polls.
    #[inline(always)]
    pub fn active(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NOT
    }

    fn begin(&self, dom: &Domain, what: u32) {
        if self.0.swap(what, Ordering::SeqCst) == NOT {
            dom.pollers.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Ends it; whether it polled.
    fn end(&self, dom: &Domain) -> bool {
        let was = self.0.swap(NOT, Ordering::SeqCst) != NOT;
        if was {
            dom.pollers.fetch_sub(1, Ordering::SeqCst);
        }
        was
    }
}

/// Whether one of the ports is pending. Errors: `EINVAL`.
fn any_pending(cx: &Cx, ports: &[u32]) -> Result<bool, Errno> {
    for &port in ports {
        if crate::event::port_pending(cx.dom, port)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An event waits that will be delivered as soon as the vCPU runs.
fn deliverable(cx: &Cx) -> bool {
    cx.vcpu.upcall_pending() && !cx.vcpu.upcall_masked()
}

/// `SCHEDOP_poll`. Errors: `EINVAL` with too many ports or one beyond the domain's, `EFAULT`.
pub fn poll(cx: &mut Cx, arg: u64) -> HyperResult {
    let arg: SchedPoll = cx.copy_in(GuestPtr::new(arg))?;
    let mut ports = [0u32; MAX_PORTS];
    let ports = ports
        .get_mut(..arg.nr_ports as usize)
        .ok_or(Errno::EINVAL)?;
    cx.copy_in_bytes(GuestPtr::new(arg.ports), ports.as_mut_bytes())?;
    if deliverable(cx) || any_pending(cx, ports)? {
        return Ok(0);
    }
    let what = match *ports {
        [port] => port,
        _ => ANY,
    };
    cx.hv.sched.block(cx.vcpu);
    cx.vcpu.sched.poll.begin(cx.dom, what);
    if deliverable(cx) || any_pending(cx, ports)? {
        cx.vcpu.sched.poll.end(cx.dom);
        cx.hv.sched.unblock_self(cx.vcpu);
        return Ok(0);
    }
    if arg.timeout != 0 {
        let timers = &cx.hv.clocks.timers;
        let due = arg.timeout.min(crate::time::NEVER - 1);
        if let Err(errno) = timers.set(cx.cpu, cx.vcpu, Timer::Poll, due) {
            cx.vcpu.sched.poll.end(cx.dom);
            cx.hv.sched.unblock_self(cx.vcpu);
            return Err(errno.into());
        }
    }
    cx.reschedule();
    Ok(0)
}

/// The vCPU runs again: whatever it polled for is over.
#[cold]
pub fn ended(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
    vcpu.sched.poll.end(dom);
    hv.clocks.timers.stop(cpu, vcpu, Timer::Poll);
}

/// The time limit of a poll came.
pub fn poll_timed_out(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, vcpu: &Arc<Vcpu>) {
    if vcpu.sched.poll.end(dom) {
        hv.sched.wake(cpu, dom, vcpu);
    }
}

/// A port became pending: wakes the vCPUs that poll for it. Called while `dom.pollers != 0`.
pub fn wake_pollers(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, port: u32) {
    for vcpu in dom.all_vcpus() {
        let what = vcpu.sched.poll.0.load(Ordering::SeqCst);
        if (what == port || what == ANY) && vcpu.sched.poll.end(dom) {
            hv.sched.wake(cpu, dom, vcpu);
        }
    }
}
