//! The `grant_table_op` hypercall. `grant_table.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `grant_table_op` hypercall.
    u32, GNTTAB_OPS;
    GNTTABOP_map_grant_ref = 0;
    GNTTABOP_unmap_grant_ref = 1;
    GNTTABOP_setup_table = 2;
    GNTTABOP_dump_table = 3;
    GNTTABOP_transfer = 4;
    GNTTABOP_copy = 5;
    GNTTABOP_query_size = 6;
    GNTTABOP_unmap_and_replace = 7;
    GNTTABOP_set_version = 8;
    GNTTABOP_get_status_frames = 9;
    GNTTABOP_get_version = 10;
    GNTTABOP_swap_grant_ref = 11;
    GNTTABOP_cache_flush = 12;
}

numbers! {
    /// A flag of [`GnttabMapGrantRef::flags`].
    u32;
    GNTMAP_device_map = 1;
    GNTMAP_host_map = 1 << 1;
    GNTMAP_readonly = 1 << 2;
    GNTMAP_application_map = 1 << 3;
    GNTMAP_contains_pte = 1 << 4;
    GNTMAP_guest_avail_mask = 0xffff_0000;
}

numbers! {
    /// A flag of [`GnttabCopy::flags`].
    u16;
    GNTCOPY_source_gref = 1;
    GNTCOPY_dest_gref = 1 << 1;
}

numbers! {
    /// An operation of [`GnttabCacheFlush::op`].
    u32;
    GNTTAB_CACHE_CLEAN = 1;
    GNTTAB_CACHE_INVAL = 1 << 1;
    GNTTAB_CACHE_SOURCE_GREF = 1 << 31;
}

numbers! {
    /// A status that an operation returns in its structure.
    i16;
    GNTST_okay = 0;
    GNTST_general_error = -1;
    GNTST_bad_domain = -2;
    GNTST_bad_gntref = -3;
    GNTST_bad_handle = -4;
    GNTST_bad_virt_addr = -5;
    GNTST_bad_dev_addr = -6;
    GNTST_no_device_space = -7;
    GNTST_permission_denied = -8;
    GNTST_bad_page = -9;
    GNTST_bad_copy_arg = -10;
    GNTST_address_too_big = -11;
    GNTST_eagain = -12;
    GNTST_no_space = -13;
}

/// Maps a granted frame; returns `status`, `handle`, `dev_bus_addr`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabMapGrantRef {
    pub host_addr: u64,
    pub flags: u32,
    pub r#ref: u32,
    pub dom: u16,
    pub status: i16,
    pub handle: u32,
    pub dev_bus_addr: u64,
}

/// Removes a mapping.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabUnmapGrantRef {
    pub host_addr: u64,
    pub dev_bus_addr: u64,
    pub handle: u32,
    pub status: i16,
    pub _pad0: u16,
}

/// Removes a mapping and puts the page of another address in its place.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabUnmapAndReplace {
    pub host_addr: u64,
    pub new_addr: u64,
    pub handle: u32,
    pub status: i16,
    pub _pad0: u16,
}

/// Makes a domain's table at least `nr_frames` frames and lists them.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabSetupTable {
    pub dom: u16,
    pub _pad0: u16,
    pub nr_frames: u32,
    pub status: i16,
    pub _pad1: [u8; 6],
    /// Guest handle of `xen_pfn_t`.
    pub frame_list: u64,
}

/// Prints a table to the hypervisor's console.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabDumpTable {
    pub dom: u16,
    pub status: i16,
}

/// Gives a frame to another domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabTransfer {
    pub mfn: u64,
    pub domid: u16,
    pub _pad0: u16,
    pub r#ref: u32,
    pub status: i16,
    pub _pad1: [u8; 6],
}

/// One side of a copy.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabCopyPtr {
    /// Union: `ref`: `u32`, `gmfn`: `u64`.
    pub u: u64,
    pub domid: u16,
    pub offset: u16,
    pub _pad0: u32,
}

/// Copies bytes between frames named by reference or number.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabCopy {
    pub source: GnttabCopyPtr,
    pub dest: GnttabCopyPtr,
    pub len: u16,
    pub flags: u16,
    pub status: i16,
    pub _pad0: u16,
}

/// Asks for a table's size.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabQuerySize {
    pub dom: u16,
    pub _pad0: u16,
    pub nr_frames: u32,
    pub max_nr_frames: u32,
    pub status: i16,
    pub _pad1: u16,
}

/// Chooses the entry format (1 or 2); returns the one in use.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabSetVersion {
    pub version: u32,
}

/// Lists the frames of a version 2 table's status words.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabGetStatusFrames {
    pub nr_frames: u32,
    pub dom: u16,
    pub status: i16,
    /// Guest handle of `uint64_t`.
    pub frame_list: u64,
}

/// Asks for a domain's entry format.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabGetVersion {
    pub dom: u16,
    pub pad: u16,
    pub version: u32,
}

/// Swaps two entries.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabSwapGrantRef {
    pub ref_a: u32,
    pub ref_b: u32,
    pub status: i16,
    pub _pad0: u16,
}

/// Cleans or invalidates caches over granted memory (Arm).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GnttabCacheFlush {
    /// Union: `dev_bus_addr`: `u64`, `ref`: `u32`.
    pub a: u64,
    pub offset: u16,
    pub length: u16,
    pub op: u32,
}
