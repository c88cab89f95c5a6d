//! Layouts of `domctl::domain`, as a C compiler lays out the public headers.

use xen_abi::domctl::domain::*;

layouts! {
    DomctlCreatedomain: 68 { ssidref: 0, handle: 4, flags: 20, iommu_opts: 24, max_vcpus: 28, max_evtchn_port: 32, max_grant_frames: 36, max_maptrack_frames: 40, grant_opts: 44, altp2m_opts: 48, vmtrace_size: 52, cpupool_id: 56, arch: 60 }
    DomctlGetdomaininfo: 112 { domain: 0, pad1: 2, flags: 4, tot_pages: 8, max_pages: 16, outstanding_pages: 24, shr_pages: 32, paged_pages: 40, shared_info_frame: 48, cpu_time: 56, nr_online_vcpus: 64, max_vcpu_id: 68, ssidref: 72, handle: 76, cpupool: 92, gpaddr_bits: 96, pad2: 97, arch_config: 104 }
    DomctlMaxMem: 8 { max_memkb: 0 }
    DomctlMaxVcpus: 4 { max: 0 }
    DomctlSetdomainhandle: 16 { handle: 0 }
    DomctlSetdebugging: 1 { enable: 0 }
    DomctlSettimeoffset: 8 { time_offset_seconds: 0 }
    DomctlHypercallInit: 8 { gmfn: 0 }
    DomctlAddressSize: 4 { size: 0 }
    DomctlSetTarget: 2 { target: 0 }
    DomctlSetVirqHandler: 4 { virq: 0 }
    DomctlSubscribe: 4 { port: 0 }
    DomctlTscInfo: 24 { tsc_mode: 0, gtsc_khz: 4, incarnation: 8, pad: 12, elapsed_nsec: 16 }
    DomctlHvmcontext: 16 { size: 0, buffer: 8 }
    DomctlHvmcontextPartial: 24 { r#type: 0, instance: 4, bufsz: 8, buffer: 16 }
    DomctlCpuPolicy: 40 { nr_leaves: 0, nr_msrs: 4, leaves: 8, msrs: 16, err_leaf: 24, err_subleaf: 28, err_msr: 32 }
    DomctlVnuma: 48 { nr_vnodes: 0, nr_vmemranges: 4, nr_vcpus: 8, pad: 12, vdistance: 16, vcpu_to_vnode: 24, vnode_to_pnode: 32, vmemrange: 40 }
    DomctlSetAccessRequired: 1 { access_required: 0 }
    DomctlSendtrigger: 8 { trigger: 0, vcpu: 4 }
}
