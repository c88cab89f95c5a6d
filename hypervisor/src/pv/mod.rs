//! Paravirtual guests: their kernel and their users both run in ring 3, on root tables of
//! their own, and every exception, system call and event reaches the kernel by a frame that
//! the hypervisor writes to the kernel's stack.

mod bounce;
pub mod context;
mod crash;
pub mod debug;
pub mod descriptors;
mod emulator;
mod exception;
pub mod iret;
mod mode;
mod msr;
mod privop;
mod ptwr;
pub mod shortcut;
mod syscall;
pub mod traps;
pub mod xstate;

pub use bounce::{deliver, inject};
pub use crash::crash;
pub use descriptors::release_descriptors;
#[cfg(test)]
pub use emulator::Emulated;
pub use exception::{exception, int80, iret_fault};
pub use machine::addr::canonical;
pub use mode::{load, save};
pub use msr::MC_BANKS;
pub use syscall::{syscall, syscall32, sysenter};

/// Flat ring 3 code, 64-bit.
pub const GUEST_CS64: u16 = 0xe033;
/// Flat ring 3 code, 32-bit.
pub const GUEST_CS32: u16 = 0xe023;
/// Flat ring 3 data and stack.
pub const GUEST_SS: u16 = 0xe02b;
