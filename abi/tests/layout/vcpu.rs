//! Layouts of `vcpu`, as a C compiler lays out the public headers.

use xen_abi::vcpu::*;

layouts! {
    VcpuRunstateInfo: 48 { state: 0, state_entry_time: 8, time: 16 }
    VcpuRegisterRunstateMemoryArea: 8 { addr: 0 }
    VcpuSetPeriodicTimer: 8 { period_ns: 0 }
    VcpuSetSingleshotTimer: 16 { timeout_abs_ns: 0, flags: 8 }
    VcpuRegisterVcpuInfo: 16 { mfn: 0, offset: 8, rsvd: 12 }
    VcpuGetPhysid: 8 { phys_id: 0 }
    VcpuRegisterTimeMemoryArea: 8 { addr: 0 }
}
