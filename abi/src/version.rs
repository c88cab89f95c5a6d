//! The `xen_version` hypercall and feature bits. `version.h`, `features.h`.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A command of the `xen_version` hypercall.
    u32, XENVER_OPS;
    XENVER_version = 0;
    XENVER_extraversion = 1;
    XENVER_compile_info = 2;
    XENVER_capabilities = 3;
    XENVER_changeset = 4;
    XENVER_platform_parameters = 5;
    XENVER_get_features = 6;
    XENVER_pagesize = 7;
    XENVER_guest_handle = 8;
    XENVER_commandline = 9;
    XENVER_build_id = 10;
    XENVER_extraversion2 = 11;
    XENVER_capabilities2 = 12;
    XENVER_changeset2 = 13;
    XENVER_commandline2 = 14;
}

numbers! {
    /// A feature: its bit in the map of `XENVER_get_features`.
    u32, FEATURES;
    XENFEAT_writable_page_tables = 0;
    XENFEAT_writable_descriptor_tables = 1;
    XENFEAT_auto_translated_physmap = 2;
    XENFEAT_supervisor_mode_kernel = 3;
    XENFEAT_pae_pgdir_above_4gb = 4;
    XENFEAT_mmu_pt_update_preserve_ad = 5;
    XENFEAT_highmem_assist = 6;
    XENFEAT_gnttab_map_avail_bits = 7;
    XENFEAT_hvm_callback_vector = 8;
    XENFEAT_hvm_safe_pvclock = 9;
    XENFEAT_hvm_pirqs = 10;
    XENFEAT_dom0 = 11;
    XENFEAT_memory_op_vnode_supported = 13;
    XENFEAT_ARM_SMCCC_supported = 14;
    XENFEAT_linux_rsdp_unrestricted = 15;
    XENFEAT_not_direct_mapped = 16;
    XENFEAT_direct_mapped = 17;
    XENFEAT_runstate_phys_area = 18;
    XENFEAT_vcpu_time_phys_area = 19;
    XENFEAT_dm_msix_all_writes = 20;
}

numbers! {
    /// Number of 32-bit feature maps.
    u32;
    XENFEAT_NR_SUBMAPS = 1;
}

/// Length in bytes of `XENVER_extraversion`.
pub const XEN_EXTRAVERSION_LEN: usize = 16;

/// Length in bytes of `XENVER_capabilities`.
pub const XEN_CAPABILITIES_INFO_LEN: usize = 1024;

/// Length in bytes of `XENVER_changeset`.
pub const XEN_CHANGESET_INFO_LEN: usize = 64;

/// Length in bytes of `XENVER_commandline`.
pub const XEN_COMMANDLINE_LEN: usize = 1024;

/// How the hypervisor was built.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CompileInfo {
    pub compiler: [u8; 64],
    pub compile_by: [u8; 16],
    pub compile_domain: [u8; 32],
    pub compile_date: [u8; 32],
}

/// Where the hypervisor's virtual area starts.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PlatformParameters {
    pub virt_start: u64,
}

/// A 32-bit map of features.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FeatureInfo {
    pub submap_idx: u32,
    pub submap: u32,
}

/// A build id: `len` bytes.
/// In memory an array `buf` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BuildId {
    pub len: u32,
}

/// A string of any length: `len` bytes.
/// In memory an array `buf` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Varbuf {
    pub len: u32,
}

zeroed_default!(CompileInfo);
