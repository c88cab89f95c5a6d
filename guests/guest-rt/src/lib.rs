//! Runtime for small 64-bit PV kernels that are booted as dom0, by Xenios and by Xen alike.
//!
//! A kernel is one file whose cases are named to [`cases!`], or whose `main` is named to
//! [`kernel!`]. The runtime owns the entry point and its ELF notes, the stacks, the hypercall
//! page, the console and the trap table; it is the only crate here with unsafe code, because
//! hypercalls, page tables and traps are its business.
//!
//! Functions that write raw memory refuse addresses inside the kernel's image other than the
//! frames of its own page pool, so a safe kernel cannot corrupt its own Rust objects with them.
#![no_std]

pub mod console;
pub mod crash;
pub mod entry;
pub mod events;
pub mod harness;
pub mod hypercall;
pub mod insn;
pub mod local;
pub mod mem;
pub mod panic;
pub mod pvh;
pub mod smp;
pub mod time;
pub mod traps;
pub mod user;

/// Names the function that the runtime calls once the kernel is up.
#[macro_export]
macro_rules! kernel {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn guest_main() {
            let main: fn() = $main;
            main()
        }
    };
}
