//! A domain's memory: page types, dirty logging, pools. `domctl.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A page's type as `XEN_DOMCTL_getpageframeinfo3` tells it.
    u32;
    XEN_DOMCTL_PFINFO_LTAB_SHIFT = 28;
    XEN_DOMCTL_PFINFO_NOTAB = 0x0;
    XEN_DOMCTL_PFINFO_L1TAB = 1 << 28;
    XEN_DOMCTL_PFINFO_L2TAB = 1 << 29;
    XEN_DOMCTL_PFINFO_L3TAB = 0x3000_0000;
    XEN_DOMCTL_PFINFO_L4TAB = 1 << 30;
    XEN_DOMCTL_PFINFO_LTABTYPE_MASK = 0x7000_0000;
    XEN_DOMCTL_PFINFO_LPINTAB = 1 << 31;
    XEN_DOMCTL_PFINFO_XTAB = 0xf000_0000;
    XEN_DOMCTL_PFINFO_XALLOC = 0xe000_0000;
    XEN_DOMCTL_PFINFO_BROKEN = 0xd000_0000;
    XEN_DOMCTL_PFINFO_LTAB_MASK = 0xf000_0000;
}

numbers! {
    /// An operation of [`DomctlShadowOp::op`].
    u32;
    XEN_DOMCTL_SHADOW_OP_OFF = 0;
    XEN_DOMCTL_SHADOW_OP_ENABLE = 32;
    XEN_DOMCTL_SHADOW_OP_CLEAN = 11;
    XEN_DOMCTL_SHADOW_OP_PEEK = 12;
    XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION = 30;
    XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION = 31;
    XEN_DOMCTL_SHADOW_OP_ENABLE_TEST = 1;
    XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY = 2;
}

numbers! {
    /// A mode flag of [`DomctlShadowOp::mode`].
    u32;
    XEN_DOMCTL_SHADOW_ENABLE_REFCOUNT = 1 << 1;
    XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY = 1 << 2;
    XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE = 1 << 3;
    XEN_DOMCTL_SHADOW_ENABLE_EXTERNAL = 1 << 4;
    XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL = 1;
}

/// The argument of `XEN_DOMCTL_getpageframeinfo3`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGetpageframeinfo3 {
    pub num: u64,
    /// Guest handle of `xen_pfn_t`.
    pub array: u64,
}

/// Counts of faults and dirtied pages.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlShadowOpStats {
    pub fault_count: u32,
    pub dirty_count: u32,
}

/// The argument of `XEN_DOMCTL_shadow_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlShadowOp {
    pub op: u32,
    pub mode: u32,
    pub mb: u32,
    pub _pad0: u32,
    /// Guest handle of `uint8`.
    pub dirty_bitmap: u64,
    pub pages: u64,
    pub stats: DomctlShadowOpStats,
}

/// The argument of `XEN_DOMCTL_mem_sharing_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMemSharingOp {
    pub op: u8,
    /// Union: `enable`: `u8`.
    pub u: u8,
}

/// The argument of `XEN_DOMCTL_audit_p2m`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlAuditP2m {
    pub orphans: u64,
    pub m2p_bad: u64,
    pub p2m_bad: u64,
}

/// The argument of `XEN_DOMCTL_set_broken_page_p2m`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetBrokenPageP2m {
    pub pfn: u64,
}

/// The argument of `XEN_DOMCTL_cacheflush`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlCacheflush {
    pub start_pfn: u64,
    pub nr_pfns: u64,
}

/// Sets or gets the size of a domain's paging pool, bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlPagingMempool {
    pub size: u64,
}

/// The argument of `XEN_DOMCTL_set_llc_colors`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetLlcColors {
    pub num_llc_colors: u32,
    pub pad: u32,
    /// Guest handle of `uint32`.
    pub llc_colors: u64,
}

numbers! {
    /// An operation of [`DomctlMemSharingOp::op`].
    u8;
    XEN_DOMCTL_MEM_SHARING_CONTROL = 0;
}
