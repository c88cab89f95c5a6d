//! Layouts of `domctl::memory`, as a C compiler lays out the public headers.

use xen_abi::domctl::memory::*;

layouts! {
    DomctlGetpageframeinfo3: 16 { num: 0, array: 8 }
    DomctlShadowOpStats: 8 { fault_count: 0, dirty_count: 4 }
    DomctlShadowOp: 40 { op: 0, mode: 4, mb: 8, dirty_bitmap: 16, pages: 24, stats: 32 }
    DomctlMemSharingOp: 2 { op: 0, u: 1 }
    DomctlAuditP2m: 24 { orphans: 0, m2p_bad: 8, p2m_bad: 16 }
    DomctlSetBrokenPageP2m: 8 { pfn: 0 }
    DomctlCacheflush: 16 { start_pfn: 0, nr_pfns: 8 }
    DomctlPagingMempool: 8 { size: 0 }
    DomctlSetLlcColors: 16 { num_llc_colors: 0, pad: 4, llc_colors: 8 }
}
