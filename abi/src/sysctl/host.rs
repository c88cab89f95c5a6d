//! The host: console, processors, memory, topology, domains. `sysctl.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A capability of [`SysctlPhysinfo::capabilities`].
    u32;
    XEN_SYSCTL_PHYSCAP_hvm = 1;
    XEN_SYSCTL_PHYSCAP_pv = 1 << 1;
    XEN_SYSCTL_PHYSCAP_directio = 1 << 2;
    XEN_SYSCTL_PHYSCAP_hap = 1 << 3;
    XEN_SYSCTL_PHYSCAP_shadow = 1 << 4;
    XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share = 1 << 5;
    XEN_SYSCTL_PHYSCAP_vmtrace = 1 << 6;
    XEN_SYSCTL_PHYSCAP_vpmu = 1 << 7;
    XEN_SYSCTL_PHYSCAP_gnttab_v1 = 1 << 8;
    XEN_SYSCTL_PHYSCAP_gnttab_v2 = 1 << 9;
    XEN_SYSCTL_PHYSCAP_MAX = 512;
}

numbers! {
    /// An operation of [`SysctlCpuHotplug::op`].
    u32;
    XEN_SYSCTL_CPU_HOTPLUG_ONLINE = 0;
    XEN_SYSCTL_CPU_HOTPLUG_OFFLINE = 1;
    XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE = 2;
    XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE = 3;
}

numbers! {
    /// An id or value that does not exist.
    u32;
    XEN_INVALID_CORE_ID = 0xffff_ffff;
    XEN_INVALID_SOCKET_ID = 0xffff_ffff;
    XEN_INVALID_NODE_ID = 0xffff_ffff;
    XEN_INVALID_NODE_DIST = 0xffff_ffff;
    XEN_INVALID_DEV = 0xffff_fffe;
}

numbers! {
    /// A memory size that does not exist.
    u64;
    XEN_INVALID_MEM_SZ = 0xffff_ffff;
}

numbers! {
    /// A capability of [`SysctlCpuLevellingCaps::caps`].
    u32;
    XEN_SYSCTL_CPU_LEVELCAP_faulting = 1;
    XEN_SYSCTL_CPU_LEVELCAP_ecx = 1 << 1;
    XEN_SYSCTL_CPU_LEVELCAP_edx = 1 << 2;
    XEN_SYSCTL_CPU_LEVELCAP_extd_ecx = 1 << 3;
    XEN_SYSCTL_CPU_LEVELCAP_extd_edx = 1 << 4;
    XEN_SYSCTL_CPU_LEVELCAP_xsave_eax = 1 << 5;
    XEN_SYSCTL_CPU_LEVELCAP_thermal_ecx = 1 << 6;
    XEN_SYSCTL_CPU_LEVELCAP_l7s0_eax = 1 << 7;
    XEN_SYSCTL_CPU_LEVELCAP_l7s0_ebx = 1 << 8;
}

numbers! {
    /// An index of [`SysctlCpuFeatureset::index`].
    u32;
    XEN_SYSCTL_cpu_featureset_raw = 0;
    XEN_SYSCTL_cpu_featureset_host = 1;
    XEN_SYSCTL_cpu_featureset_pv = 2;
    XEN_SYSCTL_cpu_featureset_hvm = 3;
    XEN_SYSCTL_cpu_featureset_pv_max = 4;
    XEN_SYSCTL_cpu_featureset_hvm_max = 5;
}

numbers! {
    /// An index of [`SysctlCpuPolicy::index`].
    u32;
    XEN_SYSCTL_cpu_policy_raw = 0;
    XEN_SYSCTL_cpu_policy_host = 1;
    XEN_SYSCTL_cpu_policy_pv_max = 2;
    XEN_SYSCTL_cpu_policy_hvm_max = 3;
    XEN_SYSCTL_cpu_policy_pv_default = 4;
    XEN_SYSCTL_cpu_policy_hvm_default = 5;
}

/// The argument of `XEN_SYSCTL_readconsole`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlReadconsole {
    pub clear: u8,
    pub incremental: u8,
    pub pad0: u8,
    pub pad1: u8,
    pub index: u32,
    /// Guest handle of `char`.
    pub buffer: u64,
    pub count: u32,
    pub _pad0: u32,
}

/// The argument of `XEN_SYSCTL_physinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPhysinfo {
    pub threads_per_core: u32,
    pub cores_per_socket: u32,
    pub nr_cpus: u32,
    pub max_cpu_id: u32,
    pub nr_nodes: u32,
    pub max_node_id: u32,
    pub cpu_khz: u32,
    pub capabilities: u32,
    pub arch_capabilities: u32,
    pub pad: u32,
    pub total_pages: u64,
    pub free_pages: u64,
    pub scrub_pages: u64,
    pub outstanding_pages: u64,
    pub max_mfn: u64,
    pub hw_cap: [u32; 8],
}

/// The argument of `XEN_SYSCTL_getdomaininfolist`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlGetdomaininfolist {
    pub first_domain: u16,
    pub _pad0: u16,
    pub max_domains: u32,
    /// Guest handle of `xen_domctl_getdomaininfo_t`.
    pub buffer: u64,
    pub num_domains: u32,
    pub _pad1: u32,
}

/// The argument of `XEN_SYSCTL_debug_keys`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlDebugKeys {
    /// Guest handle of `char`.
    pub keys: u64,
    pub nr_keys: u32,
    pub _pad0: u32,
}

/// One CPU of [`SysctlGetcpuinfo`]: idle time, ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpuinfo {
    pub idletime: u64,
}

/// The argument of `XEN_SYSCTL_getcpuinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlGetcpuinfo {
    pub max_cpus: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_sysctl_cpuinfo_t`.
    pub info: u64,
    pub nr_cpus: u32,
    pub _pad1: u32,
}

/// The argument of `XEN_SYSCTL_availheap`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlAvailheap {
    pub min_bitwidth: u32,
    pub max_bitwidth: u32,
    pub node: i32,
    pub _pad0: u32,
    pub avail_bytes: u64,
}

/// The argument of `XEN_SYSCTL_cpu_hotplug`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpuHotplug {
    pub cpu: u32,
    pub op: u32,
}

/// The argument of `XEN_SYSCTL_page_offline_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPageOfflineOp {
    pub cmd: u32,
    pub start: u32,
    pub end: u32,
    pub _pad0: u32,
    /// Guest handle of `uint32`.
    pub status: u64,
}

/// One CPU of [`SysctlCputopoinfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCputopo {
    pub core: u32,
    pub socket: u32,
    pub node: u32,
}

/// The argument of `XEN_SYSCTL_cputopoinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCputopoinfo {
    pub num_cpus: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_sysctl_cputopo_t`.
    pub cputopo: u64,
}

/// One node of [`SysctlNumainfo`], bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlMeminfo {
    pub memsize: u64,
    pub memfree: u64,
}

/// The argument of `XEN_SYSCTL_numainfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlNumainfo {
    pub num_nodes: u32,
    pub _pad0: u32,
    /// Guest handle of `xen_sysctl_meminfo_t`.
    pub meminfo: u64,
    /// Guest handle of `uint32`.
    pub distance: u64,
}

/// The argument of `XEN_SYSCTL_pcitopoinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlPcitopoinfo {
    pub num_devs: u32,
    pub _pad0: u32,
    /// Guest handle of `physdev_pci_device_t`.
    pub devs: u64,
    /// Guest handle of `uint32`.
    pub nodes: u64,
}

/// What the host can hide of its features.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpuLevellingCaps {
    pub caps: u32,
}

/// Asks for a feature set; a null handle asks for its length, words.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpuFeatureset {
    pub index: u32,
    pub nr_features: u32,
    /// Guest handle of `uint32`.
    pub features: u64,
}

/// Asks for one of the host's CPU policies.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpuPolicy {
    pub index: u32,
    pub nr_leaves: u32,
    pub nr_msrs: u32,
    pub _rsvd: u32,
    /// Guest handle of `xen_cpuid_leaf_t`.
    pub leaves: u64,
    /// Guest handle of `xen_msr_entry_t`.
    pub msrs: u64,
}

numbers! {
    /// A command of [`SysctlPageOfflineOp::cmd`].
    u32;
    sysctl_page_offline = 1;
    sysctl_page_online = 2;
    sysctl_query_page_offline = 3;
}

numbers! {
    /// A bit or field of a page's status.
    u32;
    PG_OFFLINE_STATUS_MASK = 0xff;
    PG_OFFLINE_INVALID = 0x1;
    PG_OFFLINE_OFFLINED = 1 << 1;
    PG_OFFLINE_PENDING = 1 << 2;
    PG_OFFLINE_FAILED = 1 << 3;
    PG_OFFLINE_AGAIN = 1 << 4;
    PG_ONLINE_FAILED = 8;
    PG_ONLINE_ONLINED = 2;
    PG_OFFLINE_STATUS_OFFLINED = 1 << 1;
    PG_OFFLINE_STATUS_ONLINE = 1 << 2;
    PG_OFFLINE_STATUS_OFFLINE_PENDING = 1 << 3;
    PG_OFFLINE_STATUS_BROKEN = 1 << 4;
    PG_OFFLINE_MISC_MASK = 0xff0;
    PG_OFFLINE_XENPAGE = 1 << 8;
    PG_OFFLINE_DOM0PAGE = 1 << 9;
    PG_OFFLINE_ANONYMOUS = 1 << 10;
    PG_OFFLINE_NOT_CONV_RAM = 1 << 11;
    PG_OFFLINE_OWNED = 1 << 12;
    PG_OFFLINE_BROKEN = 1 << 13;
    PG_ONLINE_BROKEN = 8192;
    PG_OFFLINE_OWNER_SHIFT = 16;
}
