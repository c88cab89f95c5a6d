//! Layouts of `sysctl::debug`, as a C compiler lays out the public headers.

use xen_abi::sysctl::debug::*;

layouts! {
    SysctlTbufOp: 48 { cmd: 0, cpu_mask: 8, evt_mask: 24, buffer_mfn: 32, size: 40 }
    SysctlPerfcDesc: 84 { name: 0, nr_vals: 80 }
    SysctlPerfcOp: 32 { cmd: 0, nr_counters: 4, nr_vals: 8, desc: 16, val: 24 }
    SysctlLockprofData: 80 { name: 0, r#type: 40, idx: 44, lock_cnt: 48, block_cnt: 56, lock_time: 64, block_time: 72 }
    SysctlLockprofOp: 32 { cmd: 0, max_elem: 4, nr_elem: 8, time: 16, data: 24 }
    SysctlCoverageOp: 16 { cmd: 0, size: 4, buffer: 8 }
    SysctlPsrCmtOpL3Cache: 8 { cpu: 0, rsvd: 4 }
    SysctlPsrCmtOp: 16 { cmd: 0, flags: 4, u: 8 }
    SysctlPsrAllocCatInfo: 12 { cbm_len: 0, cos_max: 4, flags: 8 }
    SysctlPsrAllocMbaInfo: 12 { thrtl_max: 0, cos_max: 4, flags: 8 }
    SysctlPsrAlloc: 20 { cmd: 0, target: 4, u: 8 }
    LivepatchName: 16 { name: 0, size: 8, pad: 10 }
    SysctlLivepatchUpload: 32 { name: 0, size: 16, payload: 24 }
    SysctlLivepatchList: 64 { version: 0, idx: 4, nr: 8, pad: 12, name_total_size: 16, metadata_total_size: 20, status: 24, name: 32, len: 40, metadata: 48, metadata_len: 56 }
    LivepatchStatus: 8 { state: 0, rc: 4 }
    SysctlLivepatchGet: 24 { name: 0, status: 16 }
    SysctlLivepatchAction: 32 { name: 0, cmd: 16, timeout: 20, flags: 24, pad: 28 }
    SysctlLivepatchOp: 72 { cmd: 0, flags: 4, u: 8 }
}
