//! Timers: the CPU's interrupt comes no later than the first deadline of its queue.

use super::super::world::World;
use super::all_of;
use crate::time::NEVER;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Checks them.
pub fn check(world: &World) -> Result<(), String> {
    let mut wrong = Vec::new();
    for cpu in 0..world.hv.cpus {
        let Some((wanted, _)) = world.hv.clocks.timers.armed(cpu) else {
            continue;
        };
        let comes = world.machine.deadline(cpu).unwrap_or(NEVER);
        // A CPU that was told to look arms it when it does.
        if wanted < comes && !world.machine.is_kicked(cpu) {
            wrong.push(format!(
                "CPU {cpu} wants {wanted}, but is armed for {comes}"
            ));
        }
    }
    all_of(wrong)
}
