//! What both sides keep using: a vCPU's run state, and the page that a domain shares with the
//! hypervisor, in the form that the domain's kernel has asked for.

use super::{U64, Width, compat};
use crate::shared_info::*;
use crate::vcpu::VcpuRunstateInfo;
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

compat! {
    /// Where a vCPU's time went.
    VcpuRunstateInfo => CompatVcpuRunstateInfo {
        state: i32,
        state_entry_time: U64,
        time: [U64; 4],
    }
}

/// The x86 part of [`CompatVcpuInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CompatArchVcpuInfo {
    pub cr2: u32,
    pub pad: [u32; 5],
}

/// A vCPU's part of the shared page.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CompatVcpuInfo {
    pub evtchn_upcall_pending: u8,
    pub evtchn_upcall_mask: u8,
    pub _pad0: [u8; 2],
    pub evtchn_pending_sel: u32,
    pub arch: CompatArchVcpuInfo,
    pub time: VcpuTimeInfo,
}

/// The x86 part of [`CompatSharedInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CompatArchSharedInfo {
    pub max_pfn: u32,
    pub pfn_to_mfn_frame_list_list: u32,
    pub nmi_reason: u32,
    pub p2m_cr3: u32,
    pub p2m_vaddr: u32,
    pub p2m_generation: u32,
    pub wc_sec_hi: u32,
}

/// The shared page.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CompatSharedInfo {
    pub vcpu_info: [CompatVcpuInfo; 32],
    pub evtchn_pending: [u32; 32],
    pub evtchn_mask: [u32; 32],
    pub wc_version: u32,
    pub wc_sec: u32,
    pub wc_nsec: u32,
    pub arch: CompatArchSharedInfo,
}

// What of a vCPU's part does not depend on the width has its offset in `shared_info` only.
const _: () = {
    assert!(size_of::<CompatVcpuInfo>() == VCPU_INFO_SIZE);
    assert!(offset_of!(CompatVcpuInfo, evtchn_upcall_mask) == VCPU_INFO_UPCALL_MASK);
    assert!(offset_of!(CompatVcpuInfo, time) == VCPU_INFO_TIME);
};

/// Where things are in the shared page of one width. Offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedOffsets {
    /// Bits in a word of events and in a vCPU's selector: as many as there are words.
    pub word_bits: u32,
    /// A vCPU's selector of pending words, in its part of the page.
    pub pending_sel: usize,
    /// The pending words.
    pub pending: usize,
    /// The mask words.
    pub mask: usize,
    /// The wall clock's version (`u32`).
    pub wc_version: usize,
    /// Its seconds, low half (`u32`).
    pub wc_sec: usize,
    /// Its nanoseconds (`u32`).
    pub wc_nsec: usize,
    /// Its seconds, high half (`u32`).
    pub wc_sec_hi: usize,
}

/// The page of 64-bit kernels.
const WIDE: SharedOffsets = SharedOffsets {
    word_bits: 64,
    pending_sel: VCPU_INFO_PENDING_SEL,
    pending: SHARED_INFO_EVTCHN_PENDING,
    mask: SHARED_INFO_EVTCHN_MASK,
    wc_version: SHARED_INFO_WC_VERSION,
    wc_sec: SHARED_INFO_WC_SEC,
    wc_nsec: SHARED_INFO_WC_NSEC,
    wc_sec_hi: SHARED_INFO_WC_SEC_HI,
};

/// The page of 32-bit kernels.
const NARROW: SharedOffsets = SharedOffsets {
    word_bits: 32,
    pending_sel: offset_of!(CompatVcpuInfo, evtchn_pending_sel),
    pending: offset_of!(CompatSharedInfo, evtchn_pending),
    mask: offset_of!(CompatSharedInfo, evtchn_mask),
    wc_version: offset_of!(CompatSharedInfo, wc_version),
    wc_sec: offset_of!(CompatSharedInfo, wc_sec),
    wc_nsec: offset_of!(CompatSharedInfo, wc_nsec),
    wc_sec_hi: offset_of!(CompatSharedInfo, arch) + offset_of!(CompatArchSharedInfo, wc_sec_hi),
};

impl SharedOffsets {
    /// Those of the page of a width.
    #[inline(always)]
    #[must_use]
    pub const fn of(width: Width) -> &'static SharedOffsets {
        match width {
            Width::W32 => &NARROW,
            Width::W64 => &WIDE,
        }
    }

    /// Ports that the page has bits for.
    #[inline(always)]
    #[must_use]
    pub const fn ports(&self) -> u32 {
        self.word_bits * self.word_bits
    }
}
