//! Which calls and operations a run reached.

use super::calls::family;
use super::calls::served;
use crate::hypercall::TABLE;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use xen_abi::Errno;

/// What became of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Times it was made.
    pub made: u64,
    /// Times it was answered with something else than that there is no such thing.
    pub served: u64,
    /// Times it succeeded.
    pub done: u64,
}

/// Counts by call and operation.
#[derive(Clone, Debug, Default)]
pub struct Reach(pub BTreeMap<(u16, u32), Count>);

impl Reach {
    /// It is about to be made.
    pub fn made(&mut self, nr: u16, op: u32) {
        self.0.entry((nr, op)).or_default().made += 1;
    }

    /// It was answered.
    pub fn answered(&mut self, nr: u16, op: u32, value: i64) {
        let count = self.0.entry((nr, op)).or_default();
        let absent = [Errno::ENOSYS, Errno::EOPNOTSUPP];
        count.served += u64::from(absent.iter().all(|errno| value != errno.neg()));
        count.done += u64::from(value >= 0);
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Reach) {
        for (key, count) in &other.0 {
            let sum = self.0.entry(*key).or_default();
            sum.made += count.made;
            sum.served += count.served;
            sum.done += count.done;
        }
    }
}

/// An operation in the report.
#[derive(Clone, Debug)]
pub struct Row {
    /// Call and operation.
    pub name: String,
    /// Whether it is implemented.
    pub implemented: bool,
    /// What became of it.
    pub count: Count,
}

/// All calls and operations there are, with what was reached.
pub fn rows(reach: &Reach) -> Vec<Row> {
    let mut rows = Vec::new();
    let served = served();
    for call in TABLE.iter().filter(|row| row.pv) {
        let ops = family(call.nr).map_or(&[("", 0)][..], |family| family.ops);
        for (name, op) in ops {
            let key = (call.nr as u16, *op);
            let dot = if name.is_empty() { "" } else { "." };
            rows.push(Row {
                name: format!("{}{dot}{name}", call.name),
                implemented: served.contains(&key),
                count: reach.0.get(&key).copied().unwrap_or_default(),
            });
        }
    }
    rows
}
