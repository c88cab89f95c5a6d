//! Guests' memory: page tables under validation, the calls that change them, populating.

pub mod memory_op;
pub mod mmu_update;
pub mod mmuext;
pub mod update_va;
