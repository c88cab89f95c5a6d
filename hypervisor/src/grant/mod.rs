//! Grant tables.

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use xen_abi::Errno;

/// A domain's grant table.
pub struct GrantState {}

impl GrantState {
    /// An empty table. Errors: `ENOMEM`.
    pub fn new() -> Result<GrantState, Errno> {
        Ok(GrantState {})
    }
}

/// The `grant_table_op` hypercall.
pub fn call(_cx: &mut Cx, [_cmd, _uop, _count]: [u64; 3]) -> HyperResult {
    Err(Fail::Errno(Errno::ENOSYS))
}
