//! The page that a guest shares with the hypervisor: event bits, clocks.
//! `xen.h`, `arch-x86/xen.h`. Both sides change it at will, so the words below
//! are used by offset, atomically.

use crate::forms::{numbers, zeroed_default};
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A flag of [`VcpuTimeInfo::flags`].
    u8;
    XEN_PVCLOCK_TSC_STABLE_BIT = 1;
    XEN_PVCLOCK_GUEST_STOPPED = 1 << 1;
}

/// Size in bytes of a [`VcpuInfo`], and the stride of those in [`SharedInfo`].
pub const VCPU_INFO_SIZE: usize = size_of::<VcpuInfo>();

/// Offset in bytes of a vCPU's pending flag (a byte) in [`VcpuInfo`].
pub const VCPU_INFO_UPCALL_PENDING: usize = offset_of!(VcpuInfo, evtchn_upcall_pending);

/// Offset in bytes of a vCPU's mask flag (a byte) in [`VcpuInfo`].
pub const VCPU_INFO_UPCALL_MASK: usize = offset_of!(VcpuInfo, evtchn_upcall_mask);

/// Offset in bytes of a vCPU's selector of pending words (`u64`) in [`VcpuInfo`].
pub const VCPU_INFO_PENDING_SEL: usize = offset_of!(VcpuInfo, evtchn_pending_sel);

/// Offset in bytes of a vCPU's `arch.cr2` (`u64`) in [`VcpuInfo`].
pub const VCPU_INFO_CR2: usize = offset_of!(VcpuInfo, arch);

/// Offset in bytes of a vCPU's [`VcpuTimeInfo`] in [`VcpuInfo`].
pub const VCPU_INFO_TIME: usize = offset_of!(VcpuInfo, time);

/// Offset in bytes of the time record's version (`u32`, odd while written) in
/// [`VcpuTimeInfo`].
pub const VCPU_TIME_VERSION: usize = offset_of!(VcpuTimeInfo, version);

/// Offset in bytes of the pending words (64 of `u64`) in [`SharedInfo`].
pub const SHARED_INFO_EVTCHN_PENDING: usize = offset_of!(SharedInfo, evtchn_pending);

/// Offset in bytes of the mask words (64 of `u64`) in [`SharedInfo`].
pub const SHARED_INFO_EVTCHN_MASK: usize = offset_of!(SharedInfo, evtchn_mask);

/// Offset in bytes of the wall clock's version (`u32`, odd while written) in
/// [`SharedInfo`].
pub const SHARED_INFO_WC_VERSION: usize = offset_of!(SharedInfo, wc_version);

/// Offset in bytes of the wall clock's seconds, low half (`u32`), in [`SharedInfo`].
pub const SHARED_INFO_WC_SEC: usize = offset_of!(SharedInfo, wc_sec);

/// Offset in bytes of the wall clock's nanoseconds (`u32`) in [`SharedInfo`].
pub const SHARED_INFO_WC_NSEC: usize = offset_of!(SharedInfo, wc_nsec);

/// Offset in bytes of the wall clock's seconds, high half (`u32`), in [`SharedInfo`].
pub const SHARED_INFO_WC_SEC_HI: usize = offset_of!(SharedInfo, wc_sec_hi);

/// Offset in bytes of the [`ArchSharedInfo`] in [`SharedInfo`].
pub const SHARED_INFO_ARCH: usize = offset_of!(SharedInfo, arch);

/// A vCPU's clock: system time is `system_time` + scaled TSC since `tsc_timestamp`, ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuTimeInfo {
    pub version: u32,
    pub pad0: u32,
    pub tsc_timestamp: u64,
    pub system_time: u64,
    pub tsc_to_system_mul: u32,
    pub tsc_shift: i8,
    pub flags: u8,
    pub pad1: [u8; 2],
}

/// The x86 part of [`VcpuInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArchVcpuInfo {
    pub cr2: u64,
    pub pad: u64,
}

/// A vCPU's part of the shared page.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuInfo {
    pub evtchn_upcall_pending: u8,
    pub evtchn_upcall_mask: u8,
    pub _pad0: [u8; 6],
    pub evtchn_pending_sel: u64,
    pub arch: ArchVcpuInfo,
    pub time: VcpuTimeInfo,
}

/// The x86 part of [`SharedInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArchSharedInfo {
    pub max_pfn: u64,
    pub pfn_to_mfn_frame_list_list: u64,
    pub nmi_reason: u64,
    pub p2m_cr3: u64,
    pub p2m_vaddr: u64,
    pub p2m_generation: u64,
}

/// The shared page.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SharedInfo {
    pub vcpu_info: [VcpuInfo; 32],
    pub evtchn_pending: [u64; 64],
    pub evtchn_mask: [u64; 64],
    pub wc_version: u32,
    pub wc_sec: u32,
    pub wc_nsec: u32,
    pub wc_sec_hi: u32,
    pub arch: ArchSharedInfo,
}

zeroed_default!(SharedInfo);
