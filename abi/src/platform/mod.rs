//! The `platform_op` hypercall. `platform.h`.

pub mod firmware;
pub mod op;
pub mod power;

pub use firmware::*;
pub use op::*;
pub use power::*;
