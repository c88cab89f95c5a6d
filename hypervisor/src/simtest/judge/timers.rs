//! Timers: each stands in its queue for the time it is due; the CPU's interrupt comes no later than
//! the first deadline of its queue; none is long overdue. What guests see of theirs is looked at
//! as they go on (`play/alarm.rs`).

extern crate std;

use super::super::world::World;
use super::all_of;
use crate::time::{NEVER, inspect};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use std::sync::PoisonError;

/// How long after its time a timer may fire, nanoseconds: CPUs have turns of their own, and other
/// work.
pub const LATE: u64 = 20_000_000;

/// Timers that were due and had not fired at the last look: domain by its unique number, vCPU and
/// deadline; and since when.
pub type Overdue = BTreeMap<(u64, u32, u64), u64>;

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
    let now = world.machine.now();
    let mut overdue = world.overdue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut still = Overdue::new();
    for dom in world.domains() {
        for vcpu in dom.all_vcpus() {
            if let Some(what) = world.hv.clocks.timers.misplaced(vcpu) {
                wrong.push(format!("timers of d{}v{} {what}", dom.id, vcpu.id));
            }
            let due = inspect::first_due(vcpu);
            if due >= now {
                continue;
            }
            // It may have been set to the past, but not for long.
            let who = (dom.unique_id.load(Ordering::Relaxed), vcpu.id, due);
            let since = *overdue.get(&who).unwrap_or(&now);
            still.insert(who, since);
            if since.saturating_add(LATE) < now {
                wrong.push(format!(
                    "a timer of d{}v{} was due at {due}, seen so at {since}, and it is {now}",
                    dom.id, vcpu.id
                ));
            }
        }
    }
    *overdue = still;
    drop(overdue);
    all_of(wrong)
}
