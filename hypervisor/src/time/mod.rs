//! Time: the guests' clocks, timers and run-state accounts.
//!
//! Each file says what it owns and under which lock. The words of [`VcpuTime`] outside of its
//! timers are atomics: they are written by the hypercalls that set them and read by the CPU
//! that runs the vCPU.

mod area;
mod clock;
mod heap;
mod runstate;
#[cfg(test)]
mod tests;
mod timers;
pub mod tsc;
mod vcpu_op;

pub use area::each_frame;
pub use clock::{Wall, set_wallclock, show_wall, wall_now};
pub use heap::NEVER;
#[cfg(any(test, feature = "sim"))]
pub use timers::inspect;
pub use timers::{Timer, Timers};
pub use tsc::DomainTsc;
pub use vcpu_op::vcpu_op;

use crate::cx::Cx;
use crate::domain::{GuestArea, Vcpu};
use crate::fail::HyperResult;
use crate::hv::Hypervisor;
use crate::locks;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use machine::hvm::{HvmApi, Reg};
use machine::{Cpu, CpuApi, Lock};
use timers::VcpuTimers;
use xen_abi::Errno;
use xen_abi::compat::Width;
use xen_abi::shared_info::VCPU_INFO_TIME;

/// The tick that a vCPU has until it sets or stops its periodic timer, nanoseconds.
const DEFAULT_PERIOD: u64 = 10_000_000;

/// Timers of all CPUs, wall clock.
pub struct Clocks {
    /// The timers.
    pub timers: Timers,
    wall: Lock<Wall>,
}

impl Clocks {
    /// No timer; the wall clock stood at `wall_seconds` since 1970 at system time zero.
    /// Errors: `ENOMEM`.
    pub fn new(cpus: u32, wall_seconds: u64) -> Result<Clocks, Errno> {
        let wall = Wall {
            seconds: wall_seconds,
            nanos: 0,
        };
        Ok(Clocks {
            timers: Timers::new(cpus)?,
            wall: Lock::new(locks::TIMERS, wall),
        })
    }
}

/// A vCPU's timers and what it is told of time.
pub struct VcpuTime {
    timers: VcpuTimers,
    /// Of the periodic timer, nanoseconds; zero when it is off.
    period: AtomicU64,
    /// When it ticks next, also while it is held because the vCPU does not run.
    next_tick: AtomicU64,
    /// The clock's record was written to the `vcpu_info` in use.
    shown: AtomicBool,
    /// Added to the processor's counter for a hardware-virtualised vCPU.
    tsc_offset: AtomicU64,
    /// Virtual address for a copy of the record; zero for none.
    time_va: AtomicU64,
    /// It is still to be written.
    time_va_due: AtomicBool,
    /// Virtual address of the run-state record; zero for none.
    runstate_va: AtomicU64,
    /// There is a frame for it.
    runstate_framed: AtomicBool,
    /// Frames that the guest registered by address.
    areas: Lock<Areas>,
    /// Watchdogs of the domain in use, a bit each; vCPU 0's count.
    pub watchdogs: AtomicU32,
}

#[derive(Default)]
struct Areas {
    time: Option<GuestArea>,
    runstate: Option<GuestArea>,
}

impl Default for VcpuTime {
    fn default() -> Self {
        VcpuTime {
            timers: VcpuTimers::default(),
            period: AtomicU64::new(DEFAULT_PERIOD),
            next_tick: AtomicU64::new(0),
            shown: AtomicBool::new(false),
            tsc_offset: AtomicU64::new(0),
            time_va: AtomicU64::new(0),
            time_va_due: AtomicBool::new(false),
            runstate_va: AtomicU64::new(0),
            runstate_framed: AtomicBool::new(false),
            areas: Lock::new(locks::DOMAIN, Areas::default()),
            watchdogs: AtomicU32::new(0),
        }
    }
}

impl VcpuTime {
    /// When the periodic timer, which is due at `now`, ticks next.
    fn next_tick(&self, now: u64) -> u64 {
        let next = match self.period.load(Ordering::Relaxed) {
            0 => NEVER,
            period => now.saturating_add(period),
        };
        self.next_tick.store(next, Ordering::Relaxed);
        next
    }
}

/// Fires this CPU's timers that are due and arms the next.
#[inline]
pub fn run_timers(hv: &Hypervisor, cpu: &mut Cpu) {
    hv.clocks.timers.run(hv, cpu, false);
}

/// The timer interrupt came: fires what is due. Whether another vCPU should have its turn.
pub fn timer_interrupt(hv: &Hypervisor, cpu: &mut Cpu) -> bool {
    hv.clocks.timers.run(hv, cpu, true);
    hv.sched.turn_over(hv, cpu)
}

/// The `set_timer_op` hypercall. Like Xen, takes absurd deadlines for an unlucky subtraction
/// and fires soon. 32-bit code has the deadline in two registers, low half first.
pub fn set_timer_op(cx: &mut Cx, [deadline, high]: [u64; 2]) -> HyperResult {
    /// Deadlines further off than this (13 days) are not meant.
    const HUGE: u64 = 1 << 50;
    const SOON: u64 = 100_000_000;
    let now = cx.cpu.now();
    let deadline = match cx.width {
        Width::W32 => deadline & 0xffff_ffff | high << 32,
        Width::W64 => deadline,
    };
    let due = match deadline {
        0 => NEVER,
        _ if deadline as i64 <= 0 || deadline.saturating_sub(now) >= HUGE => {
            now.saturating_add(SOON)
        }
        _ => deadline,
    };
    cx.hv
        .clocks
        .timers
        .set(cx.cpu, cx.vcpu, Timer::Singleshot, due)?;
    Ok(0)
}

/// Sets a vCPU's periodic timer; a period of zero stops it.
pub fn set_period(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    vcpu: &Arc<Vcpu>,
    period: u64,
) -> Result<(), Errno> {
    vcpu.time.period.store(period, Ordering::Relaxed);
    let next = vcpu.time.next_tick(cpu.now());
    if period == 0 || vcpu.sched.is_running() {
        hv.clocks.timers.set(cpu, vcpu, Timer::Periodic, next)?;
    }
    Ok(())
}

/// A vCPU that never ran has no periodic timer until it sets one.
pub fn no_ticks(vcpu: &Vcpu) {
    vcpu.time.period.store(0, Ordering::Relaxed);
}

/// The vCPU goes onto its CPU: its timers come along, and its records are brought up to date.
#[inline]
pub fn enter(cx: &mut Cx) {
    let time = &cx.vcpu.time;
    // The tools can no longer change what the domain is told of the processor.
    let _ = cx.dom.cpu_policy(cx.hv);
    trap_tsc(cx);
    cx.hv.clocks.timers.bring_home(cx.cpu, cx.vcpu);
    if !time.shown.load(Ordering::Relaxed) {
        first_enter(cx);
    }
    if time.time_va_due.load(Ordering::Relaxed) {
        area::show_time_copy(cx);
    }
    if time.period.load(Ordering::Relaxed) != 0 {
        // A tick that came due meanwhile comes at once. Without memory there is none.
        let next = time.next_tick.load(Ordering::Relaxed);
        let _ = cx
            .hv
            .clocks
            .timers
            .set(cx.cpu, cx.vcpu, Timer::Periodic, next);
    }
    runstate::show(cx);
}

/// Makes RDTSC an exit where the domain's counter is not the processor's, or where the guest's
/// kernel wants its users not to read it.
#[inline]
pub fn trap_tsc(cx: &mut Cx) {
    const CR4_TSD: u64 = 1 << 2;
    let emulated = cx.dom.tsc.get().emulated.is_some();
    if let Some(hvm) = &mut cx.st.hvm {
        // Its users' right is the processor's to look after, by the guest's own CR4.
        hvm.state.set_tsc_trap(emulated);
        cx.cpu.set_tsc_trap(false);
        let offset = cx.vcpu.time.tsc_offset.load(Ordering::Relaxed);
        if hvm.state.get(Reg::TscOffset) != offset {
            hvm.state.set(Reg::TscOffset, offset);
        }
        return;
    }
    cx.cpu.set_tsc_trap(emulated || cx.st.cr4 & CR4_TSD != 0);
}

/// What is added to the processor's counter for a hardware-virtualised vCPU.
pub fn tsc_offset(vcpu: &Vcpu) -> u64 {
    vcpu.time.tsc_offset.load(Ordering::Relaxed)
}

/// Sets that, of a vCPU that is not on a CPU or the one that calls: from its next entry on, when
/// its records of the clock are written anew.
pub fn set_tsc_offset(vcpu: &Vcpu, offset: u64) {
    let time = &vcpu.time;
    if time.tsc_offset.swap(offset, Ordering::Relaxed) != offset {
        time.shown.store(false, Ordering::Relaxed);
        let has_copy = time.time_va.load(Ordering::Relaxed) != 0;
        time.time_va_due.store(has_copy, Ordering::Relaxed);
    }
}

#[cold]
fn first_enter(cx: &mut Cx) {
    clock::show_wall(cx.hv, cx.dom);
    if let Some(info) = cx.vcpu.info() {
        clock::show_at(cx, cx.vcpu, info, VCPU_INFO_TIME);
        cx.vcpu.time.shown.store(true, Ordering::Relaxed);
    }
    area::show_time_frame(cx);
}

/// The vCPU leaves its CPU; its address space is still there.
#[inline]
pub fn leave(cx: &mut Cx) {
    if cx.vcpu.time.period.load(Ordering::Relaxed) != 0 {
        cx.hv.clocks.timers.stop(cx.cpu, cx.vcpu, Timer::Periodic);
    }
    cx.hv.sched.leaving(cx.cpu, cx.dom, cx.vcpu);
    runstate::show(cx);
}

/// Stops all timers of a vCPU that will not run again.
pub fn forget(hv: &Hypervisor, vcpu: &Arc<Vcpu>) {
    vcpu.time.period.store(0, Ordering::Relaxed);
    hv.clocks.timers.forget(vcpu);
    area::release(vcpu);
}
