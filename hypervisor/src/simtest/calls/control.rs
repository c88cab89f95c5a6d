//! `domctl` and `sysctl`: the arms that stand behind number, version and domain.

use super::kind::Kind::*;
use super::{Field, Shape, fields};
use xen_abi::domctl::*;
use xen_abi::sysctl::*;

const CREATE: &[Field] = fields!(DomctlCreatedomain {
    flags: Of(&[0, 0, 0, 8, 16]),
    max_vcpus: Of(&[2, 2, 2, 1, 3]),
    max_evtchn_port: Of(&[0xffff_ffff, 1023, 4]),
    max_grant_frames: Of(&[2, 2, 0, 64]),
    max_maptrack_frames: Of(&[1, 1, 0]),
    grant_opts: Of(&[1, 2, 2, 3]),
});
const CONTEXT: &[Field] = fields!(DomctlVcpucontext {
    vcpu: Vcpu,
    ctxt: Buffer
});
const AFFINITY: &[Field] = fields!(DomctlVcpuaffinity {
    vcpu: Vcpu,
    flags: Of(&[1, 2, 3, 3, 7]),
    cpumap_hard.bitmap: Array(&Any),
    cpumap_hard.nr_bits: Of(&[8, 64]),
    cpumap_soft.bitmap: Array(&Any),
    cpumap_soft.nr_bits: Of(&[8, 64]),
});
const EXTENDED: &[Field] = fields!(DomctlExtVcpucontext {
    vcpu: Vcpu,
    size: Is(64)
});
const XSTATE: &[Field] = fields!(DomctlVcpuextstate {
    vcpu: Vcpu,
    xfeature_mask: Of(&[0, 3, 7]),
    size: Of(&[0, 576, 832, 848, 864]),
    buffer: Buffer,
});
const MSRS: &[Field] = fields!(DomctlVcpuMsrs {
    vcpu: Vcpu,
    msr_count: Count,
    msrs: Buffer
});
const POLICY: &[Field] = fields!(DomctlCpuPolicy {
    nr_leaves: Of(&[0, 1, 64]),
    nr_msrs: Of(&[0, 1, 4]),
    leaves: Buffer,
    msrs: Buffer,
});

pub const DOMCTL: &[Shape] = &[
    (XEN_DOMCTL_createdomain, CREATE),
    (
        XEN_DOMCTL_max_mem,
        fields!(DomctlMaxMem {
            max_memkb: Of(&[1024, 4096, 104, 0])
        }),
    ),
    (
        XEN_DOMCTL_max_vcpus,
        fields!(DomctlMaxVcpus {
            max: Of(&[2, 2, 2, 1])
        }),
    ),
    (XEN_DOMCTL_setvcpucontext, CONTEXT),
    (XEN_DOMCTL_getvcpucontext, CONTEXT),
    (
        XEN_DOMCTL_getvcpuinfo,
        fields!(DomctlGetvcpuinfo { vcpu: Vcpu }),
    ),
    (XEN_DOMCTL_setvcpuaffinity, AFFINITY),
    (XEN_DOMCTL_getvcpuaffinity, AFFINITY),
    (
        XEN_DOMCTL_scheduler_op,
        fields!(DomctlSchedulerOp {
            sched_id: Of(&[6, 6, 8, 9]),
            cmd: Below(4),
            u: Any
        }),
    ),
    (
        XEN_DOMCTL_irq_permission,
        fields!(DomctlIrqPermission {
            pirq: Below(40),
            allow_access: Below(2)
        }),
    ),
    (
        XEN_DOMCTL_gsi_permission,
        fields!(DomctlGsiPermission {
            gsi: Below(40),
            flags: Below(2)
        }),
    ),
    (
        XEN_DOMCTL_iomem_permission,
        fields!(DomctlIomemPermission {
            first_mfn: Of(&[0xf0000, 0xa0]),
            nr_mfns: Count,
            allow_access: Below(2)
        }),
    ),
    (
        XEN_DOMCTL_ioport_permission,
        fields!(DomctlIoportPermission {
            first_port: Of(&[0x60, 0x3f8, 0xcf8]),
            nr_ports: Count,
            allow_access: Below(2)
        }),
    ),
    (
        XEN_DOMCTL_hypercall_init,
        fields!(DomctlHypercallInit { gmfn: AnyMfn }),
    ),
    (
        XEN_DOMCTL_sendtrigger,
        fields!(DomctlSendtrigger {
            trigger: Below(5),
            vcpu: Vcpu
        }),
    ),
    (
        XEN_DOMCTL_subscribe,
        fields!(DomctlSubscribe { port: Port }),
    ),
    (
        XEN_DOMCTL_set_virq_handler,
        fields!(DomctlSetVirqHandler { virq: Below(24) }),
    ),
    (
        XEN_DOMCTL_getpageframeinfo3,
        fields!(DomctlGetpageframeinfo3 {
            num: Count,
            array: Array(&AnyMfn)
        }),
    ),
    (
        XEN_DOMCTL_shadow_op,
        fields!(DomctlShadowOp {
            op: Of(&[0, 32, 11, 12, 30, 31]),
            mode: Bits(31),
            dirty_bitmap: Buffer,
            pages: Below(64)
        }),
    ),
    (XEN_DOMCTL_set_ext_vcpucontext, EXTENDED),
    (XEN_DOMCTL_get_ext_vcpucontext, EXTENDED),
    (XEN_DOMCTL_setvcpuextstate, XSTATE),
    (XEN_DOMCTL_getvcpuextstate, XSTATE),
    (XEN_DOMCTL_get_vcpu_msrs, MSRS),
    (XEN_DOMCTL_set_vcpu_msrs, MSRS),
    (XEN_DOMCTL_get_cpu_policy, POLICY),
    (XEN_DOMCTL_set_cpu_policy, POLICY),
    (
        XEN_DOMCTL_settscinfo,
        fields!(DomctlTscInfo {
            tsc_mode: Below(4),
            gtsc_khz: Of(&[0, 1_000_000, 2_000_000]),
            incarnation: Below(3)
        }),
    ),
    (
        XEN_DOMCTL_setnodeaffinity,
        fields!(DomctlNodeaffinity { nodemap.bitmap: Array(&Any), nodemap.nr_bits: Of(&[8, 64]) }),
    ),
    (
        XEN_DOMCTL_getnodeaffinity,
        fields!(DomctlNodeaffinity { nodemap.bitmap: Buffer, nodemap.nr_bits: Of(&[8, 64]) }),
    ),
    (
        XEN_DOMCTL_memory_mapping,
        fields!(DomctlMemoryMapping {
            first_gfn: Below(64),
            first_mfn: Of(&[0xf0000]),
            nr_mfns: Count,
            add_mapping: Below(2)
        }),
    ),
    (
        XEN_DOMCTL_set_target,
        fields!(DomctlSetTarget { target: Domid }),
    ),
    (
        XEN_DOMCTL_set_address_size,
        fields!(DomctlAddressSize {
            size: Of(&[64, 32])
        }),
    ),
    (
        XEN_DOMCTL_sethvmcontext,
        fields!(DomctlHvmcontext {
            size: Below(512),
            buffer: Buffer
        }),
    ),
    (
        XEN_DOMCTL_gethvmcontext,
        fields!(DomctlHvmcontext {
            size: Of(&[0, 4096]),
            buffer: Buffer
        }),
    ),
];

pub const SYSCTL: &[Shape] = &[
    (
        XEN_SYSCTL_readconsole,
        fields!(SysctlReadconsole {
            clear: Below(2),
            incremental: Below(2),
            buffer: Buffer,
            count: Of(&[0, 64, 4096])
        }),
    ),
    (
        XEN_SYSCTL_getdomaininfolist,
        fields!(SysctlGetdomaininfolist {
            first_domain: Below(4),
            max_domains: Count,
            buffer: Buffer
        }),
    ),
    (
        XEN_SYSCTL_debug_keys,
        fields!(SysctlDebugKeys {
            keys: Array(&Of(&[0x68, 0x71, 0x72, 0x65, 0x67, 0x69, 0x61, 0x64, 0x6d])),
            nr_keys: Of(&[1])
        }),
    ),
    (
        XEN_SYSCTL_getcpuinfo,
        fields!(SysctlGetcpuinfo {
            max_cpus: Count,
            info: Buffer
        }),
    ),
    (
        XEN_SYSCTL_cpu_hotplug,
        fields!(SysctlCpuHotplug {
            cpu: Cpu,
            op: Below(4)
        }),
    ),
    (
        XEN_SYSCTL_cputopoinfo,
        fields!(SysctlCputopoinfo {
            num_cpus: Count,
            cputopo: Buffer
        }),
    ),
    (
        XEN_SYSCTL_numainfo,
        fields!(SysctlNumainfo {
            num_nodes: Count,
            meminfo: Buffer,
            distance: Buffer
        }),
    ),
    (
        XEN_SYSCTL_cpupool_op,
        fields!(SysctlCpupoolOp {
            op: Below(8),
            cpupool_id: Of(&[0, 1, 1, 2, 0xffff_ffff]),
            sched_id: Of(&[6, 6, 8, 9]),
            domid: Below(3),
            cpu: Cpu,
            cpumap.bitmap: Buffer,
            cpumap.nr_bits: Of(&[8]),
        }),
    ),
    (
        XEN_SYSCTL_scheduler_op,
        fields!(SysctlSchedulerOp {
            cpupool_id: Below(2),
            sched_id: Of(&[6]),
            cmd: Below(3),
            u: Of(&[0, 1000, 100, 500_000])
        }),
    ),
    (
        XEN_SYSCTL_get_cpu_featureset,
        fields!(SysctlCpuFeatureset {
            index: Below(5),
            nr_features: Count,
            features: Buffer
        }),
    ),
    (
        XEN_SYSCTL_get_cpu_policy,
        fields!(SysctlCpuPolicy {
            index: Below(7),
            nr_leaves: Of(&[0, 64]),
            nr_msrs: Of(&[0, 4]),
            leaves: Buffer,
            msrs: Buffer
        }),
    ),
    (
        XEN_SYSCTL_pcitopoinfo,
        fields!(SysctlPcitopoinfo {
            num_devs: Count,
            devs: Buffer,
            nodes: Buffer
        }),
    ),
];
