//! Layouts of `domctl::vcpu`, as a C compiler lays out the public headers.

use xen_abi::domctl::vcpu::*;

layouts! {
    DomctlVcpucontext: 16 { vcpu: 0, ctxt: 8 }
    DomctlGetvcpuinfo: 24 { vcpu: 0, online: 4, blocked: 5, running: 6, cpu_time: 8, cpu: 16 }
    DomctlNodeaffinity: 16 { nodemap: 0 }
    DomctlVcpuaffinity: 40 { vcpu: 0, flags: 4, cpumap_hard: 8, cpumap_soft: 24 }
    DomctlSchedCredit: 4 { weight: 0, cap: 2 }
    DomctlSchedCredit2: 4 { weight: 0, cap: 2 }
    DomctlSchedRtds: 12 { period: 0, budget: 4, flags: 8 }
    DomctlSchedparamVcpu: 16 { u: 0, vcpuid: 12 }
    DomctlSchedulerOpV: 16 { vcpus: 0, nr_vcpus: 8, padding: 12 }
    DomctlSchedulerOp: 24 { sched_id: 0, cmd: 4, u: 8 }
    DomctlExtVcpucontext: 64 { vcpu: 0, size: 4, syscall32_callback_eip: 8, sysenter_callback_eip: 16, syscall32_callback_cs: 24, sysenter_callback_cs: 26, syscall32_disables_events: 28, sysenter_disables_events: 29, vmce: 32 }
    DomctlVcpuextstate: 32 { vcpu: 0, xfeature_mask: 8, size: 16, buffer: 24 }
    DomctlVcpuMsr: 16 { index: 0, reserved: 4, value: 8 }
    DomctlVcpuMsrs: 16 { vcpu: 0, msr_count: 4, msrs: 8 }
    DomctlDebugOp: 8 { op: 0, vcpu: 4 }
    DomctlGdbsxMemio: 40 { pgd3val: 0, gva: 8, uva: 16, len: 24, gwr: 28, remain: 32 }
    DomctlGdbsxPauseunpVcpu: 4 { vcpu: 0 }
    DomctlGdbsxDomstatus: 12 { paused: 0, vcpu_id: 4, vcpu_ev: 8 }
    DomctlVmtraceOp: 24 { cmd: 0, vcpu: 4, key: 8, value: 16 }
}
