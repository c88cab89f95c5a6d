//! Processor power states of `platform_op`. `platform.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A type of power data.
    u32;
    XEN_PROCESSOR_PM_CX = 1;
    XEN_PROCESSOR_PM_PX = 2;
    XEN_PROCESSOR_PM_TX = 4;
    XEN_PM_CX = 0;
    XEN_PM_PX = 1;
    XEN_PM_TX = 2;
    XEN_PM_PDC = 3;
    XEN_PX_PCT = 1;
    XEN_PX_PSS = 2;
    XEN_PX_PPC = 4;
    XEN_PX_PSD = 8;
}

numbers! {
    /// Who coordinates a shared state, in [`ProcessorPerformance::shared_type`].
    u32;
    XEN_CPUPERF_SHARED_TYPE_HW = 1;
    XEN_CPUPERF_SHARED_TYPE_ALL = 2;
    XEN_CPUPERF_SHARED_TYPE_ANY = 3;
}

/// Flags of a processor's C-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ProcessorFlags {
    /// Bits: `bm_control` 0, `bm_check` 1, `has_cst` 2, `power_setup_done` 3, `bm_rld_set` 4.
    pub bits: u32,
}

/// A processor's C-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ProcessorPower {
    pub count: u32,
    pub flags: ProcessorFlags,
    /// Guest handle of `xen_processor_cx_t`.
    pub states: u64,
}

/// A register that sets or tells P-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PctRegister {
    pub descriptor: u8,
    pub _pad0: u8,
    pub length: u16,
    pub space_id: u8,
    pub bit_width: u8,
    pub bit_offset: u8,
    pub reserved: u8,
    pub address: u64,
}

/// Which processors share P-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PsdPackage {
    pub num_entries: u64,
    pub revision: u64,
    pub domain: u64,
    pub coord_type: u64,
    pub num_processors: u64,
}

/// A processor's P-states.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ProcessorPerformance {
    pub flags: u32,
    pub platform_limit: u32,
    pub control_register: PctRegister,
    pub status_register: PctRegister,
    pub state_count: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_processor_px_t`.
    pub states: u64,
    pub domain_info: PsdPackage,
    pub shared_type: u32,
    pub _pad1: u32,
}

/// The argument of `XENPF_set_processor_pminfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfSetProcessorPminfo {
    pub id: u32,
    pub r#type: u32,
    /// Union: `power`: [`ProcessorPower`], `perf`: [`ProcessorPerformance`], `pdc`: `u64`.
    pub u: [u64; 13],
}

payload! {
    XenpfSetProcessorPminfo.u;
}
