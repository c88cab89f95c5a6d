//! Requests of a guest's port and memory accesses to a device model.
//! `hvm/ioreq.h`. The pages are shared: used by offset, atomically where the
//! header says so.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A state of [`Ioreq`]: the low four bits of its `flags`.
    u8;
    STATE_IOREQ_NONE = 0;
    STATE_IOREQ_READY = 1;
    STATE_IOREQ_INPROCESS = 2;
    STATE_IORESP_READY = 3;
}

numbers! {
    /// A type of [`Ioreq::type`].
    u8;
    IOREQ_TYPE_PIO = 0;
    IOREQ_TYPE_COPY = 1;
    IOREQ_TYPE_PCI_CONFIG = 2;
    IOREQ_TYPE_TIMEOFFSET = 7;
    IOREQ_TYPE_INVALIDATE = 8;
}

numbers! {
    /// A direction of [`Ioreq`].
    u8;
    IOREQ_READ = 1;
    IOREQ_WRITE = 0;
}

numbers! {
    /// Slots in [`BufferedIopage`].
    usize;
    IOREQ_BUFFER_SLOT_NUM = 511;
}

numbers! {
    /// An I/O port of the ACPI registers, by version.
    u16;
    ACPI_PM1A_EVT_BLK_ADDRESS_V0 = 0x1f40;
    ACPI_PM1A_CNT_BLK_ADDRESS_V0 = 0x1f44;
    ACPI_PM_TMR_BLK_ADDRESS_V0 = 0x1f48;
    ACPI_GPE0_BLK_ADDRESS_V0 = 0x1f68;
    ACPI_GPE0_BLK_LEN_V0 = 0x8;
    ACPI_PM1A_EVT_BLK_ADDRESS_V1 = 0xb000;
    ACPI_PM1A_CNT_BLK_ADDRESS_V1 = 0xb004;
    ACPI_PM_TMR_BLK_ADDRESS_V1 = 0xb008;
    ACPI_GPE0_BLK_ADDRESS_V1 = 0xafe0;
    ACPI_GPE0_BLK_LEN_V1 = 0x4;
}

/// A request of a vCPU to its device model.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Ioreq {
    pub addr: u64,
    pub data: u64,
    pub count: u32,
    pub size: u32,
    pub vp_eport: u32,
    pub _pad0: u16,
    /// Bits: `state` 0..4, `data_is_ptr` 4, `dir` 5, `df` 6, `_pad1` 7.
    pub flags: u8,
    pub r#type: u8,
}

/// A buffered request: one write of up to four bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BufIoreq {
    /// Bits: `type` 0..8, `pad` 8, `dir` 9, `size` 10..12 (log2, bytes), `addr` 12..32.
    pub bits: u32,
    pub data: u32,
}

/// The page of buffered requests.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BufferedIopage {
    pub read_pointer: u32,
    pub write_pointer: u32,
    pub buf_ioreq: [BufIoreq; IOREQ_BUFFER_SLOT_NUM],
}

zeroed_default!(BufferedIopage);
