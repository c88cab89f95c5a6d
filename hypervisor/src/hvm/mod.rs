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

/// The time stamp counter as the loaded vCPU reads it.
fn tsc(cx: &crate::cx::Cx) -> u64 {
    let counter = crate::time::tsc::read(cx.cpu, cx.dom);
    match cx.dom.tsc.get().emulated {
        Some(_) => counter,
        None => counter.wrapping_add(crate::time::tsc_offset(cx.vcpu)),
    }
}
