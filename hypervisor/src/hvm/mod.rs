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
mod domain;
mod emulator;
mod exits;
mod hypercall;
mod inject;
mod mmio;
mod msr;
pub mod op;
mod posted;
pub mod run;
mod start;
#[cfg(test)]
mod tests;
mod vcpu;
pub mod vlapic;
mod walk;

pub use copy::{read, write};
pub use crash::crash;
pub use deliver::has_work;
pub use domain::HvmDomain;
#[cfg(test)]
pub use exits::serve as serve_exit;
pub use posted::Posted;
pub use vcpu::HvmVcpu;
