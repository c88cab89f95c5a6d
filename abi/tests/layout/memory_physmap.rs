//! Layouts of `memory::physmap`, as a C compiler lays out the public headers.

use xen_abi::memory::physmap::*;

layouts! {
    AddToPhysmap: 24 { domid: 0, size: 2, space: 4, idx: 8, gpfn: 16 }
    AddToPhysmapBatch: 32 { domid: 0, space: 2, size: 4, u: 6, idxs: 8, gpfns: 16, errs: 24 }
    RemoveFromPhysmap: 16 { domid: 0, gpfn: 8 }
    ReservedDeviceMemory: 16 { start_pfn: 0, nr_pages: 8 }
    PhysdevPciDevice: 4 { seg: 0, bus: 2, devfn: 3 }
    ReservedDeviceMemoryMap: 24 { flags: 0, nr_entries: 4, buffer: 8, dev: 16 }
    MemAcquireResource: 32 { domid: 0, r#type: 2, id: 4, nr_frames: 8, pad: 12, frame: 16, frame_list: 24 }
    Vmemrange: 24 { start: 0, end: 8, flags: 16, nid: 20 }
    VnumaTopologyInfo: 40 { domid: 0, pad: 2, nr_vnodes: 4, nr_vcpus: 8, nr_vmemranges: 12, vdistance: 16, vcpu_to_vnode: 24, vmemrange: 32 }
}
