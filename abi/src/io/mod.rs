//! Rings that a guest shares with its servers. `io/`.

pub mod console;
pub mod xs_wire;

pub use console::*;
pub use xs_wire::*;
