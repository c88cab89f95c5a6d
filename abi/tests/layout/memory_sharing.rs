//! Layouts of `memory::sharing`, as a C compiler lays out the public headers.

use xen_abi::memory::sharing::*;

layouts! {
    MemPagingOp: 24 { op: 0, domain: 2, buffer: 8, gfn: 16 }
    MemAccessOp: 32 { op: 0, access: 1, domid: 2, nr: 4, pfn: 8, pfn_list: 16, access_list: 24 }
    MemSharingOpNominate: 16 { u: 0, handle: 8 }
    MemSharingOpShare: 40 { source_gfn: 0, source_handle: 8, client_gfn: 16, client_handle: 24, client_domain: 32 }
    MemSharingOpRange: 32 { first_gfn: 0, last_gfn: 8, opaque: 16, client_domain: 24, _pad: 26 }
    MemSharingOpDebug: 8 { u: 0 }
    MemSharingOpFork: 8 { parent_domain: 0, flags: 2, pad: 4 }
    MemSharingOp: 48 { op: 0, domain: 2, u: 8 }
}
