//! The `kexec_op` hypercall. `kexec.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `kexec_op` hypercall.
    u32, KEXEC_OPS;
    KEXEC_CMD_kexec = 0;
    KEXEC_CMD_kexec_load_v1 = 1;
    KEXEC_CMD_kexec_unload_v1 = 2;
    KEXEC_CMD_kexec_get_range = 3;
    KEXEC_CMD_kexec_load = 4;
    KEXEC_CMD_kexec_unload = 5;
    KEXEC_CMD_kexec_status = 6;
}

numbers! {
    /// A kind of image.
    u32;
    KEXEC_TYPE_DEFAULT = 0;
    KEXEC_TYPE_CRASH = 1;
}

numbers! {
    /// A range of [`KexecRange::range`].
    i32;
    KEXEC_RANGE_MA_CRASH = 0;
    KEXEC_RANGE_MA_XEN = 1;
    KEXEC_RANGE_MA_CPU = 2;
    KEXEC_RANGE_MA_XENHEAP = 3;
    KEXEC_RANGE_MA_BOOT_PARAM = 4;
    KEXEC_RANGE_MA_EFI_MEMMAP = 5;
    KEXEC_RANGE_MA_VMCOREINFO = 6;
}

/// Runs an image.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecExec {
    pub r#type: i32,
}

/// Asks for a range of machine memory, bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecRange {
    pub range: i32,
    pub nr: i32,
    pub size: u64,
    pub start: u64,
}

/// A segment of an image.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecSegment {
    /// Union: `h`: `u64`.
    pub buf: u64,
    pub buf_size: u64,
    pub dest_maddr: u64,
    pub dest_size: u64,
}

/// Loads an image.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecLoad {
    pub r#type: u8,
    pub _pad: u8,
    pub arch: u16,
    pub nr_segments: u32,
    /// Union: `h`: `u64`.
    pub segments: u64,
    pub entry_maddr: u64,
}

/// Unloads an image.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecUnload {
    pub r#type: u8,
}

/// Asks whether an image is loaded.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KexecStatus {
    pub r#type: u8,
}
