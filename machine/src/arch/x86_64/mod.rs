//! The PC: boots it and drives its processors, tables, timers and interrupt controllers.
//!
//! State here is hardware's, so it may be static; everything else is passed.

pub mod apic;
pub mod clock;
pub mod device;
pub mod features;
pub mod galloc;
pub mod head;
pub mod io;
pub mod ioapic;
pub mod iommu;
pub mod layout;
pub mod memory;
pub mod mmio;
pub mod paging;
pub mod panic;
mod pic;
pub mod power;
mod reference;
pub mod rtc;
pub mod serial;
pub mod smp;
pub mod start;
mod symbols;

pub mod area;
pub mod cpu;
pub mod entry;
mod fpu;
pub mod mem;
mod mitigate;
mod shortcut;
mod svm;
mod usercopy;

pub use clock::now as now_ns;
pub use cpu::{Cpu, relax};
pub use fpu::Fpu;
pub use mem::MemArch;
pub use mitigate::apply as apply_measures;
pub use smp::release as release_aps;
pub use start::boot_bytes;
pub use svm::HvmState;

/// Called before a lock of `level` is waited for; the order is checked on the simulated machine.
#[inline(always)]
pub fn lock_point(_level: u8) {}
/// Called when a lock was taken.
#[inline(always)]
pub fn lock_taken(_level: u8) {}
/// Called before a lock is let go.
#[inline(always)]
pub fn lock_released(_level: u8) {}
/// Where a simulated run may pass to another CPU; here nothing.
#[inline(always)]
pub fn point() {}
/// Whether a test is being taken apart; here there is none.
#[inline(always)]
pub fn unwinding() -> bool {
    false
}
