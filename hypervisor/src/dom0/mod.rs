//! The control domain: built at boot, and the machine's end is its end.

mod builder;
mod hypercall_page;
mod layout;
mod memory;
mod tables;

pub use builder::{BuildError, build};
pub use hypercall_page::fill as fill_hypercall_page;

use crate::hv::Hypervisor;
use machine::Cpu;

/// dom0 shut down: does to the machine what it asked for.
pub fn shutdown(_hv: &Hypervisor, _cpu: &mut Cpu, _reason: u32) {}
