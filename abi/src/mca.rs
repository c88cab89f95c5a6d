//! The machine-check hypercall. `arch-x86/xen-mca.h`.

use crate::forms::{numbers, payload, zeroed_default};
use crate::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The version in [`Mc::interface_version`].
    u32;
    XEN_MCA_INTERFACE_VERSION = 0x1ec_c003;
}

numbers! {
    /// A command of [`Mc::cmd`].
    u32, MCA_OPS;
    XEN_MC_fetch = 1;
    XEN_MC_notifydomain = 2;
    XEN_MC_physcpuinfo = 3;
    XEN_MC_msrinject = 4;
    XEN_MC_mceinject = 5;
    XEN_MC_inject_v2 = 6;
}

numbers! {
    /// A flag or result of a fetch.
    u32;
    XEN_MC_NONURGENT = 0x1;
    XEN_MC_URGENT = 0x2;
    XEN_MC_ACK = 0x4;
    XEN_MC_OK = 0x0;
    XEN_MC_FETCHFAILED = 0x1;
    XEN_MC_NODATA = 0x2;
    XEN_MC_NOMATCH = 0x4;
    XEN_MC_CANNOTHANDLE = 0x8;
    XEN_MC_NOTDELIVERED = 0x10;
    XEN_MC_VCPUID_INVALID = 0xffff;
}

numbers! {
    /// A part of the flags of an injection.
    u32;
    XEN_MC_INJECT_TYPE_MASK = 0x7;
    XEN_MC_INJECT_TYPE_MCE = 0x0;
    XEN_MC_INJECT_TYPE_CMCI = 0x1;
    XEN_MC_INJECT_TYPE_LMCE = 0x2;
    XEN_MC_INJECT_CPU_BROADCAST = 0x8;
}

/// Fetches or acknowledges telemetry.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McFetch {
    pub flags: u32,
    pub _pad0: u32,
    pub fetch_id: u64,
    /// Guest handle of `mc_info_t`.
    pub data: u64,
}

/// Notifies a domain of an error.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McNotifydomain {
    pub mc_domid: u16,
    pub mc_vcpuid: u16,
    pub flags: u32,
}

/// Lists the host's processors.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McPhyscpuinfo {
    pub ncpus: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_mc_logical_cpu_t`.
    pub info: u64,
}

/// One MSR.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McinfoMsr {
    pub reg: u64,
    pub value: u64,
}

/// Sets MSRs before an injection.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McMsrinject {
    pub mcinj_cpunr: u32,
    pub mcinj_flags: u32,
    pub mcinj_count: u32,
    pub mcinj_domid: u16,
    pub _pad0: u16,
    pub mcinj_msr: [McinfoMsr; 8],
}

/// Raises a machine check on a CPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McMceinject {
    pub mceinj_cpunr: u32,
}

/// Raises a machine check on a set of CPUs.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McInjectV2 {
    pub flags: u32,
    pub _pad0: u32,
    pub cpumap: XenctlBitmap,
}

/// A machine-check operation.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Mc {
    pub cmd: u32,
    pub interface_version: u32,
    /// Union: `mc_fetch`: [`McFetch`], `mc_notifydomain`: [`McNotifydomain`], `mc_physcpuinfo`: [`McPhyscpuinfo`], `mc_msrinject`: [`McMsrinject`], `mc_mceinject`: [`McMceinject`], `mc_inject_v2`: [`McInjectV2`].
    pub u: [u64; 18],
}

/// One processor of [`McPhyscpuinfo`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct McinfoLogicalCpu {
    pub mc_cpunr: u32,
    pub mc_chipid: u32,
    pub mc_coreid: u16,
    pub mc_threadid: u16,
    pub mc_apicid: u32,
    pub mc_clusterid: u32,
    pub mc_ncores: u32,
    pub mc_ncores_active: u32,
    pub mc_nthreads: u32,
    pub mc_cpuid_level: i32,
    pub mc_family: u32,
    pub mc_vendor: u32,
    pub mc_model: u32,
    pub mc_step: u32,
    pub mc_vendorid: [u8; 16],
    pub mc_brandid: [u8; 64],
    pub mc_cpu_caps: [u32; 7],
    pub mc_cache_size: u32,
    pub mc_cache_alignment: u32,
    pub mc_nmsrvals: i32,
    pub _pad0: u32,
    pub mc_msrvalues: [McinfoMsr; 8],
}

payload! {
    Mc.u;
}

zeroed_default!(McinfoLogicalCpu);
