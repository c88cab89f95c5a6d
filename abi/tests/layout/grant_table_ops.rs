//! Layouts of `grant_table::ops`, as a C compiler lays out the public headers.

use xen_abi::grant_table::ops::*;

layouts! {
    GnttabMapGrantRef: 32 { host_addr: 0, flags: 8, r#ref: 12, dom: 16, status: 18, handle: 20, dev_bus_addr: 24 }
    GnttabUnmapGrantRef: 24 { host_addr: 0, dev_bus_addr: 8, handle: 16, status: 20 }
    GnttabUnmapAndReplace: 24 { host_addr: 0, new_addr: 8, handle: 16, status: 20 }
    GnttabSetupTable: 24 { dom: 0, nr_frames: 4, status: 8, frame_list: 16 }
    GnttabDumpTable: 4 { dom: 0, status: 2 }
    GnttabTransfer: 24 { mfn: 0, domid: 8, r#ref: 12, status: 16 }
    GnttabCopyPtr: 16 { u: 0, domid: 8, offset: 10 }
    GnttabCopy: 40 { source: 0, dest: 16, len: 32, flags: 34, status: 36 }
    GnttabQuerySize: 16 { dom: 0, nr_frames: 4, max_nr_frames: 8, status: 12 }
    GnttabSetVersion: 4 { version: 0 }
    GnttabGetStatusFrames: 16 { nr_frames: 0, dom: 4, status: 6, frame_list: 8 }
    GnttabGetVersion: 8 { dom: 0, pad: 2, version: 4 }
    GnttabSwapGrantRef: 12 { ref_a: 0, ref_b: 4, status: 8 }
    GnttabCacheFlush: 16 { a: 0, offset: 8, length: 10, op: 12 }
}
