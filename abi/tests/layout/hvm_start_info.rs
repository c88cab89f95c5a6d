//! Layouts of `hvm::start_info`, as a C compiler lays out the public headers.

use xen_abi::hvm::start_info::*;

layouts! {
    HvmStartInfo: 56 { magic: 0, version: 4, flags: 8, nr_modules: 12, modlist_paddr: 16, cmdline_paddr: 24, rsdp_paddr: 32, memmap_paddr: 40, memmap_entries: 48, reserved: 52 }
    HvmModlistEntry: 32 { paddr: 0, size: 8, cmdline_paddr: 16, reserved: 24 }
    HvmMemmapTableEntry: 24 { addr: 0, size: 8, r#type: 16, reserved: 20 }
}
