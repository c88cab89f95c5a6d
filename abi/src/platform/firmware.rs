//! Firmware and EFI run-time calls of `platform_op`. `platform.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A function of [`XenpfEfiRuntimeCall::function`].
    u32;
    XEN_EFI_get_time = 1;
    XEN_EFI_set_time = 2;
    XEN_EFI_get_wakeup_time = 3;
    XEN_EFI_set_wakeup_time = 4;
    XEN_EFI_get_next_high_monotonic_count = 5;
    XEN_EFI_get_variable = 6;
    XEN_EFI_set_variable = 7;
    XEN_EFI_get_next_variable_name = 8;
    XEN_EFI_query_variable_info = 9;
    XEN_EFI_query_capsule_capabilities = 10;
    XEN_EFI_update_capsule = 11;
}

numbers! {
    /// A flag of an EFI run-time call.
    u32;
    XEN_EFI_GET_TIME_SET_CLEARS_NS = 0x1;
    XEN_EFI_GET_WAKEUP_TIME_ENABLED = 0x1;
    XEN_EFI_GET_WAKEUP_TIME_PENDING = 0x2;
    XEN_EFI_SET_WAKEUP_TIME_ENABLE = 0x1;
    XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY = 0x2;
    XEN_EFI_VARIABLE_NON_VOLATILE = 0x1;
    XEN_EFI_VARIABLE_BOOTSERVICE_ACCESS = 0x2;
    XEN_EFI_VARIABLE_RUNTIME_ACCESS = 0x4;
    XEN_EFI_VARINFO_BOOT_SNAPSHOT = 0x1;
}

numbers! {
    /// A type or index of [`XenpfFirmwareInfo`].
    u32;
    XEN_FW_DISK_INFO = 1;
    XEN_FW_DISK_MBR_SIGNATURE = 2;
    XEN_FW_VBEDDC_INFO = 3;
    XEN_FW_EFI_INFO = 4;
    XEN_FW_EFI_VERSION = 0;
    XEN_FW_EFI_CONFIG_TABLE = 1;
    XEN_FW_EFI_VENDOR = 2;
    XEN_FW_EFI_MEM_INFO = 3;
    XEN_FW_EFI_RT_VERSION = 4;
    XEN_FW_EFI_PCI_ROM = 5;
    XEN_FW_EFI_APPLE_PROPERTIES = 6;
    XEN_FW_KBD_SHIFT_FLAGS = 5;
}

/// A time as EFI tells it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiTime {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub min: u8,
    pub sec: u8,
    pub _pad0: u8,
    pub ns: u32,
    pub tz: i16,
    pub daylight: u8,
    pub _pad1: u8,
}

/// A GUID as EFI lays it out.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiGuid {
    pub data1: u32,
    pub data2: u16,
    pub data3: u16,
    pub data4: [u8; 8],
}

/// The `get_time` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallGetTime {
    pub time: XenpfEfiTime,
    pub resolution: u32,
    pub accuracy: u32,
}

/// The `get_variable` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallGetVariable {
    /// Guest handle of `void`.
    pub name: u64,
    pub size: u64,
    /// Guest handle of `void`.
    pub data: u64,
    pub vendor_guid: XenpfEfiGuid,
}

/// The `set_variable` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallSetVariable {
    /// Guest handle of `void`.
    pub name: u64,
    pub size: u64,
    /// Guest handle of `void`.
    pub data: u64,
    pub vendor_guid: XenpfEfiGuid,
}

/// The `get_next_variable_name` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallGetNextVariableName {
    pub size: u64,
    /// Guest handle of `void`.
    pub name: u64,
    pub vendor_guid: XenpfEfiGuid,
}

/// The `query_variable_info` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallQueryVariableInfo {
    pub attr: u32,
    pub _pad0: u32,
    pub max_store_size: u64,
    pub remain_store_size: u64,
    pub max_size: u64,
}

/// The `query_capsule_capabilities` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallQueryCapsuleCapabilities {
    /// Guest handle of `void`.
    pub capsule_header_array: u64,
    pub capsule_count: u64,
    pub max_capsule_size: u64,
    pub reset_type: u32,
    pub _pad0: u32,
}

/// The `update_capsule` arm of [`XenpfEfiRuntimeCall`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCallUpdateCapsule {
    /// Guest handle of `void`.
    pub capsule_header_array: u64,
    pub capsule_count: u64,
    pub sg_list: u64,
}

/// The argument of `XENPF_efi_runtime_call`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiRuntimeCall {
    pub function: u32,
    pub misc: u32,
    pub status: u64,
    /// Union: `get_time`: [`XenpfEfiRuntimeCallGetTime`], `set_time`: [`XenpfEfiTime`], `get_wakeup_time`: [`XenpfEfiTime`], `set_wakeup_time`: [`XenpfEfiTime`], `get_variable`: [`XenpfEfiRuntimeCallGetVariable`], `set_variable`: [`XenpfEfiRuntimeCallSetVariable`], `get_next_variable_name`: [`XenpfEfiRuntimeCallGetNextVariableName`], `query_variable_info`: [`XenpfEfiRuntimeCallQueryVariableInfo`], `query_capsule_capabilities`: [`XenpfEfiRuntimeCallQueryCapsuleCapabilities`], `update_capsule`: [`XenpfEfiRuntimeCallUpdateCapsule`].
    pub u: [u64; 5],
}

/// The `disk_info` arm of [`XenpfFirmwareInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfFirmwareInfoDiskInfo {
    pub device: u8,
    pub version: u8,
    pub interface_support: u16,
    pub legacy_max_cylinder: u16,
    pub legacy_max_head: u8,
    pub legacy_sectors_per_track: u8,
    /// Guest handle of `void`.
    pub edd_params: u64,
}

/// The `disk_mbr_signature` arm of [`XenpfFirmwareInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfFirmwareInfoDiskMbrSignature {
    pub device: u8,
    pub _pad0: [u8; 3],
    pub mbr_signature: u32,
}

/// The `vbeddc_info` arm of [`XenpfFirmwareInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfFirmwareInfoVbeddcInfo {
    pub capabilities: u8,
    pub edid_transfer_time: u8,
    pub _pad0: [u8; 6],
    /// Guest handle of `uint8`.
    pub edid: u64,
}

/// The `cfg` arm of [`XenpfEfiInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfoCfg {
    pub addr: u64,
    pub nent: u32,
    pub _pad0: u32,
}

/// The `vendor` arm of [`XenpfEfiInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfoVendor {
    pub revision: u32,
    pub bufsz: u32,
    /// Guest handle of `void`.
    pub name: u64,
}

/// The `mem` arm of [`XenpfEfiInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfoMem {
    pub addr: u64,
    pub size: u64,
    pub attr: u64,
    pub r#type: u32,
    pub _pad0: u32,
}

/// The `pci_rom` arm of [`XenpfEfiInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfoPciRom {
    pub segment: u16,
    pub bus: u8,
    pub devfn: u8,
    pub vendor: u16,
    pub devid: u16,
    pub address: u64,
    pub size: u64,
}

/// The `apple_properties` arm of [`XenpfEfiInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfoAppleProperties {
    pub address: u64,
    pub size: u64,
}

/// The union `xenpf_efi_info`, as raw words.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfEfiInfo {
    /// Union: `version`: `u32`, `cfg`: [`XenpfEfiInfoCfg`], `vendor`: [`XenpfEfiInfoVendor`], `mem`: [`XenpfEfiInfoMem`], `pci_rom`: [`XenpfEfiInfoPciRom`], `apple_properties`: [`XenpfEfiInfoAppleProperties`].
    pub u: [u64; 4],
}

/// The argument of `XENPF_firmware_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenpfFirmwareInfo {
    pub r#type: u32,
    pub index: u32,
    /// Union: `disk_info`: [`XenpfFirmwareInfoDiskInfo`], `disk_mbr_signature`: [`XenpfFirmwareInfoDiskMbrSignature`], `vbeddc_info`: [`XenpfFirmwareInfoVbeddcInfo`], `efi_info`: [`XenpfEfiInfo`], `kbd_shift_flags`: `u8`.
    pub u: [u64; 4],
}

payload! {
    XenpfEfiRuntimeCall.u;
    XenpfEfiInfo.u;
    XenpfFirmwareInfo.u;
}
