//! Traces, counters, lock profiles, live patches, coverage, cache
//! monitoring. `sysctl.h`.

use crate::forms::{numbers, payload, zeroed_default};
use crate::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A command of [`SysctlTbufOp::cmd`].
    u32;
    XEN_SYSCTL_TBUFOP_get_info = 0;
    XEN_SYSCTL_TBUFOP_set_cpu_mask = 1;
    XEN_SYSCTL_TBUFOP_set_evt_mask = 2;
    XEN_SYSCTL_TBUFOP_set_size = 3;
    XEN_SYSCTL_TBUFOP_enable = 4;
    XEN_SYSCTL_TBUFOP_disable = 5;
}

numbers! {
    /// A command of [`SysctlPerfcOp::cmd`].
    u32;
    XEN_SYSCTL_PERFCOP_reset = 1;
    XEN_SYSCTL_PERFCOP_query = 2;
}

numbers! {
    /// A command of [`SysctlLockprofOp::cmd`].
    u32;
    XEN_SYSCTL_LOCKPROF_reset = 1;
    XEN_SYSCTL_LOCKPROF_query = 2;
}

numbers! {
    /// A type of [`SysctlLockprofData::type`].
    i32;
    LOCKPROF_TYPE_GLOBAL = 0;
    LOCKPROF_TYPE_PERDOM = 1;
    LOCKPROF_TYPE_N = 2;
}

numbers! {
    /// A command of [`SysctlCoverageOp::cmd`].
    u32;
    XEN_SYSCTL_COVERAGE_get_size = 0;
    XEN_SYSCTL_COVERAGE_read = 1;
    XEN_SYSCTL_COVERAGE_reset = 2;
}

numbers! {
    /// A command of [`SysctlPsrCmtOp::cmd`].
    u32;
    XEN_SYSCTL_PSR_CMT_get_total_rmid = 0;
    XEN_SYSCTL_PSR_CMT_get_l3_upscaling_factor = 1;
    XEN_SYSCTL_PSR_CMT_get_l3_cache_size = 2;
    XEN_SYSCTL_PSR_CMT_enabled = 3;
    XEN_SYSCTL_PSR_CMT_get_l3_event_mask = 4;
}

numbers! {
    /// A command or flag of [`SysctlPsrAlloc`].
    u32;
    XEN_SYSCTL_PSR_get_l3_info = 0;
    XEN_SYSCTL_PSR_get_l2_info = 1;
    XEN_SYSCTL_PSR_get_mba_info = 2;
    XEN_SYSCTL_PSR_CAT_L3_CDP = 1;
    XEN_SYSCTL_PSR_MBA_LINEAR = 1;
}

numbers! {
    /// A command of [`SysctlLivepatchOp::cmd`].
    u32;
    XEN_SYSCTL_LIVEPATCH_UPLOAD = 0;
    XEN_SYSCTL_LIVEPATCH_GET = 1;
    XEN_SYSCTL_LIVEPATCH_LIST = 2;
    XEN_SYSCTL_LIVEPATCH_ACTION = 3;
}

numbers! {
    /// A state, action or flag of a live patch.
    u32;
    LIVEPATCH_STATE_CHECKED = 1;
    LIVEPATCH_STATE_APPLIED = 2;
    LIVEPATCH_ACTION_UNLOAD = 1;
    LIVEPATCH_ACTION_REVERT = 2;
    LIVEPATCH_ACTION_APPLY = 3;
    LIVEPATCH_ACTION_REPLACE = 4;
    LIVEPATCH_ACTION_APPLY_NODEPS = 1;
    LIVEPATCH_FLAG_FORCE = 1;
    LIVEPATCH_FLAGS_MASK = 1;
}

/// The argument of `XEN_SYSCTL_tbuf_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlTbufOp {
    pub cmd: u32,
    pub _pad0: u32,
    pub cpu_mask: XenctlBitmap,
    pub evt_mask: u32,
    pub _pad1: u32,
    pub buffer_mfn: u64,
    pub size: u32,
    pub _pad2: u32,
}

/// One performance counter's name and number of values.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPerfcDesc {
    pub name: [u8; 80],
    pub nr_vals: u32,
}

/// The argument of `XEN_SYSCTL_perfc_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPerfcOp {
    pub cmd: u32,
    pub nr_counters: u32,
    pub nr_vals: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_sysctl_perfc_desc_t`.
    pub desc: u64,
    /// Guest handle of `xen_sysctl_perfc_val_t`.
    pub val: u64,
}

/// One lock's profile, ns.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLockprofData {
    pub name: [u8; 40],
    pub r#type: i32,
    pub idx: i32,
    pub lock_cnt: u64,
    pub block_cnt: u64,
    pub lock_time: u64,
    pub block_time: u64,
}

/// The argument of `XEN_SYSCTL_lockprof_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLockprofOp {
    pub cmd: u32,
    pub max_elem: u32,
    pub nr_elem: u32,
    pub _pad0: u32,
    pub time: u64,
    /// Guest handle of `xen_sysctl_lockprof_data_t`.
    pub data: u64,
}

/// The argument of `XEN_SYSCTL_coverage_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCoverageOp {
    pub cmd: u32,
    pub size: u32,
    /// Guest handle of `char`.
    pub buffer: u64,
}

/// The `l3_cache` arm of [`SysctlPsrCmtOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPsrCmtOpL3Cache {
    pub cpu: u32,
    pub rsvd: u32,
}

/// The argument of `XEN_SYSCTL_psr_cmt_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPsrCmtOp {
    pub cmd: u32,
    pub flags: u32,
    /// Union: `data`: `u64`, `l3_cache`: [`SysctlPsrCmtOpL3Cache`].
    pub u: u64,
}

/// The `cat_info` arm of [`SysctlPsrAlloc`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPsrAllocCatInfo {
    pub cbm_len: u32,
    pub cos_max: u32,
    pub flags: u32,
}

/// The `mba_info` arm of [`SysctlPsrAlloc`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPsrAllocMbaInfo {
    pub thrtl_max: u32,
    pub cos_max: u32,
    pub flags: u32,
}

/// The argument of `XEN_SYSCTL_psr_alloc`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPsrAlloc {
    pub cmd: u32,
    pub target: u32,
    /// Union: `cat_info`: [`SysctlPsrAllocCatInfo`], `mba_info`: [`SysctlPsrAllocMbaInfo`].
    pub u: [u32; 3],
}

/// A live patch's name.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct LivepatchName {
    /// Guest handle of `char`.
    pub name: u64,
    pub size: u16,
    pub pad: [u16; 3],
}

/// Uploads a live patch.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLivepatchUpload {
    pub name: LivepatchName,
    pub size: u64,
    /// Guest handle of `uint8`.
    pub payload: u64,
}

/// Lists live patches.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLivepatchList {
    pub version: u32,
    pub idx: u32,
    pub nr: u32,
    pub pad: u32,
    pub name_total_size: u32,
    pub metadata_total_size: u32,
    /// Guest handle of `xen_livepatch_status_t`.
    pub status: u64,
    /// Guest handle of `char`.
    pub name: u64,
    /// Guest handle of `uint32`.
    pub len: u64,
    /// Guest handle of `char`.
    pub metadata: u64,
    /// Guest handle of `uint32`.
    pub metadata_len: u64,
}

/// A live patch's state, and its last operation's error.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct LivepatchStatus {
    pub state: u32,
    pub rc: i32,
}

/// Asks for a live patch's state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLivepatchGet {
    pub name: LivepatchName,
    pub status: LivepatchStatus,
}

/// Changes a live patch's state; timeout in ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLivepatchAction {
    pub name: LivepatchName,
    pub cmd: u32,
    pub timeout: u32,
    pub flags: u32,
    pub pad: u32,
}

/// The argument of `XEN_SYSCTL_livepatch_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlLivepatchOp {
    pub cmd: u32,
    pub flags: u32,
    /// Union: `upload`: [`SysctlLivepatchUpload`], `list`: [`SysctlLivepatchList`], `get`: [`SysctlLivepatchGet`], `action`: [`SysctlLivepatchAction`].
    pub u: [u64; 8],
}

payload! {
    SysctlPsrCmtOp.u;
    SysctlPsrAlloc.u;
    SysctlLivepatchOp.u;
}

zeroed_default!(SysctlPerfcDesc, SysctlLockprofData);
