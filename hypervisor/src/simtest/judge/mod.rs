//! The judge: looks at the whole machine while it stands still and says what is wrong.
//!
//! Each check is an invariant of its own, named by [`Kind`]; how often each was looked at is
//! counted for the report. What needs no standstill (translations that outlived their frame,
//! the order of locks, locks held at an entry) the simulated machine watches all the time.

extern crate std;

mod accounts;
mod events;
mod grants;
mod owners;
mod references;
mod timers;

pub use timers::{LATE, Overdue};

use super::world::World;
use alloc::string::String;
use std::sync::atomic::{AtomicU64, Ordering};

/// An invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Tables name only what they may, no free frame is used.
    Tables,
    /// Counts on frames are what is held.
    References,
    /// Each frame is free or somebody's; domains' accounts add up; limits hold.
    Accounts,
    /// Mappings are of own, granted or permitted memory.
    Owners,
    /// Channels have two ends that know each other.
    Events,
    /// Uses of grants are mapped by somebody.
    Grants,
    /// A CPU's timer comes in time for its first deadline.
    Timers,
    /// A guest's timer comes when it is due, each time that one does.
    Alarms,
    /// vCPUs that can run are found by a CPU.
    Runnable,
    /// After the end nothing is left.
    End,
    /// What a domain sees does not depend on another's secret.
    Twins,
}

/// All of them, with what they say.
pub const KINDS: [(Kind, &str); 11] = [
    (Kind::Tables, "no frame is at once writable and a table"),
    (
        Kind::References,
        "reference and type counts are what is held",
    ),
    (
        Kind::Accounts,
        "free, owned and the hypervisor's are all; limits hold",
    ),
    (Kind::Owners, "each mapping is owned, granted or permitted"),
    (Kind::Events, "event channels hang together"),
    (Kind::Grants, "uses of grants are somebody's"),
    (Kind::Timers, "no timer is lost"),
    (
        Kind::Alarms,
        "a guest's timer is neither early nor does it not come",
    ),
    (Kind::Runnable, "a vCPU that can run is found by a CPU"),
    (Kind::End, "a destroyed domain leaves nothing"),
    (Kind::Twins, "a domain sees nothing of another's secret"),
];

static CHECKED: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];

/// Notes that an invariant was looked at.
pub fn count(kind: Kind) {
    CHECKED[kind as usize].fetch_add(1, Ordering::Relaxed);
}

/// How often each was, in this process.
pub fn counts() -> [u64; KINDS.len()] {
    core::array::from_fn(|i| CHECKED[i].load(Ordering::Relaxed))
}

/// Looks at the cheap ones and, with `all`, at those that walk all memory. Panics with
/// everything that is wrong.
pub fn check(world: &World, all: bool) {
    let mut wrong = String::new();
    let mut look = |kind: Kind, found: Result<(), String>| {
        count(kind);
        if let Err(what) = found {
            wrong.push_str(&alloc::format!("{kind:?}: {what}\n"));
        }
    };
    look(Kind::Timers, timers::check(world));
    look(Kind::Events, events::check(world));
    look(Kind::Grants, grants::check(world));
    count(Kind::Runnable);
    if all {
        look(Kind::Tables, world.machine.audit().map(|_| ()));
        look(Kind::References, references::check(world));
        look(Kind::Accounts, accounts::check(world));
        look(Kind::Owners, owners::check(world));
    }
    assert!(wrong.is_empty(), "the judge found:\n{wrong}");
}

/// One error out of many.
fn all_of(wrong: alloc::vec::Vec<String>) -> Result<(), String> {
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    }
}
