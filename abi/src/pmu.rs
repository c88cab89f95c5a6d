//! The `xenpmu_op` hypercall. `pmu.h`, `arch-x86/pmu.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `xenpmu_op` hypercall.
    u32, PMU_OPS;
    XENPMU_mode_get = 0;
    XENPMU_mode_set = 1;
    XENPMU_feature_get = 2;
    XENPMU_feature_set = 3;
    XENPMU_init = 4;
    XENPMU_finish = 5;
    XENPMU_lvtpc_set = 6;
    XENPMU_flush = 7;
}

numbers! {
    /// The version of the interface.
    u32;
    XENPMU_VER_MAJ = 0;
    XENPMU_VER_MIN = 1;
}

numbers! {
    /// A mode or feature.
    u64;
    XENPMU_MODE_OFF = 0;
    XENPMU_MODE_SELF = 1;
    XENPMU_MODE_HV = 1 << 1;
    XENPMU_MODE_ALL = 1 << 2;
    XENPMU_FEATURE_INTEL_BTS = 1;
    XENPMU_FEATURE_IPC_ONLY = 1 << 1;
    XENPMU_FEATURE_ARCH_ONLY = 1 << 2;
}

numbers! {
    /// A flag of [`PmuArch::pmu_flags`].
    u64;
    PMU_CACHED = 1;
    PMU_SAMPLE_USER = 1 << 1;
    PMU_SAMPLE_REAL = 1 << 2;
    PMU_SAMPLE_PV = 1 << 3;
}

/// The `version` part of [`PmuParams`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuParamsVersion {
    pub maj: u32,
    pub min: u32,
}

/// The argument of `xenpmu_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuParams {
    pub version: PmuParamsVersion,
    pub val: u64,
    pub vcpu: u32,
    pub pad: u32,
}

/// Registers at a sample.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuRegs {
    pub ip: u64,
    pub sp: u64,
    pub flags: u64,
    pub cs: u16,
    pub ss: u16,
    pub cpl: u8,
    pub pad: [u8; 3],
}

/// Offsets of AMD's counters in the context.
/// In memory an array `regs` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuAmdCtxt {
    pub counters: u32,
    pub ctrls: u32,
}

/// Intel's registers in the context.
/// In memory an array `regs` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuIntelCtxt {
    pub fixed_counters: u32,
    pub arch_counters: u32,
    pub global_ctrl: u64,
    pub global_ovf_ctrl: u64,
    pub global_status: u64,
    pub fixed_ctrl: u64,
    pub ds_area: u64,
    pub pebs_enable: u64,
    pub debugctl: u64,
}

/// The x86 part of [`PmuData`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuArch {
    /// Union: `regs`: [`PmuRegs`].
    pub r: [u64; 8],
    pub pmu_flags: u64,
    /// Union: `lapic_lvtpc`: `u32`.
    pub l: u64,
    /// Union: `amd`: [`PmuAmdCtxt`], `intel`: [`PmuIntelCtxt`].
    pub c: [u64; 16],
}

/// The page that a vCPU shares for its counters.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuData {
    pub vcpu_id: u32,
    pub pcpu_id: u32,
    pub domain_id: u16,
    pub pad: [u8; 6],
    pub pmu: PmuArch,
}

/// A counter and its control.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PmuCntrPair {
    pub counter: u64,
    pub control: u64,
}

payload! {
    PmuArch.c;
}
