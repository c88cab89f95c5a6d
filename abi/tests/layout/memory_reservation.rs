//! Layouts of `memory::reservation`, as a C compiler lays out the public headers.

use xen_abi::memory::reservation::*;

layouts! {
    MemoryReservation: 32 { extent_start: 0, nr_extents: 8, extent_order: 16, mem_flags: 20, domid: 24 }
    MemoryExchange: 72 { r#in: 0, out: 32, nr_exchanged: 64 }
    MemoryDomain: 2 { domid: 0 }
    MachphysMfnList: 24 { max_extents: 0, extent_start: 8, nr_extents: 16 }
    MachphysMapping: 24 { v_start: 0, v_end: 8, max_mfn: 16 }
    MemoryMap: 16 { nr_entries: 0, buffer: 8 }
    ForeignMemoryMap: 24 { domid: 0, map: 8 }
    PodTarget: 40 { target_pages: 0, tot_pages: 8, pod_cache_pages: 16, pod_entries: 24, domid: 32 }
    E820Entry: 20 { addr: 0, size: 8, r#type: 16 }
}
