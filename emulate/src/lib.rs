//! Executes single x86 instructions on behalf of a virtual CPU.
//!
//! The decoder is `iced-x86`; the virtual CPU is whatever implements [`Cpu`]. Nothing here has
//! state of its own, takes a lock or knows what a hypervisor is, so every instruction is tested
//! against a CPU that is an array.
//!
//! - [`privileged`]: what a paravirtualised kernel traps on in ring 3.
//! - [`forced`]: the same instructions behind Xen's forced-emulation prefix.
//! - [`load`]: instructions that read one to eight bytes, for devices' registers.
//! - [`store`]: instructions that write one to eight bytes, for writable page tables.
//!
//! Invariant: when an entry point returns [`Outcome::Unhandled`] or a [`Trap`], the virtual CPU
//! is as it was, except that a repeated string instruction keeps the elements it finished, as on
//! the real machine.
#![no_std]
#![forbid(unsafe_code)]

mod address;
mod alu;
mod cpu;
mod decode;
mod load;
mod operand;
mod privileged;
mod register;
mod retire;
mod store;
mod string;
mod trap;

pub use cpu::{Bits, Cpu, Privileged, Segment, SegmentName, Size};
pub use decode::{Decoded, prime};
pub use load::load;
pub use privileged::{forced, privileged};
pub use register::Gpr;
pub use store::store;
pub use trap::{Outcome, Trap, vector};

/// What an entry point returns: how it ended, or the trap that the instruction causes.
pub type Result<T = Outcome> = core::result::Result<T, Trap>;
