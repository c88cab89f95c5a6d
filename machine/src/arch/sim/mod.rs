//! The simulated machine: the hypervisor's own code runs on it under plain `cargo test`.
//!
//! A [`SimMachine`] is RAM of atomic words, a frame table, CPUs with a TLB that keeps stale
//! entries until they are flushed, a clock that only moves when told, and ports and registers
//! that are tables. Guests are [`GuestOp`]s (see [`guest`]). Any number of machines live in one
//! process. Two ways to drive the CPUs:
//!
//! - *stepping*: the test takes [`SimMachine::cpu`]s and calls them in the order it likes; a
//!   flush of another CPU's TLB is carried out at once;
//! - *seeded*: [`SimMachine::run`] gives each CPU a coroutine of which one runs at a time; at each
//!   scheduling point (see [`sched`]) a generator picks the next, so a seed is an interleaving
//!   and the same seed is the same one. Flush requests are then answered as on metal.
//!
//! Machines are leaked: what [`crate::Mem`] hands out lives for ever, as on metal. One that is
//! [retired](SimMachine::retire) gives its memory to a later one.

extern crate std;

mod audit;
mod boot;
mod cpu;
pub mod device;
mod devices;
mod fpu;
pub mod galloc;
pub mod guest;
mod hvm;
pub mod ioapic;
pub mod iommu;
mod machine;
mod mem;
mod order;
pub mod power;
pub mod rtc;
pub mod sched;
pub mod serial;
mod tlb;
mod tokens;
mod walk;

pub use audit::{FrameCounts, for_seeds};
pub use boot::{apply_measures, boot_bytes, release_aps};
pub use cpu::{
    CONSOLE_VECTOR, Cpu, ERROR_VECTOR, FLUSH_VECTOR, KICK_VECTOR, SPURIOUS_VECTOR, TIMER_VECTOR,
};
pub use fpu::Fpu;
pub use guest::{GuestCpu, GuestOp};
pub use hvm::HvmState;
pub use iommu::Iommu;
pub use machine::SimMachine;
pub use mem::MemArch;
pub use order::{lock_point, lock_released, lock_taken};
pub use power::PowerEvent;
pub use sched::{point, random, relax};
pub use tlb::TlbCounts;
pub use tokens::Tokens;
pub use walk::PageFault;

/// Nanoseconds since the thread's current machine was booted.
pub fn now_ns() -> u64 {
    mem::current().map_or(0, |machine| machine.now())
}

/// Whether a test failed and is being taken apart: another failure then would end the process.
pub fn unwinding() -> bool {
    std::thread::panicking()
}

#[cfg(test)]
mod tests;
