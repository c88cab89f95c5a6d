//! Layouts of `mca`, as a C compiler lays out the public headers.

use xen_abi::mca::*;

layouts! {
    McFetch: 24 { flags: 0, _pad0: 4, fetch_id: 8, data: 16 }
    McNotifydomain: 8 { mc_domid: 0, mc_vcpuid: 2, flags: 4 }
    McPhyscpuinfo: 16 { ncpus: 0, _pad0: 4, info: 8 }
    McinfoMsr: 16 { reg: 0, value: 8 }
    McMsrinject: 144 { mcinj_cpunr: 0, mcinj_flags: 4, mcinj_count: 8, mcinj_domid: 12, _pad0: 14, mcinj_msr: 16 }
    McMceinject: 4 { mceinj_cpunr: 0 }
    McInjectV2: 24 { flags: 0, cpumap: 8 }
    Mc: 152 { cmd: 0, interface_version: 4, u: 8 }
    McinfoLogicalCpu: 304 { mc_cpunr: 0, mc_chipid: 4, mc_coreid: 8, mc_threadid: 10, mc_apicid: 12, mc_clusterid: 16, mc_ncores: 20, mc_ncores_active: 24, mc_nthreads: 28, mc_cpuid_level: 32, mc_family: 36, mc_vendor: 40, mc_model: 44, mc_step: 48, mc_vendorid: 52, mc_brandid: 68, mc_cpu_caps: 132, mc_cache_size: 160, mc_cache_alignment: 164, mc_nmsrvals: 168, mc_msrvalues: 176 }
}
