//! The `dm_op` hypercall of device models. `hvm/dm_op.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of [`DmOp::op`].
    u32, DM_OPS;
    XEN_DMOP_create_ioreq_server = 1;
    XEN_DMOP_get_ioreq_server_info = 2;
    XEN_DMOP_map_io_range_to_ioreq_server = 3;
    XEN_DMOP_unmap_io_range_from_ioreq_server = 4;
    XEN_DMOP_set_ioreq_server_state = 5;
    XEN_DMOP_destroy_ioreq_server = 6;
    XEN_DMOP_track_dirty_vram = 7;
    XEN_DMOP_set_pci_intx_level = 8;
    XEN_DMOP_set_isa_irq_level = 9;
    XEN_DMOP_set_pci_link_route = 10;
    XEN_DMOP_modified_memory = 11;
    XEN_DMOP_set_mem_type = 12;
    XEN_DMOP_inject_event = 13;
    XEN_DMOP_inject_msi = 14;
    XEN_DMOP_map_mem_type_to_ioreq_server = 15;
    XEN_DMOP_remote_shutdown = 16;
    XEN_DMOP_relocate_memory = 17;
    XEN_DMOP_pin_memory_cacheattr = 18;
    XEN_DMOP_set_irq_level = 19;
    XEN_DMOP_nr_vcpus = 20;
}

numbers! {
    /// A flag of [`DmOpGetIoreqServerInfo::flags`].
    u16;
    XEN_DMOP_no_gfns = 1;
}

numbers! {
    /// A type of [`DmOpIoreqServerRange::type`].
    u32;
    XEN_DMOP_IO_RANGE_PORT = 0;
    XEN_DMOP_IO_RANGE_MEMORY = 1;
    XEN_DMOP_IO_RANGE_PCI = 2;
}

numbers! {
    /// A type of [`DmOpInjectEvent::type`].
    u8;
    XEN_DMOP_EVENT_ext_int = 0;
    XEN_DMOP_EVENT_nmi = 2;
    XEN_DMOP_EVENT_hw_exc = 3;
    XEN_DMOP_EVENT_sw_int = 4;
    XEN_DMOP_EVENT_pri_sw_exc = 5;
    XEN_DMOP_EVENT_sw_exc = 6;
}

numbers! {
    /// A flag of [`DmOpMapMemTypeToIoreqServer::flags`].
    u32;
    XEN_DMOP_IOREQ_MEM_ACCESS_READ = 1;
    XEN_DMOP_IOREQ_MEM_ACCESS_WRITE = 1 << 1;
}

numbers! {
    /// A cache attribute of [`DmOpPinMemoryCacheattr::type`].
    u32;
    XEN_DMOP_MEM_CACHEATTR_UC = 0;
    XEN_DMOP_MEM_CACHEATTR_WC = 1;
    XEN_DMOP_MEM_CACHEATTR_WT = 4;
    XEN_DMOP_MEM_CACHEATTR_WP = 5;
    XEN_DMOP_MEM_CACHEATTR_WB = 6;
    XEN_DMOP_MEM_CACHEATTR_UCM = 7;
    XEN_DMOP_DELETE_MEM_CACHEATTR = 0xffff_ffff;
}

/// The argument of `XEN_DMOP_create_ioreq_server`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpCreateIoreqServer {
    pub handle_bufioreq: u8,
    pub pad: [u8; 3],
    pub id: u16,
}

/// The argument of `XEN_DMOP_get_ioreq_server_info`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpGetIoreqServerInfo {
    pub id: u16,
    pub flags: u16,
    pub bufioreq_port: u32,
    pub ioreq_gfn: u64,
    pub bufioreq_gfn: u64,
}

/// A range of ports, memory or PCI functions that a server takes or gives back.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpIoreqServerRange {
    pub id: u16,
    pub pad: u16,
    pub r#type: u32,
    pub start: u64,
    pub end: u64,
}

/// The argument of `XEN_DMOP_set_ioreq_server_state`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetIoreqServerState {
    pub id: u16,
    pub enabled: u8,
    pub pad: u8,
}

/// The argument of `XEN_DMOP_destroy_ioreq_server`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpDestroyIoreqServer {
    pub id: u16,
    pub pad: u16,
}

/// The argument of `XEN_DMOP_track_dirty_vram`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpTrackDirtyVram {
    pub nr: u32,
    pub pad: u32,
    pub first_pfn: u64,
}

/// The argument of `XEN_DMOP_set_pci_intx_level`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetPciIntxLevel {
    pub domain: u16,
    pub bus: u8,
    pub device: u8,
    pub intx: u8,
    pub level: u8,
}

/// The argument of `XEN_DMOP_set_isa_irq_level`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetIsaIrqLevel {
    pub isa_irq: u8,
    pub level: u8,
}

/// The argument of `XEN_DMOP_set_irq_level`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetIrqLevel {
    pub irq: u32,
    pub level: u8,
    pub pad: [u8; 3],
}

/// The argument of `XEN_DMOP_set_pci_link_route`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetPciLinkRoute {
    pub link: u8,
    pub isa_irq: u8,
}

/// The argument of `XEN_DMOP_modified_memory`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpModifiedMemory {
    pub nr_extents: u32,
    pub opaque: u32,
}

/// The argument of `XEN_DMOP_set_mem_type`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpSetMemType {
    pub nr: u32,
    pub mem_type: u16,
    pub pad: u16,
    pub first_pfn: u64,
}

/// The argument of `XEN_DMOP_inject_event`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpInjectEvent {
    pub vcpuid: u32,
    pub vector: u8,
    pub r#type: u8,
    pub insn_len: u8,
    pub pad0: u8,
    pub error_code: u32,
    pub pad1: u32,
    pub cr2: u64,
}

/// The argument of `XEN_DMOP_inject_msi`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpInjectMsi {
    pub data: u32,
    pub pad: u32,
    pub addr: u64,
}

/// The argument of `XEN_DMOP_map_mem_type_to_ioreq_server`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpMapMemTypeToIoreqServer {
    pub id: u16,
    pub r#type: u16,
    pub flags: u32,
    pub opaque: u64,
}

/// The argument of `XEN_DMOP_remote_shutdown`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpRemoteShutdown {
    pub reason: u32,
}

/// The argument of `XEN_DMOP_relocate_memory`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpRelocateMemory {
    pub size: u32,
    pub pad: u32,
    pub src_gfn: u64,
    pub dst_gfn: u64,
}

/// The argument of `XEN_DMOP_pin_memory_cacheattr`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpPinMemoryCacheattr {
    pub start: u64,
    pub end: u64,
    pub r#type: u32,
    pub pad: u32,
}

/// The argument of `XEN_DMOP_nr_vcpus`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpNrVcpus {
    pub vcpus: u32,
}

/// An operation and its argument.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOp {
    pub op: u32,
    pub pad: u32,
    /// Union: `create_ioreq_server`: [`DmOpCreateIoreqServer`], `get_ioreq_server_info`: [`DmOpGetIoreqServerInfo`], `map_io_range_to_ioreq_server`: [`DmOpIoreqServerRange`], `unmap_io_range_from_ioreq_server`: [`DmOpIoreqServerRange`], `set_ioreq_server_state`: [`DmOpSetIoreqServerState`], `destroy_ioreq_server`: [`DmOpDestroyIoreqServer`], `track_dirty_vram`: [`DmOpTrackDirtyVram`], `set_pci_intx_level`: [`DmOpSetPciIntxLevel`], `set_isa_irq_level`: [`DmOpSetIsaIrqLevel`], `set_irq_level`: [`DmOpSetIrqLevel`], `set_pci_link_route`: [`DmOpSetPciLinkRoute`], `modified_memory`: [`DmOpModifiedMemory`], `set_mem_type`: [`DmOpSetMemType`], `inject_event`: [`DmOpInjectEvent`], `inject_msi`: [`DmOpInjectMsi`], `map_mem_type_to_ioreq_server`: [`DmOpMapMemTypeToIoreqServer`], `remote_shutdown`: [`DmOpRemoteShutdown`], `relocate_memory`: [`DmOpRelocateMemory`], `pin_memory_cacheattr`: [`DmOpPinMemoryCacheattr`], `nr_vcpus`: [`DmOpNrVcpus`].
    pub u: [u64; 3],
}

/// A buffer of the `dm_op` hypercall: address and bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpBuf {
    /// Guest handle of `void`.
    pub h: u64,
    pub size: u64,
}

/// One extent of `XEN_DMOP_modified_memory`, in the second buffer.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DmOpModifiedMemoryExtent {
    pub nr: u32,
    pub pad: u32,
    pub first_pfn: u64,
}

payload! {
    DmOp.u;
}
