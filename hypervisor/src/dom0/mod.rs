//! The control domain: built at boot, and the machine's end is its end.

use crate::hv::Hypervisor;
use machine::Cpu;

/// dom0 shut down: does to the machine what it asked for.
pub fn shutdown(_hv: &Hypervisor, _cpu: &mut Cpu, _reason: u32) {}
