//! Layouts of `shared_info`, as a C compiler lays out the public headers.

use xen_abi::shared_info::*;

layouts! {
    VcpuTimeInfo: 32 { version: 0, pad0: 4, tsc_timestamp: 8, system_time: 16, tsc_to_system_mul: 24, tsc_shift: 28, flags: 29, pad1: 30 }
    ArchVcpuInfo: 16 { cr2: 0, pad: 8 }
    VcpuInfo: 64 { evtchn_upcall_pending: 0, evtchn_upcall_mask: 1, evtchn_pending_sel: 8, arch: 16, time: 32 }
    ArchSharedInfo: 48 { max_pfn: 0, pfn_to_mfn_frame_list_list: 8, nmi_reason: 16, p2m_cr3: 24, p2m_vaddr: 32, p2m_generation: 40 }
    SharedInfo: 3136 { vcpu_info: 0, evtchn_pending: 2048, evtchn_mask: 2560, wc_version: 3072, wc_sec: 3076, wc_nsec: 3080, wc_sec_hi: 3084, arch: 3088 }
}
