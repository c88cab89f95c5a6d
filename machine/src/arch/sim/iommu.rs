//! An IOMMU that only counts: no simulated device reaches memory by itself.

use super::mem::{current, lock};
use crate::addr::Mfn;
use crate::heap::Block;
use crate::iommu::Fault;

/// What it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Iommu {
    /// The machine has one.
    pub there: bool,
    /// The tables of all devices.
    pub root: Option<Mfn>,
    /// How often it had to forget translations since.
    pub flushes: u64,
}

/// Whether the thread's current machine has one.
pub fn is_there() -> bool {
    current().is_some_and(|machine| lock(&machine.devices).iommu.there)
}

/// Notes the tables.
pub fn enable(root: Mfn, table: Block) {
    for page in table.into_pages(false) {
        let _ = page.into_entry();
    }
    if let Some(machine) = current() {
        lock(&machine.devices).iommu.root = Some(root);
    }
}

/// Counts.
pub fn flush() {
    if let Some(machine) = current() {
        lock(&machine.devices).iommu.flushes += 1;
    }
}

/// None ever.
pub fn take_fault() -> Option<Fault> {
    None
}
