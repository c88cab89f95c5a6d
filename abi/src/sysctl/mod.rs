//! The `sysctl` hypercall: what the tools ask of the host. `sysctl.h`.

pub mod debug;
pub mod host;
pub mod op;
pub mod power;
pub mod sched;

pub use debug::*;
pub use host::*;
pub use op::*;
pub use power::*;
pub use sched::*;
