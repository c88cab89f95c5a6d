//! Guests' memory: page tables under validation, the calls that change them, populating.

pub mod alloc;
mod flush;
mod linear;
pub mod memory_op;
pub mod mmu_update;
pub mod mmuext;
mod modify;
pub mod p2m;
pub mod pte;
mod tables;
#[cfg(test)]
mod tests;
pub mod update_va;

pub use alloc::Claims;
pub use modify::Write;
pub use tables::{OldTables, TableResult, Tables};
