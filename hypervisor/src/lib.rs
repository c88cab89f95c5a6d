//! `hypervisor`: all logic and policy, in safe Rust.
//!
//! A virtual CPU is entered and it exits; everything from the exit to the next entry is a
//! function here. It runs on real machines and on the simulated one alike.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cmdline;
pub mod console;
pub mod control;
pub mod cpu_policy;
pub mod cx;
pub mod debug_keys;
pub mod dom0;
pub mod domain;
pub mod event;
pub mod fail;
pub mod grant;
pub mod guest;
pub mod hv;
pub mod hvm;
pub mod hypercall;
pub mod irq;
pub mod loader;
pub mod locks;
pub mod mem;
pub mod platform;
pub mod pv;
pub mod run;
pub mod sched;
#[cfg(any(test, feature = "sim"))]
pub mod simtest;
pub mod speculation;
pub mod start;
#[cfg(any(test, feature = "sim"))]
pub mod testing;
pub mod time;
pub mod xsm;
