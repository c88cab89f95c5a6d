//! Writes of a PV guest's kernel to its own page tables, carried out after validation.

use crate::cx::Cx;

/// Serves a write fault at `va` if it hit a level 1 table. `false` when the guest has to have
/// its page fault.
pub fn emulate(_cx: &mut Cx, _va: u64) -> bool {
    false
}
