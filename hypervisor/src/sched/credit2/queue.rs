//! The units that wait, in the order of their virtual times.

use super::super::policy::Slot;
use alloc::vec::Vec;
use xen_abi::Errno;

/// The queue: rising by virtual time, then by age.
#[derive(Default)]
pub struct Waiting(Vec<(u64, Slot)>);

impl Waiting {
    /// Makes room for `n` units in all. Errors: `ENOMEM`.
    pub fn reserve(&mut self, n: usize) -> Result<(), Errno> {
        self.0
            .try_reserve(n.saturating_sub(self.0.len()))
            .map_err(|_| Errno::ENOMEM)
    }

    /// Adds a unit behind those that are as far along. There is room: see `reserve`.
    pub fn insert(&mut self, vtime: u64, slot: Slot) {
        let at = self.0.partition_point(|&(other, _)| other <= vtime);
        self.0.insert(at, (vtime, slot));
    }

    /// Takes a unit out.
    pub fn remove(&mut self, vtime: u64, slot: Slot) {
        let from = self.0.partition_point(|&(other, _)| other < vtime);
        let found = self
            .0
            .iter()
            .skip(from)
            .position(|&(_, other)| other == slot);
        if let Some(at) = found {
            self.0.remove(from + at);
        }
    }

    /// The units in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Slot)> + '_ {
        self.0.iter().copied()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How far along the first is.
    pub fn first_vtime(&self) -> Option<u64> {
        self.0.first().map(|&(vtime, _)| vtime)
    }
}
