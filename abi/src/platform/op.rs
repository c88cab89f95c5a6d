//! The `platform_op` hypercall. `platform.h`.

use crate::forms::{numbers, payload, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The version in [`PlatformOp::interface_version`].
    u32;
    XENPF_INTERFACE_VERSION = 0x300_0001;
}

numbers! {
    /// A command of [`PlatformOp::cmd`].
    u32, PLATFORM_OPS;
    XENPF_settime32 = 17;
    XENPF_settime64 = 62;
    XENPF_add_memtype = 31;
    XENPF_del_memtype = 32;
    XENPF_read_memtype = 33;
    XENPF_microcode_update = 35;
    XENPF_platform_quirk = 39;
    XENPF_efi_runtime_call = 49;
    XENPF_firmware_info = 50;
    XENPF_enter_acpi_sleep = 51;
    XENPF_change_freq = 52;
    XENPF_getidletime = 53;
    XENPF_set_processor_pminfo = 54;
    XENPF_get_cpuinfo = 55;
    XENPF_get_cpu_version = 48;
    XENPF_cpu_online = 56;
    XENPF_cpu_offline = 57;
    XENPF_cpu_hotadd = 58;
    XENPF_mem_hotadd = 59;
    XENPF_core_parking = 60;
    XENPF_resource_op = 61;
    XENPF_get_symbol = 63;
    XENPF_get_dom0_console = 64;
    XENPF_get_ucode_revision = 65;
    XENPF_microcode_update2 = 66;
}

numbers! {
    /// A flag of [`XenpfMicrocodeUpdate2::flags`].
    u32;
    XENPF_UCODE_FORCE = 1;
}

numbers! {
    /// A flag of [`XenpfEnterAcpiSleep::flags`].
    u32;
    XENPF_ACPI_SLEEP_EXTENDED = 0x1;
}

numbers! {
    /// A quirk of [`XenpfPlatformQuirk`].
    u32;
    QUIRK_NOIRQBALANCING = 1;
    QUIRK_IOAPIC_BAD_REGSEL = 2;
    QUIRK_IOAPIC_GOOD_REGSEL = 3;
}

numbers! {
    /// A flag of [`XenpfPcpuinfo::flags`].
    u32;
    XEN_PCPU_FLAGS_ONLINE = 1;
    XEN_PCPU_FLAGS_INVALID = 2;
}

numbers! {
    /// A type of [`XenpfCoreParking::type`].
    u32;
    XEN_CORE_PARKING_SET = 1;
    XEN_CORE_PARKING_GET = 2;
}

numbers! {
    /// A command of [`XenpfResourceEntry::u`].
    u32;
    XEN_RESOURCE_OP_MSR_READ = 0;
    XEN_RESOURCE_OP_MSR_WRITE = 1;
}

/// The argument of `XENPF_settime32`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfSettime32 {
    pub secs: u32,
    pub nsecs: u32,
    pub system_time: u64,
}

/// The argument of `XENPF_settime64`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfSettime64 {
    pub secs: u64,
    pub nsecs: u32,
    pub mbz: u32,
    pub system_time: u64,
}

/// The argument of `XENPF_add_memtype`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfAddMemtype {
    pub mfn: u64,
    pub nr_mfns: u64,
    pub r#type: u32,
    pub handle: u32,
    pub reg: u32,
    pub _pad0: u32,
}

/// The argument of `XENPF_del_memtype`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfDelMemtype {
    pub handle: u32,
    pub reg: u32,
}

/// The argument of `XENPF_read_memtype`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfReadMemtype {
    pub reg: u32,
    pub _pad0: u32,
    pub mfn: u64,
    pub nr_mfns: u64,
    pub r#type: u32,
    pub _pad1: u32,
}

/// The argument of `XENPF_microcode_update`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfMicrocodeUpdate {
    /// Guest handle of `void`.
    pub data: u64,
    pub length: u32,
    pub _pad0: u32,
}

/// The argument of `XENPF_microcode_update2`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfMicrocodeUpdate2 {
    pub flags: u32,
    pub length: u32,
    /// Guest handle of `void`.
    pub data: u64,
}

/// The argument of `XENPF_platform_quirk`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfPlatformQuirk {
    pub quirk_id: u32,
}

/// The argument of `XENPF_enter_acpi_sleep`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEnterAcpiSleep {
    pub val_a: u16,
    pub val_b: u16,
    pub sleep_state: u32,
    pub flags: u32,
}

/// The argument of `XENPF_change_freq`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfChangeFreq {
    pub flags: u32,
    pub cpu: u32,
    pub freq: u64,
}

/// The argument of `XENPF_getidletime`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfGetidletime {
    /// Guest handle of `uint8`.
    pub cpumap_bitmap: u64,
    pub cpumap_nr_cpus: u32,
    pub _pad0: u32,
    /// Guest handle of `uint64`.
    pub idletime: u64,
    pub now: u64,
}

/// Asks about a CPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfPcpuinfo {
    pub xen_cpuid: u32,
    pub max_present: u32,
    pub flags: u32,
    pub apic_id: u32,
    pub acpi_id: u32,
}

/// Asks for a CPU's vendor, family and model.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfPcpuVersion {
    pub xen_cpuid: u32,
    pub max_present: u32,
    pub vendor_id: [u8; 12],
    pub family: u32,
    pub model: u32,
    pub stepping: u32,
}

/// Takes a CPU up or down.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfCpuOl {
    pub cpuid: u32,
}

/// The argument of `XENPF_cpu_hotadd`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfCpuHotadd {
    pub apic_id: u32,
    pub acpi_id: u32,
    pub pxm: u32,
}

/// The argument of `XENPF_mem_hotadd`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfMemHotadd {
    pub spfn: u64,
    pub epfn: u64,
    pub pxm: u32,
    pub flags: u32,
}

/// The argument of `XENPF_core_parking`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfCoreParking {
    pub r#type: u32,
    pub idle_nums: u32,
}

/// One access to a platform resource.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfResourceEntry {
    /// Union: `cmd`: `u32`, `ret`: `i32`.
    pub u: u32,
    pub rsvd: u32,
    pub idx: u64,
    pub val: u64,
}

/// The argument of `XENPF_resource_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfResourceOp {
    pub nr_entries: u32,
    pub cpu: u32,
    /// Guest handle of `xenpf_resource_entry_t`.
    pub entries: u64,
}

/// Asks for a symbol of the hypervisor.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfSymdata {
    pub namelen: u32,
    pub symnum: u32,
    /// Guest handle of `char`.
    pub name: u64,
    pub address: u64,
    pub r#type: u8,
    pub _pad0: [u8; 7],
}

/// Asks for a CPU's microcode revision.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfUcodeRevision {
    pub cpu: u32,
    pub signature: u32,
    pub pf: u32,
    pub revision: u32,
}

/// The argument of `platform_op`: a command, a version and 128 bytes of arms.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PlatformOp {
    /// `XENPF_*`.
    pub cmd: u32,
    /// [`XENPF_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// One of the `Xenpf*` structures, by `cmd`.
    pub u: [u64; 16],
}

payload! {
    PlatformOp.u;
}

zeroed_default!(PlatformOp);
