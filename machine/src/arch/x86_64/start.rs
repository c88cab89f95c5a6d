//! The boot CPU's way from the first Rust instruction to the policy's `main`.

use core::fmt::Write;

use super::serial::{self, Serial};

/// Called by the assembly in `head` on the boot stack, with the early page tables.
pub extern "C" fn boot_entry(magic: u32, info: u32) -> ! {
    serial::init(&serial::COM1);
    let _ = writeln!(
        Serial,
        "Xenios {} (magic {magic:#x}, info {info:#x})",
        env!("CARGO_PKG_VERSION")
    );
    super::io::halt_forever()
}
