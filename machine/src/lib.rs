//! `machine`: all of the hypervisor's unsafe code, and the mechanism that stays sound whatever
//! the policy does.
//!
//! Chosen by target: a bare-metal target builds [`arch`]'s `x86_64`, a hosted one its `sim`.
//! Everything else here is the same code on both.
#![no_std]

extern crate alloc;

pub mod addr;
pub mod arch;
pub mod boot;
pub mod cpu;
pub mod cpumask;
pub mod frame;
pub mod heap;
pub mod hvm;
pub mod iommu;
pub mod lock;
pub mod measures;
pub mod nested;
#[cfg(any(target_os = "none", test))]
mod own_heap;
pub mod platform;
pub mod pv;
pub mod regs;
pub mod settings;
pub mod tlb;
pub mod txqueue;
mod words;

pub use addr::{Gfn, Mfn, PAGE_SHIFT, PAGE_SIZE};
pub use arch::imp::{Cpu, now_ns, relax};
pub use arch::imp::{device, galloc as host_heap, ioapic, power, rtc, serial as console};
pub use cpu::{CpuApi, Exit, Fault};
pub use cpumask::{AtomicCpuMask, CpuMask};
pub use frame::{Mem, Page, PageInfo, PageList, PageType, TypeGet, TypePut};
pub use lock::{Guard, Lock};
pub use regs::GuestRegs;
pub use tlb::Flush;
