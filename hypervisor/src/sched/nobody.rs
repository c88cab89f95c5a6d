//! The policy of a group that has no CPUs and is in no pool: it takes nobody in.

use super::policy::{Choice, Leaves, Policy, Slot, Unit};
use crate::time::NEVER;
use machine::CpuMask;
use xen_abi::Errno;

/// The policy.
pub struct Nobody;

impl Policy for Nobody {
    fn add_cpu(&mut self, _: u32) {}

    fn remove_cpu(&mut self, _: u32, _: u64) -> Option<u32> {
        None
    }

    fn add(&mut self, _: Unit) -> Result<Slot, Errno> {
        Err(Errno::ENODEV)
    }

    fn remove(&mut self, _: Slot) -> Option<Unit> {
        None
    }

    fn set_affinity(&mut self, _: Slot, _: CpuMask, _: CpuMask, _: u64) -> Option<u32> {
        None
    }

    fn share_changed(&mut self, _: Slot, _: u64) -> Option<u32> {
        None
    }

    fn wake(&mut self, _: Slot, _: u64) -> Option<u32> {
        None
    }

    fn sleep(&mut self, _: Slot) {}

    fn next(&mut self, _: u32, _: u64, _: Leaves) -> Choice {
        Choice::IDLE
    }

    fn turn_end(&self, _: u32) -> u64 {
        NEVER
    }

    fn waiting(&self) -> usize {
        0
    }

    fn spare(&self, _: &CpuMask) -> Option<Slot> {
        None
    }
}
