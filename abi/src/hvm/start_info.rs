//! What a PVH guest finds at boot. `arch-x86/hvm/start_info.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The magic number in [`HvmStartInfo::magic`].
    u32;
    XEN_HVM_START_MAGIC_VALUE = 0x336e_c578;
}

numbers! {
    /// A type of [`HvmMemmapTableEntry::type`].
    u32;
    XEN_HVM_MEMMAP_TYPE_RAM = 1;
    XEN_HVM_MEMMAP_TYPE_RESERVED = 2;
    XEN_HVM_MEMMAP_TYPE_ACPI = 3;
    XEN_HVM_MEMMAP_TYPE_NVS = 4;
    XEN_HVM_MEMMAP_TYPE_UNUSABLE = 5;
    XEN_HVM_MEMMAP_TYPE_DISABLED = 6;
    XEN_HVM_MEMMAP_TYPE_PMEM = 7;
}

/// The structure that EBX points to when a PVH guest starts.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmStartInfo {
    pub magic: u32,
    pub version: u32,
    pub flags: u32,
    pub nr_modules: u32,
    pub modlist_paddr: u64,
    pub cmdline_paddr: u64,
    pub rsdp_paddr: u64,
    pub memmap_paddr: u64,
    pub memmap_entries: u32,
    pub reserved: u32,
}

/// A module.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmModlistEntry {
    pub paddr: u64,
    pub size: u64,
    pub cmdline_paddr: u64,
    pub reserved: u64,
}

/// An entry of the memory map.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmMemmapTableEntry {
    pub addr: u64,
    pub size: u64,
    pub r#type: u32,
    pub reserved: u32,
}
