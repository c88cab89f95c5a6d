//! What is x86's own. `arch-x86/`.

pub mod context;
pub mod cpufeatureset;
pub mod cpuid;
pub mod machine;

pub use context::*;
pub use cpufeatureset::*;
pub use cpuid::*;
pub use machine::*;
