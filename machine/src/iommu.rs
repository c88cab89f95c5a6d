//! The IOMMUs: what devices reach of memory.
//!
//! One set of tables for all devices, that of the domain which drives them: they are a
//! hardware-virtualised guest's [`Nested`] tables, whose form suits both ([`crate::nested`]).
//! Before [`attach`] devices reach everything, as on a machine without IOMMU. Interrupts are not
//! translated.

use crate::arch::imp::iommu as arch;
use crate::heap::Block;
use crate::nested::Nested;
use alloc::sync::Arc;

/// Power of two of the frames that [`attach`] needs: 2 MiB.
pub const TABLE_ORDER: u32 = 9;

/// An access by a device that was not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of event (AMD's specification 48882, 2.5): 2 is an access to a page.
    pub code: u8,
    /// Bus, device and function.
    pub device: u16,
    /// The address that the device gave.
    pub address: u64,
}

/// Whether the machine has IOMMUs that are known and work, and all devices are behind them.
pub fn is_there() -> bool {
    arch::is_there()
}

/// Has all devices reach through `nested` tables what these map and nothing else, from now on
/// and for good. `table` are 2^[`TABLE_ORDER`] frames that it keeps. `false`, and nothing
/// changed, without IOMMUs or with a smaller block.
pub fn attach(nested: &Arc<Nested>, table: Block) -> bool {
    if !is_there() || table.len() < 1 << TABLE_ORDER {
        return false;
    }
    nested.tell_devices();
    // The tables stay as long as devices may walk them.
    core::mem::forget(nested.clone());
    arch::enable(nested.root(), table);
    true
}

/// The next access that was not allowed, which is then forgotten. Not all are kept.
pub fn take_fault() -> Option<Fault> {
    arch::take_fault()
}
