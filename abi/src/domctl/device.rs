//! Giving devices, interrupts, ports and memory to a domain. `domctl.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An action of [`DomctlGsiPermission::flags`].
    u32;
    XEN_DOMCTL_GSI_REVOKE = 0;
    XEN_DOMCTL_GSI_GRANT = 1;
    XEN_DOMCTL_GSI_ACTION_MASK = 1;
}

numbers! {
    /// A kind of device, or a flag, of [`DomctlAssignDevice`].
    u32;
    XEN_DOMCTL_DEV_PCI = 0;
    XEN_DOMCTL_DEV_DT = 1;
    XEN_DOMCTL_DEV_RDM_RELAXED = 1;
}

numbers! {
    /// A type of [`DomctlBindPtIrq::irq_type`].
    u32;
    PT_IRQ_TYPE_PCI = 0;
    PT_IRQ_TYPE_ISA = 1;
    PT_IRQ_TYPE_MSI = 2;
    PT_IRQ_TYPE_MSI_TRANSLATE = 3;
    PT_IRQ_TYPE_SPI = 4;
}

numbers! {
    /// A part of the `gflags` of an MSI binding.
    u32;
    XEN_DOMCTL_VMSI_X86_DEST_ID_MASK = 0xff;
    XEN_DOMCTL_VMSI_X86_RH_MASK = 0x100;
    XEN_DOMCTL_VMSI_X86_DM_MASK = 0x200;
    XEN_DOMCTL_VMSI_X86_DELIV_MASK = 0x7000;
    XEN_DOMCTL_VMSI_X86_TRIG_MASK = 0x8000;
    XEN_DOMCTL_VMSI_X86_UNMASKED = 0x1_0000;
}

numbers! {
    /// Whether a mapping is added or removed.
    u32;
    DPCI_ADD_MAPPING = 1;
    DPCI_REMOVE_MAPPING = 0;
}

/// The argument of `XEN_DOMCTL_irq_permission`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlIrqPermission {
    pub pirq: u32,
    pub allow_access: u8,
    pub pad: [u8; 3],
}

/// The argument of `XEN_DOMCTL_gsi_permission`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGsiPermission {
    pub gsi: u32,
    pub flags: u32,
}

/// The argument of `XEN_DOMCTL_iomem_permission`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlIomemPermission {
    pub first_mfn: u64,
    pub nr_mfns: u64,
    pub allow_access: u8,
    pub _pad0: [u8; 7],
}

/// The argument of `XEN_DOMCTL_ioport_permission`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlIoportPermission {
    pub first_port: u32,
    pub nr_ports: u32,
    pub allow_access: u8,
    pub _pad0: [u8; 3],
}

/// The `pci` arm of [`DomctlAssignDevice`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlAssignDevicePci {
    pub machine_sbdf: u32,
}

/// The `dt` arm of [`DomctlAssignDevice`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlAssignDeviceDt {
    pub size: u32,
    pub _pad0: u32,
    /// Guest handle of `char`.
    pub path: u64,
}

/// The argument of `XEN_DOMCTL_assign_device`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlAssignDevice {
    pub dev: u32,
    pub flags: u32,
    /// Union: `pci`: [`DomctlAssignDevicePci`], `dt`: [`DomctlAssignDeviceDt`].
    pub u: [u64; 2],
}

/// The argument of `XEN_DOMCTL_get_device_group`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGetDeviceGroup {
    pub machine_sbdf: u32,
    pub max_sdevs: u32,
    pub num_sdevs: u32,
    pub _pad0: u32,
    /// Guest handle of `uint32`.
    pub sdev_array: u64,
}

/// The `isa` arm of [`DomctlBindPtIrq`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlBindPtIrqIsa {
    pub isa_irq: u8,
}

/// The `pci` arm of [`DomctlBindPtIrq`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlBindPtIrqPci {
    pub bus: u8,
    pub device: u8,
    pub intx: u8,
}

/// The `msi` arm of [`DomctlBindPtIrq`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlBindPtIrqMsi {
    pub gvec: u8,
    pub _pad0: [u8; 3],
    pub gflags: u32,
    pub gtable: u64,
}

/// The `spi` arm of [`DomctlBindPtIrq`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlBindPtIrqSpi {
    pub spi: u16,
}

/// The argument of `XEN_DOMCTL_bind_pt_irq`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlBindPtIrq {
    pub machine_irq: u32,
    pub irq_type: u32,
    /// Union: `isa`: [`DomctlBindPtIrqIsa`], `pci`: [`DomctlBindPtIrqPci`], `msi`: [`DomctlBindPtIrqMsi`], `spi`: [`DomctlBindPtIrqSpi`].
    pub u: [u64; 2],
}

/// The argument of `XEN_DOMCTL_memory_mapping`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMemoryMapping {
    pub first_gfn: u64,
    pub first_mfn: u64,
    pub nr_mfns: u64,
    pub add_mapping: u32,
    pub padding: u32,
}

/// The argument of `XEN_DOMCTL_ioport_mapping`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlIoportMapping {
    pub first_gport: u32,
    pub first_mport: u32,
    pub nr_ports: u32,
    pub add_mapping: u32,
}

payload! {
    DomctlAssignDevice.u;
    DomctlBindPtIrq.u;
}
