//! The `memory_op` hypercall. `memory.h`.

pub mod physmap;
pub mod reservation;
pub mod sharing;

pub use physmap::*;
pub use reservation::*;
pub use sharing::*;
