//! The basics that every call shares: domain ids, virtual interrupts, VM
//! assists, console I/O, multicalls and bitmaps. `xen.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A domain id: 0 to [`DOMID_FIRST_RESERVED`] - 1, or one of the reserved values.
pub type DomId = u16;

/// A frame number whose kind (machine or guest) the call defines.
pub type XenPfn = u64;

/// A domain's UUID.
pub type DomainHandle = [u8; 16];

numbers! {
    /// A reserved domain id.
    DomId;
    DOMID_FIRST_RESERVED = 0x7ff0;
    DOMID_SELF = 0x7ff0;
    DOMID_IO = 0x7ff1;
    DOMID_XEN = 0x7ff2;
    DOMID_COW = 0x7ff3;
    DOMID_INVALID = 0x7ff4;
    DOMID_IDLE = 0x7fff;
    DOMID_MASK = 0x7fff;
}

numbers! {
    /// A virtual interrupt of `EVTCHNOP_bind_virq`.
    u32, VIRQS;
    VIRQ_TIMER = 0;
    VIRQ_DEBUG = 1;
    VIRQ_CONSOLE = 2;
    VIRQ_DOM_EXC = 3;
    VIRQ_TBUF = 4;
    VIRQ_DEBUGGER = 6;
    VIRQ_XENOPROF = 7;
    VIRQ_CON_RING = 8;
    VIRQ_PCPU_STATE = 9;
    VIRQ_MEM_EVENT = 10;
    VIRQ_ARGO = 11;
    VIRQ_ENOMEM = 12;
    VIRQ_XENPMU = 13;
    VIRQ_ARCH_0 = 16;
    VIRQ_ARCH_1 = 17;
    VIRQ_ARCH_2 = 18;
    VIRQ_ARCH_3 = 19;
    VIRQ_ARCH_4 = 20;
    VIRQ_ARCH_5 = 21;
    VIRQ_ARCH_6 = 22;
    VIRQ_ARCH_7 = 23;
}

numbers! {
    /// Number of virtual interrupts.
    u32;
    NR_VIRQS = 24;
}

/// Raised for dom0 when the hypervisor logged a machine check.
pub const VIRQ_MCA: u32 = VIRQ_ARCH_0;

numbers! {
    /// An operation of the `console_io` hypercall.
    u32;
    CONSOLEIO_write = 0;
    CONSOLEIO_read = 1;
}

numbers! {
    /// A command of the `vm_assist` hypercall.
    u32;
    VMASST_CMD_enable = 0;
    VMASST_CMD_disable = 1;
}

numbers! {
    /// A bit number of the `vm_assist` hypercall.
    u32;
    VMASST_TYPE_4gb_segments = 0;
    VMASST_TYPE_4gb_segments_notify = 1;
    VMASST_TYPE_writable_pagetables = 2;
    VMASST_TYPE_pae_extended_cr3 = 3;
    VMASST_TYPE_architectural_iopl = 4;
    VMASST_TYPE_runstate_update_flag = 5;
    VMASST_TYPE_m2p_strict = 32;
}

/// Event channels of the two-level form: 64 words of 64.
pub const EVTCHN_2L_NR_CHANNELS: u32 = 4096;

/// vCPUs that have a slot in [`crate::shared_info::SharedInfo`].
pub const XEN_LEGACY_MAX_VCPUS: u32 = 32;

/// The newest interface version of these headers (Xen 4.19 and 4.20).
pub const XEN_LATEST_INTERFACE_VERSION: u32 = 0x0004_1300;

/// A call of a `multicall`: its number, result and arguments.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MulticallEntry {
    pub op: u64,
    pub result: u64,
    pub args: [u64; 6],
}

/// A bitmap in the caller's memory.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenctlBitmap {
    /// Guest handle of `uint8`.
    pub bitmap: u64,
    pub nr_bits: u32,
    pub _pad0: u32,
}
