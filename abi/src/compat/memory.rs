//! Arguments of `memory_op`.

use super::{U64, compat};
use crate::memory::physmap::*;
use crate::memory::reservation::*;

compat! {
    /// Extents.
    MemoryReservation => CompatMemoryReservation {
        extent_start: u32,
        nr_extents: u32,
        extent_order: u32,
        mem_flags: u32,
        domid: u16,
        _pad0: [u8; 2],
    }

    /// Extents for others.
    MemoryExchange => CompatMemoryExchange {
        r#in: CompatMemoryReservation,
        out: CompatMemoryReservation,
        nr_exchanged: u32,
    }

    /// Frames of the machine-to-phys table.
    MachphysMfnList => CompatMachphysMfnList {
        max_extents: u32,
        extent_start: u32,
        nr_extents: u32,
    }

    /// Where the machine-to-phys table is.
    MachphysMapping => CompatMachphysMapping {
        v_start: u32,
        v_end: u32,
        max_mfn: u32,
    }

    /// A memory map.
    MemoryMap => CompatMemoryMap {
        nr_entries: u32,
        buffer: u32,
    }

    /// Another domain's memory map.
    ForeignMemoryMap => CompatForeignMemoryMap {
        domid: u16,
        _pad0: [u8; 2],
        map: CompatMemoryMap,
    }

    /// A target of memory on demand.
    PodTarget => CompatPodTarget {
        target_pages: U64,
        tot_pages: U64,
        pod_cache_pages: U64,
        pod_entries: U64,
        domid: u16,
        _pad0: [u8; 2],
    }

    /// A page for a guest frame.
    AddToPhysmap => CompatAddToPhysmap {
        domid: u16,
        size: u16,
        space: u32,
        idx: u32,
        gpfn: u32,
    }

    /// Pages for guest frames; the lists hold 32-bit numbers.
    AddToPhysmapBatch => CompatAddToPhysmapBatch {
        domid: u16,
        space: u16,
        size: u16,
        u: u16,
        idxs: u32,
        gpfns: u32,
        errs: u32,
    }

    /// A guest frame to empty.
    RemoveFromPhysmap => CompatRemoveFromPhysmap {
        domid: u16,
        _pad0: [u8; 2],
        gpfn: u32,
    }

    /// A region that must be mapped one to one.
    ReservedDeviceMemory => CompatReservedDeviceMemory {
        start_pfn: u32,
        nr_pages: u32,
    }

    /// A list of such regions.
    ReservedDeviceMemoryMap => CompatReservedDeviceMemoryMap {
        flags: u32,
        nr_entries: u32,
        buffer: u32,
        dev: [u16; 2],
    }

    /// A resource of a domain; the list holds 32-bit numbers.
    MemAcquireResource => CompatMemAcquireResource {
        domid: u16,
        r#type: u16,
        id: u32,
        nr_frames: u32,
        pad: u32,
        frame: U64,
        frame_list: u32,
    }
}
