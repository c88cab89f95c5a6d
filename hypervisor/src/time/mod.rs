//! Time: the guests' clocks, timers and run-state accounts.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::hv::Hypervisor;
use machine::Cpu;
use xen_abi::Errno;

/// Timers of all CPUs, wall clock.
pub struct Clocks {}

impl Clocks {
    /// No timer. Errors: `ENOMEM`.
    pub fn new(_cpus: u32, _wall_seconds: u64) -> Result<Clocks, Errno> {
        Ok(Clocks {})
    }
}

/// A vCPU's timers and account of time.
#[derive(Default)]
pub struct VcpuTime {}

/// Fires this CPU's timers that are due and arms the next.
pub fn run_timers(_hv: &Hypervisor, _cpu: &mut Cpu) {}

/// The `set_timer_op` hypercall.
pub fn set_timer_op(_cx: &mut Cx, [_deadline]: [u64; 1]) -> HyperResult {
    Err(Fail::Errno(Errno::ENOSYS))
}

/// The `vcpu_op` hypercall.
pub fn vcpu_op(_cx: &mut Cx, [_cmd, _vcpu, _arg]: [u64; 3]) -> HyperResult {
    Err(Fail::Errno(Errno::ENOSYS))
}

/// The timer interrupt came: fires what is due. Whether another vCPU should have its turn.
pub fn timer_interrupt(hv: &Hypervisor, cpu: &mut Cpu) -> bool {
    use machine::CpuApi;
    run_timers(hv, cpu);
    hv.sched.contended(cpu.id())
}

/// The vCPU goes onto its CPU: run state, its clock, the end of its turn.
pub fn enter(_cx: &mut Cx) {}

/// The vCPU leaves its CPU.
pub fn leave(_cx: &mut Cx) {}
