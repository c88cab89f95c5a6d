//! Paging, access and sharing operations of the tools. `memory.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of [`MemPagingOp::op`].
    u8;
    XENMEM_paging_op_nominate = 0;
    XENMEM_paging_op_evict = 1;
    XENMEM_paging_op_prep = 2;
}

numbers! {
    /// An operation of [`MemAccessOp::op`].
    u8;
    XENMEM_access_op_set_access = 0;
    XENMEM_access_op_get_access = 1;
    XENMEM_access_op_set_access_multi = 4;
}

numbers! {
    /// An access of [`MemAccessOp::access`].
    u8;
    XENMEM_access_n = 0;
    XENMEM_access_r = 1;
    XENMEM_access_w = 2;
    XENMEM_access_rw = 3;
    XENMEM_access_x = 4;
    XENMEM_access_rx = 5;
    XENMEM_access_wx = 6;
    XENMEM_access_rwx = 7;
    XENMEM_access_rx2rw = 8;
    XENMEM_access_n2rwx = 9;
    XENMEM_access_r_pw = 10;
    XENMEM_access_default = 11;
}

numbers! {
    /// An operation of [`MemSharingOp::op`].
    u8;
    XENMEM_sharing_op_nominate_gfn = 0;
    XENMEM_sharing_op_nominate_gref = 1;
    XENMEM_sharing_op_share = 2;
    XENMEM_sharing_op_debug_gfn = 3;
    XENMEM_sharing_op_debug_mfn = 4;
    XENMEM_sharing_op_debug_gref = 5;
    XENMEM_sharing_op_add_physmap = 6;
    XENMEM_sharing_op_audit = 7;
    XENMEM_sharing_op_range_share = 8;
    XENMEM_sharing_op_fork = 9;
    XENMEM_sharing_op_fork_reset = 10;
}

numbers! {
    /// A flag of a fork.
    u16;
    XENMEM_FORK_WITH_IOMMU_ALLOWED = 1;
    XENMEM_FORK_BLOCK_INTERRUPTS = 1 << 1;
    XENMEM_FORK_RESET_STATE = 1 << 2;
    XENMEM_FORK_RESET_MEMORY = 1 << 3;
}

/// A paging operation on one frame.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemPagingOp {
    pub op: u8,
    pub _pad0: u8,
    pub domain: u16,
    pub _pad1: u32,
    /// Guest handle of `uint8`.
    pub buffer: u64,
    pub gfn: u64,
}

/// Reads or sets access rights of frames.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemAccessOp {
    pub op: u8,
    pub access: u8,
    pub domid: u16,
    pub nr: u32,
    pub pfn: u64,
    /// Guest handle of `uint64`.
    pub pfn_list: u64,
    /// Guest handle of `uint8`.
    pub access_list: u64,
}

/// Nominates a frame for sharing.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOpNominate {
    /// Union: `gfn`: `u64`, `grant_ref`: `u32`.
    pub u: u64,
    pub handle: u64,
}

/// Shares one frame with another.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOpShare {
    pub source_gfn: u64,
    pub source_handle: u64,
    pub client_gfn: u64,
    pub client_handle: u64,
    pub client_domain: u16,
    pub _pad0: [u8; 6],
}

/// Shares a range of frames between equal domains.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOpRange {
    pub first_gfn: u64,
    pub last_gfn: u64,
    pub opaque: u64,
    pub client_domain: u16,
    pub _pad: [u16; 3],
}

/// Names a frame to print.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOpDebug {
    /// Union: `gfn`: `u64`, `mfn`: `u64`, `gref`: `u32`.
    pub u: u64,
}

/// Forks a domain, or resets a fork.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOpFork {
    pub parent_domain: u16,
    pub flags: u16,
    pub pad: u32,
}

/// A page-sharing operation.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemSharingOp {
    pub op: u8,
    pub _pad0: u8,
    pub domain: u16,
    pub _pad1: u32,
    /// Union: `nominate`: [`MemSharingOpNominate`], `share`: [`MemSharingOpShare`], `range`: [`MemSharingOpRange`], `debug`: [`MemSharingOpDebug`], `fork`: [`MemSharingOpFork`].
    pub u: [u64; 5],
}

payload! {
    MemSharingOp.u;
}
