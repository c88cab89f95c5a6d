//! What only the control domain's tools call: `sysctl` for the machine, `domctl` for domains.
//!
//! No state. Each is a table of one row for each command. A call carries the version of its
//! interface, which has to be one that is served before anything else of it is looked at.

pub mod bitmap;
pub mod domctl;
pub mod hypfs;
pub mod sysctl;
pub mod version;

pub use domctl::LogDirty;

#[cfg(test)]
mod tests;
