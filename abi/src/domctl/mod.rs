//! The `domctl` hypercall: what the tools do to one domain. `domctl.h`.

pub mod device;
pub mod domain;
pub mod memory;
pub mod monitor;
pub mod op;
pub mod vcpu;

pub use device::*;
pub use domain::*;
pub use memory::*;
pub use monitor::*;
pub use op::*;
pub use vcpu::*;
