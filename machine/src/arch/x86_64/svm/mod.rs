//! AMD-V: hardware-virtualised guests on AMD processors, with nested paging.
//!
//! The host's own state that VMRUN does not switch (TR, LDTR, FS, GS, the system call
//! registers) is exchanged when a vCPU is loaded and when it is taken out, not at each exit:
//! the host uses none of it meanwhile, except TR, for the stacks of NMIs and the like, which
//! therefore run on the host's own stack while a vCPU is loaded.

mod asid;
mod page;
mod permissions;
mod processor;
pub(super) mod run;
mod state;
pub(super) mod vmcb;

pub(super) use asid::start_over;
pub(super) use processor::{host, ready};
pub use state::HvmState;
pub(super) use state::event_of;

/// Address space identifiers of each CPU.
pub(super) fn asids() -> u32 {
    processor::facts().map_or(2, |facts| facts.asids)
}
