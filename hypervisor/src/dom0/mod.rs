//! The control domain: built at boot, and the machine's end is its end.

mod acpi;
mod builder;
mod hypercall_page;
mod layout;
mod memory;
mod pvh;
mod pvh_map;
mod shutdown;
mod tables;

pub use builder::{BuildError, build};
pub use hypercall_page::fill as fill_hypercall_page;
pub use shutdown::{crashed, shutdown};
