//! What a hardware-virtualised domain has beside what all have.

use alloc::sync::Arc;
use core::sync::atomic::AtomicU64;
use machine::nested::Nested;
use xen_abi::hvm::HVM_NR_PARAMS;

/// Its physical map and parameters.
pub struct HvmDomain {
    /// Guest-physical memory.
    pub nested: Arc<Nested>,
    /// `HVM_PARAM_*`.
    pub params: [AtomicU64; HVM_NR_PARAMS as usize],
}

impl HvmDomain {
    /// A domain with this physical map.
    pub fn new(nested: Arc<Nested>) -> HvmDomain {
        HvmDomain {
            nested,
            params: [const { AtomicU64::new(0) }; HVM_NR_PARAMS as usize],
        }
    }

    /// A parameter.
    pub fn param(&self, index: u32) -> Option<&AtomicU64> {
        self.params.get(index as usize)
    }
}
