//! Grant tables. `grant_table.h`.

pub mod entry;
pub mod ops;

pub use entry::*;
pub use ops::*;
