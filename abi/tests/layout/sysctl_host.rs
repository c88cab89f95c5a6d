//! Layouts of `sysctl::host`, as a C compiler lays out the public headers.

use xen_abi::sysctl::host::*;

layouts! {
    SysctlReadconsole: 24 { clear: 0, incremental: 1, pad0: 2, pad1: 3, index: 4, buffer: 8, count: 16 }
    SysctlPhysinfo: 112 { threads_per_core: 0, cores_per_socket: 4, nr_cpus: 8, max_cpu_id: 12, nr_nodes: 16, max_node_id: 20, cpu_khz: 24, capabilities: 28, arch_capabilities: 32, pad: 36, total_pages: 40, free_pages: 48, scrub_pages: 56, outstanding_pages: 64, max_mfn: 72, hw_cap: 80 }
    SysctlGetdomaininfolist: 24 { first_domain: 0, max_domains: 4, buffer: 8, num_domains: 16 }
    SysctlDebugKeys: 16 { keys: 0, nr_keys: 8 }
    SysctlCpuinfo: 8 { idletime: 0 }
    SysctlGetcpuinfo: 24 { max_cpus: 0, info: 8, nr_cpus: 16 }
    SysctlAvailheap: 24 { min_bitwidth: 0, max_bitwidth: 4, node: 8, avail_bytes: 16 }
    SysctlCpuHotplug: 8 { cpu: 0, op: 4 }
    SysctlPageOfflineOp: 24 { cmd: 0, start: 4, end: 8, status: 16 }
    SysctlCputopo: 12 { core: 0, socket: 4, node: 8 }
    SysctlCputopoinfo: 16 { num_cpus: 0, cputopo: 8 }
    SysctlMeminfo: 16 { memsize: 0, memfree: 8 }
    SysctlNumainfo: 24 { num_nodes: 0, meminfo: 8, distance: 16 }
    SysctlPcitopoinfo: 24 { num_devs: 0, devs: 8, nodes: 16 }
    SysctlCpuLevellingCaps: 4 { caps: 0 }
    SysctlCpuFeatureset: 16 { index: 0, nr_features: 4, features: 8 }
    SysctlCpuPolicy: 32 { index: 0, nr_leaves: 4, nr_msrs: 8, _rsvd: 12, leaves: 16, msrs: 24 }
}
