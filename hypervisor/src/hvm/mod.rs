//! Hardware-virtualised guests: their exits, registers, interrupts and memory accesses.
//!
//! A vCPU is of this kind when its state has an [`HvmVcpu`]. Its loop is [`run::run`], apart
//! from the PV guests' one: the kind is asked for once a turn, never at an exit.

mod context;
pub mod control;
mod copy;
mod cpuid;
mod crash;
mod deliver;
pub mod devices;
mod domain;
mod emulator;
mod exits;
mod hypercall;
mod inject;
mod io_rights;
mod mmio;
mod msr;
mod mtrr;
pub mod op;
mod params;
mod posted;
pub mod run;
pub mod save;
mod start;
#[cfg(test)]
mod tests;
mod vcpu;
pub mod vlapic;
mod walk;

pub use copy::{read_kernel as read, write_kernel as write};
pub use crash::crash;
pub use deliver::has_work;
pub use domain::{HvmDomain, make, make_vcpu};
#[cfg(test)]
pub use exits::serve as serve_exit;
pub use hypercall::fill_page as fill_hypercall_page;
pub use mmio::apic_id;
pub use posted::Posted;
pub use vcpu::HvmVcpu;

use crate::domain::{Domain, Vcpu};
use machine::CpuApi;

/// The time stamp counter as the loaded vCPU reads it.
fn tsc(cx: &crate::cx::Cx) -> u64 {
    counter(cx.cpu, cx.dom, cx.vcpu)
}

/// A vCPU's time stamp counter.
fn counter(cpu: &machine::Cpu, dom: &Domain, vcpu: &Vcpu) -> u64 {
    let counter = crate::time::tsc::read(cpu, dom);
    match dom.tsc.get().emulated {
        Some(_) => counter,
        None => counter.wrapping_add(crate::time::tsc_offset(vcpu)),
    }
}

/// When a vCPU's counter reaches `value`, nanoseconds of system time: now, when it did.
fn counter_at(cpu: &machine::Cpu, dom: &Domain, vcpu: &Vcpu, value: u64) -> u64 {
    let ticks = value.saturating_sub(counter(cpu, dom, vcpu));
    let (mul, shift, _) = cpu.tsc_scale();
    let own = (mul, shift);
    let emulated = dom.tsc.get().emulated.as_ref();
    let (mul, shift) = emulated.map_or(own, |emulated| (emulated.mul, emulated.shift));
    let ticks = match shift {
        0.. => u128::from(ticks) << shift.min(63),
        _ => u128::from(ticks) >> shift.unsigned_abs().min(63),
    };
    // One more, so that the counter has reached it, unless it has already.
    let ns = (ticks.saturating_mul(mul.into()) >> 32).saturating_add((ticks != 0).into());
    let most = crate::time::NEVER - 1;
    cpu.now()
        .saturating_add(u64::try_from(ns).unwrap_or(most))
        .min(most)
}
