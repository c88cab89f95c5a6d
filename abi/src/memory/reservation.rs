//! Reservations, the machine-to-phys table and memory maps. `memory.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `memory_op` hypercall.
    u32, MEMORY_OPS;
    XENMEM_increase_reservation = 0;
    XENMEM_decrease_reservation = 1;
    XENMEM_populate_physmap = 6;
    XENMEM_exchange = 11;
    XENMEM_maximum_ram_page = 2;
    XENMEM_current_reservation = 3;
    XENMEM_maximum_reservation = 4;
    XENMEM_maximum_gpfn = 14;
    XENMEM_machphys_mfn_list = 5;
    XENMEM_machphys_compat_mfn_list = 25;
    XENMEM_machphys_mapping = 12;
    XENMEM_add_to_physmap = 7;
    XENMEM_add_to_physmap_batch = 23;
    XENMEM_remove_from_physmap = 15;
    XENMEM_memory_map = 9;
    XENMEM_machine_memory_map = 10;
    XENMEM_set_memory_map = 13;
    XENMEM_set_pod_target = 16;
    XENMEM_get_pod_target = 17;
    XENMEM_get_sharing_freed_pages = 18;
    XENMEM_get_sharing_shared_pages = 19;
    XENMEM_paging_op = 20;
    XENMEM_access_op = 21;
    XENMEM_sharing_op = 22;
    XENMEM_claim_pages = 24;
    XENMEM_reserved_device_memory_map = 27;
    XENMEM_acquire_resource = 28;
    XENMEM_get_vnumainfo = 26;
}

numbers! {
    /// A flag of [`MemoryReservation::mem_flags`].
    u32;
    XENMEMF_populate_on_demand = 1 << 16;
    XENMEMF_exact_node_request = 1 << 17;
    XENMEMF_vnode = 1 << 18;
}

/// Entry type of a memory map (as in the e820 map): usable RAM.
pub const E820_RAM: u32 = 1;

/// Entry type of a memory map: reserved.
pub const E820_RESERVED: u32 = 2;

/// Entry type of a memory map: ACPI tables, reclaimable.
pub const E820_ACPI: u32 = 3;

/// Entry type of a memory map: ACPI non-volatile storage.
pub const E820_NVS: u32 = 4;

/// Entry type of a memory map: unusable.
pub const E820_UNUSABLE: u32 = 5;

/// An entry of `XENMEM_memory_map` and `XENMEM_machine_memory_map`: 20 bytes,
/// aligned to 4.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct E820Entry {
    /// Start address, bytes: low half first.
    pub addr: [u32; 2],
    /// Length, bytes: low half first.
    pub size: [u32; 2],
    /// `E820_*`.
    pub r#type: u32,
}

impl E820Entry {
    /// An entry of `size` bytes from `addr`, of type `E820_*`.
    #[must_use]
    pub const fn new(addr: u64, size: u64, r#type: u32) -> Self {
        Self {
            addr: halves(addr),
            size: halves(size),
            r#type,
        }
    }

    /// Start address, bytes.
    #[must_use]
    pub const fn start(&self) -> u64 {
        whole(self.addr)
    }

    /// Length, bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        whole(self.size)
    }
}

const fn halves(v: u64) -> [u32; 2] {
    [v as u32, (v >> 32) as u32]
}

const fn whole(v: [u32; 2]) -> u64 {
    v[0] as u64 | (v[1] as u64) << 32
}

/// Extents of 2^`extent_order` pages to add, remove or populate.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemoryReservation {
    /// Guest handle of `xen_pfn_t`.
    pub extent_start: u64,
    pub nr_extents: u64,
    pub extent_order: u32,
    pub mem_flags: u32,
    pub domid: u16,
    pub _pad0: [u8; 6],
}

/// Trades extents for others of the same total size.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemoryExchange {
    pub r#in: MemoryReservation,
    pub out: MemoryReservation,
    pub nr_exchanged: u64,
}

/// Names the domain of a question.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemoryDomain {
    pub domid: u16,
}

/// Lists the frames of the machine-to-phys table, one for each 2 MiB.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MachphysMfnList {
    pub max_extents: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_pfn_t`.
    pub extent_start: u64,
    pub nr_extents: u32,
    pub _pad1: u32,
}

/// Where the machine-to-phys table is mapped.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MachphysMapping {
    pub v_start: u64,
    pub v_end: u64,
    pub max_mfn: u64,
}

/// A memory map: entries of 20 bytes, count in and out.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MemoryMap {
    pub nr_entries: u32,
    pub _pad0: u32,
    /// Guest handle of `void`.
    pub buffer: u64,
}

/// Sets another domain's memory map.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ForeignMemoryMap {
    pub domid: u16,
    pub _pad0: [u8; 6],
    pub map: MemoryMap,
}

/// A populate-on-demand domain's target and counts, pages.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PodTarget {
    pub target_pages: u64,
    pub tot_pages: u64,
    pub pod_cache_pages: u64,
    pub pod_entries: u64,
    pub domid: u16,
    pub _pad0: [u8; 6],
}
