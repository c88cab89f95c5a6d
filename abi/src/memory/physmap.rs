//! Guest-physical mappings, resources and virtual NUMA. `memory.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A space of [`AddToPhysmap::space`].
    u32;
    XENMAPSPACE_shared_info = 0;
    XENMAPSPACE_grant_table = 1;
    XENMAPSPACE_gmfn = 2;
    XENMAPSPACE_gmfn_range = 3;
    XENMAPSPACE_gmfn_foreign = 4;
    XENMAPSPACE_dev_mmio = 5;
}

numbers! {
    /// Set in [`AddToPhysmap::idx`] for a frame of the grant status array.
    u64;
    XENMAPIDX_grant_table_status = 0x8000_0000;
}

numbers! {
    /// A resource type of [`MemAcquireResource::type`].
    u16;
    XENMEM_resource_ioreq_server = 0;
    XENMEM_resource_grant_table = 1;
    XENMEM_resource_vmtrace_buf = 2;
}

numbers! {
    /// An id of the grant-table resource.
    u32;
    XENMEM_resource_grant_table_id_shared = 0;
    XENMEM_resource_grant_table_id_status = 1;
}

numbers! {
    /// A frame of the I/O request server resource; frames of requests follow it.
    u64;
    XENMEM_resource_ioreq_server_frame_bufioreq = 0;
}

numbers! {
    /// A flag of [`ReservedDeviceMemoryMap::flags`].
    u32;
    XENMEM_RDM_ALL = 1;
}

/// Puts a page at a guest frame.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct AddToPhysmap {
    pub domid: u16,
    pub size: u16,
    pub space: u32,
    pub idx: u64,
    pub gpfn: u64,
}

/// Puts several pages at guest frames, with an error for each.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct AddToPhysmapBatch {
    pub domid: u16,
    pub space: u16,
    pub size: u16,
    /// Union: `foreign_domid`: `u16`, `res0`: `u16`.
    pub u: u16,
    /// Guest handle of `xen_ulong_t`.
    pub idxs: u64,
    /// Guest handle of `xen_pfn_t`.
    pub gpfns: u64,
    /// Guest handle of `int`.
    pub errs: u64,
}

/// Takes the page away from a guest frame.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct RemoveFromPhysmap {
    pub domid: u16,
    pub _pad0: [u8; 6],
    pub gpfn: u64,
}

/// A region that must be mapped one to one for a device.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ReservedDeviceMemory {
    pub start_pfn: u64,
    pub nr_pages: u64,
}

/// A PCI device.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PhysdevPciDevice {
    pub seg: u16,
    pub bus: u8,
    pub devfn: u8,
}

/// Lists reserved device regions.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ReservedDeviceMemoryMap {
    pub flags: u32,
    pub nr_entries: u32,
    /// Guest handle of `xen_reserved_device_memory_t`.
    pub buffer: u64,
    /// Union: `pci`: [`PhysdevPciDevice`].
    pub dev: [u16; 2],
    pub _pad0: u32,
}

/// Maps or sizes a resource of a domain (I/O request pages, grant table).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemAcquireResource {
    pub domid: u16,
    pub r#type: u16,
    pub id: u32,
    pub nr_frames: u32,
    pub pad: u32,
    pub frame: u64,
    /// Guest handle of `xen_pfn_t`.
    pub frame_list: u64,
}

/// A range of memory of a virtual NUMA node, bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Vmemrange {
    pub start: u64,
    pub end: u64,
    pub flags: u32,
    pub nid: u32,
}

/// Asks for a domain's virtual NUMA topology.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VnumaTopologyInfo {
    pub domid: u16,
    pub pad: u16,
    pub nr_vnodes: u32,
    pub nr_vcpus: u32,
    pub nr_vmemranges: u32,
    /// Union: `h`: `u64`.
    pub vdistance: u64,
    /// Union: `h`: `u64`.
    pub vcpu_to_vnode: u64,
    /// Union: `h`: `u64`.
    pub vmemrange: u64,
}

payload! {
    ReservedDeviceMemoryMap.dev;
}
