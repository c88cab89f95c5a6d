//! The `physdev_op` hypercall: interrupts and PCI devices. `physdev.h`.

use crate::forms::{numbers, payload};
use crate::memory::physmap::PhysdevPciDevice;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `physdev_op` hypercall.
    u32, PHYSDEV_OPS;
    PHYSDEVOP_eoi = 12;
    PHYSDEVOP_pirq_eoi_gmfn_v1 = 17;
    PHYSDEVOP_pirq_eoi_gmfn_v2 = 28;
    PHYSDEVOP_irq_status_query = 5;
    PHYSDEVOP_set_iopl = 6;
    PHYSDEVOP_set_iobitmap = 7;
    PHYSDEVOP_apic_read = 8;
    PHYSDEVOP_apic_write = 9;
    PHYSDEVOP_alloc_irq_vector = 10;
    PHYSDEVOP_free_irq_vector = 11;
    PHYSDEVOP_map_pirq = 13;
    PHYSDEVOP_unmap_pirq = 14;
    PHYSDEVOP_manage_pci_add = 15;
    PHYSDEVOP_manage_pci_remove = 16;
    PHYSDEVOP_restore_msi = 19;
    PHYSDEVOP_manage_pci_add_ext = 20;
    PHYSDEVOP_setup_gsi = 21;
    PHYSDEVOP_get_free_pirq = 23;
    PHYSDEVOP_pci_mmcfg_reserved = 24;
    PHYSDEVOP_pci_device_add = 25;
    PHYSDEVOP_pci_device_remove = 26;
    PHYSDEVOP_restore_msi_ext = 27;
    PHYSDEVOP_prepare_msix = 30;
    PHYSDEVOP_release_msix = 31;
    PHYSDEVOP_pci_device_reset = 32;
    PHYSDEVOP_dbgp_op = 29;
}

numbers! {
    /// The retired notification operation, which Xen answers with 0.
    u32;
    PHYSDEVOP_IRQ_UNMASK_NOTIFY = 4;
}

numbers! {
    /// A flag of [`PhysdevIrqStatusQuery::flags`].
    u32;
    XENIRQSTAT_needs_eoi = 1;
    XENIRQSTAT_shared = 1 << 1;
}

numbers! {
    /// A type of [`PhysdevMapPirq::type`].
    i32;
    MAP_PIRQ_TYPE_MSI = 0x0;
    MAP_PIRQ_TYPE_GSI = 0x1;
    MAP_PIRQ_TYPE_UNKNOWN = 0x2;
    MAP_PIRQ_TYPE_MSI_SEG = 0x3;
    MAP_PIRQ_TYPE_MULTI_MSI = 0x4;
}

numbers! {
    /// A flag of [`PhysdevPciMmcfgReserved::flags`].
    u32;
    XEN_PCI_MMCFG_RESERVED = 0x1;
}

numbers! {
    /// A flag of [`PhysdevPciDeviceAdd::flags`].
    u32;
    XEN_PCI_DEV_EXTFN = 0x1;
    XEN_PCI_DEV_VIRTFN = 0x2;
    XEN_PCI_DEV_PXM = 0x4;
}

numbers! {
    /// A kind of reset in [`PciDeviceReset::flags`].
    u32;
    PCI_DEVICE_RESET_COLD = 0x0;
    PCI_DEVICE_RESET_WARM = 0x1;
    PCI_DEVICE_RESET_HOT = 0x2;
    PCI_DEVICE_RESET_FLR = 0x3;
    PCI_DEVICE_RESET_MASK = 0x3;
}

numbers! {
    /// An operation or bus of [`PhysdevDbgpOp`].
    u8;
    PHYSDEVOP_DBGP_RESET_PREPARE = 1;
    PHYSDEVOP_DBGP_RESET_DONE = 2;
    PHYSDEVOP_DBGP_BUS_UNKNOWN = 0;
    PHYSDEVOP_DBGP_BUS_PCI = 1;
}

/// Ends an interrupt.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevEoi {
    pub irq: u32,
}

/// Registers a page of bits: which interrupts need an end.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevPirqEoiGmfn {
    pub gmfn: u64,
}

/// Asks whether an interrupt needs an end.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevIrqStatusQuery {
    pub irq: u32,
    pub flags: u32,
}

/// Sets a PV vCPU's I/O privilege level.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevSetIopl {
    pub iopl: u32,
}

/// Sets a PV vCPU's I/O bitmap.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevSetIobitmap {
    /// Guest handle of `uint8`.
    pub bitmap: u64,
    pub nr_ports: u32,
    pub _pad0: u32,
}

/// Reads or writes an I/O APIC register.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevApic {
    pub apic_physbase: u64,
    pub reg: u32,
    pub value: u32,
}

/// Allocates a vector for an interrupt (a formality since long).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevIrq {
    pub irq: u32,
    pub vector: u32,
}

/// Maps a GSI or MSI to a physical interrupt number.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevMapPirq {
    pub domid: u16,
    pub _pad0: u16,
    pub r#type: i32,
    pub index: i32,
    pub pirq: i32,
    pub bus: i32,
    pub devfn: i32,
    pub entry_nr: i32,
    pub _pad1: u32,
    pub table_base: u64,
}

/// Undoes a mapping.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevUnmapPirq {
    pub domid: u16,
    pub _pad0: u16,
    pub pirq: i32,
}

/// Tells of a PCI device (old form).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevManagePci {
    pub bus: u8,
    pub devfn: u8,
}

/// Restores a device's MSI state (old form).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevRestoreMsi {
    pub bus: u8,
    pub devfn: u8,
}

/// The `physfn` part of [`PhysdevManagePciExt`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevManagePciExtPhysfn {
    pub bus: u8,
    pub devfn: u8,
}

/// Tells of a PCI device, with its function kind.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevManagePciExt {
    pub bus: u8,
    pub devfn: u8,
    pub _pad0: u16,
    pub is_extfn: u32,
    pub is_virtfn: u32,
    pub physfn: PhysdevManagePciExtPhysfn,
    pub _pad1: u16,
}

/// The argument of the old `physdev_op_compat` hypercall.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevOp {
    pub cmd: u32,
    pub _pad0: u32,
    /// Union: `irq_status_query`: [`PhysdevIrqStatusQuery`], `set_iopl`: [`PhysdevSetIopl`], `set_iobitmap`: [`PhysdevSetIobitmap`], `apic_op`: [`PhysdevApic`], `irq_op`: [`PhysdevIrq`].
    pub u: [u64; 2],
}

/// Sets a GSI's trigger and polarity.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevSetupGsi {
    pub gsi: i32,
    pub triggering: u8,
    pub polarity: u8,
    pub _pad0: u16,
}

/// Asks for a free interrupt number.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevGetFreePirq {
    pub r#type: i32,
    pub pirq: u32,
}

/// Tells whether an MMCFG area is reserved in the firmware's map.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevPciMmcfgReserved {
    pub address: u64,
    pub segment: u16,
    pub start_bus: u8,
    pub end_bus: u8,
    pub flags: u32,
}

/// The `physfn` part of [`PhysdevPciDeviceAdd`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevPciDeviceAddPhysfn {
    pub bus: u8,
    pub devfn: u8,
}

/// Tells of a PCI device.
/// In memory an array `optarr` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevPciDeviceAdd {
    pub seg: u16,
    pub bus: u8,
    pub devfn: u8,
    pub flags: u32,
    pub physfn: PhysdevPciDeviceAddPhysfn,
    pub _pad0: u16,
}

/// Tells that a device was reset.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PciDeviceReset {
    pub dev: PhysdevPciDevice,
    pub flags: u32,
}

/// Tells of a reset of the debug port.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevDbgpOp {
    pub op: u8,
    pub bus: u8,
    /// Union: `pci`: [`PhysdevPciDevice`].
    pub u: [u16; 2],
}

payload! {
    PhysdevOp.u;
    PhysdevDbgpOp.u;
}
