//! Creating, describing and configuring a domain. `domctl.h`.

use crate::arch_x86::context::ArchDomainconfig;
use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A flag of [`DomctlCreatedomain::flags`].
    u32;
    XEN_DOMCTL_CDF_hvm = 1;
    XEN_DOMCTL_CDF_hap = 1 << 1;
    XEN_DOMCTL_CDF_s3_integrity = 1 << 2;
    XEN_DOMCTL_CDF_oos_off = 1 << 3;
    XEN_DOMCTL_CDF_xs_domain = 1 << 4;
    XEN_DOMCTL_CDF_iommu = 1 << 5;
    XEN_DOMCTL_CDF_nested_virt = 1 << 6;
    XEN_DOMCTL_CDF_vpmu = 1 << 7;
    XEN_DOMCTL_CDF_MAX = 128;
}

numbers! {
    /// A flag of [`DomctlCreatedomain::iommu_opts`].
    u32;
    XEN_DOMCTL_IOMMU_no_sharept = 1;
    XEN_DOMCTL_IOMMU_MAX = 1;
}

numbers! {
    /// A part of [`DomctlCreatedomain::grant_opts`].
    u32;
    XEN_DOMCTL_GRANT_version_mask = 0xf;
}

numbers! {
    /// A mode of [`DomctlCreatedomain::altp2m_opts`].
    u32;
    XEN_DOMCTL_ALTP2M_mixed = 1;
    XEN_DOMCTL_ALTP2M_external = 2;
    XEN_DOMCTL_ALTP2M_limited = 3;
    XEN_DOMCTL_ALTP2M_mode_mask = 0x3;
}

numbers! {
    /// A flag of [`DomctlGetdomaininfo::flags`], or where its shutdown code lies.
    u32;
    XEN_DOMINF_dying = 1;
    XEN_DOMINF_hvm_guest = 1 << 1;
    XEN_DOMINF_shutdown = 1 << 2;
    XEN_DOMINF_paused = 1 << 3;
    XEN_DOMINF_blocked = 1 << 4;
    XEN_DOMINF_running = 1 << 5;
    XEN_DOMINF_debugged = 1 << 6;
    XEN_DOMINF_xs_domain = 1 << 7;
    XEN_DOMINF_hap = 1 << 8;
    XEN_DOMINF_shutdownmask = 255;
    XEN_DOMINF_shutdownshift = 16;
}

numbers! {
    /// In [`DomctlGetdomaininfo::max_vcpu_id`]: the domain has no vCPU.
    u32;
    XEN_INVALID_MAX_VCPU_ID = 0xffff_ffff;
}

/// Creates a domain; the id is in `Domctl::domain`, both ways.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlCreatedomain {
    pub ssidref: u32,
    pub handle: [u8; 16],
    pub flags: u32,
    pub iommu_opts: u32,
    pub max_vcpus: u32,
    pub max_evtchn_port: u32,
    pub max_grant_frames: i32,
    pub max_maptrack_frames: i32,
    pub grant_opts: u32,
    pub altp2m_opts: u32,
    pub vmtrace_size: u32,
    pub cpupool_id: u32,
    pub arch: ArchDomainconfig,
}

/// Describes a domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGetdomaininfo {
    pub domain: u16,
    pub pad1: u16,
    pub flags: u32,
    pub tot_pages: u64,
    pub max_pages: u64,
    pub outstanding_pages: u64,
    pub shr_pages: u64,
    pub paged_pages: u64,
    pub shared_info_frame: u64,
    pub cpu_time: u64,
    pub nr_online_vcpus: u32,
    pub max_vcpu_id: u32,
    pub ssidref: u32,
    pub handle: [u8; 16],
    pub cpupool: u32,
    pub gpaddr_bits: u8,
    pub pad2: [u8; 7],
    pub arch_config: ArchDomainconfig,
}

/// The argument of `XEN_DOMCTL_max_mem`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMaxMem {
    pub max_memkb: u64,
}

/// The argument of `XEN_DOMCTL_max_vcpus`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMaxVcpus {
    pub max: u32,
}

/// The argument of `XEN_DOMCTL_setdomainhandle`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetdomainhandle {
    pub handle: [u8; 16],
}

/// The argument of `XEN_DOMCTL_setdebugging`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetdebugging {
    pub enable: u8,
}

/// The argument of `XEN_DOMCTL_settimeoffset`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSettimeoffset {
    pub time_offset_seconds: i64,
}

/// The argument of `XEN_DOMCTL_hypercall_init`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlHypercallInit {
    pub gmfn: u64,
}

/// Sets or gets a domain's word width, bits: 32 or 64.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlAddressSize {
    pub size: u32,
}

/// The argument of `XEN_DOMCTL_set_target`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetTarget {
    pub target: u16,
}

/// The argument of `XEN_DOMCTL_set_virq_handler`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetVirqHandler {
    pub virq: u32,
}

/// The argument of `XEN_DOMCTL_subscribe`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSubscribe {
    pub port: u32,
}

/// Sets or gets how a domain's TSC runs.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlTscInfo {
    pub tsc_mode: u32,
    pub gtsc_khz: u32,
    pub incarnation: u32,
    pub pad: u32,
    pub elapsed_nsec: u64,
}

/// Sets or gets an HVM domain's whole state; a null buffer asks for the size.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlHvmcontext {
    pub size: u32,
    pub _pad0: u32,
    /// Guest handle of `uint8`.
    pub buffer: u64,
}

/// Gets one record of an HVM domain's state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlHvmcontextPartial {
    pub r#type: u32,
    pub instance: u32,
    pub bufsz: u64,
    /// Guest handle of `uint8`.
    pub buffer: u64,
}

/// Sets or gets a domain's CPU policy; on failure the `err_*` fields name the culprit.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlCpuPolicy {
    pub nr_leaves: u32,
    pub nr_msrs: u32,
    /// Guest handle of `xen_cpuid_leaf_t`.
    pub leaves: u64,
    /// Guest handle of `xen_msr_entry_t`.
    pub msrs: u64,
    pub err_leaf: u32,
    pub err_subleaf: u32,
    pub err_msr: u32,
    pub _pad0: u32,
}

/// Sets a domain's virtual NUMA topology.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVnuma {
    pub nr_vnodes: u32,
    pub nr_vmemranges: u32,
    pub nr_vcpus: u32,
    pub pad: u32,
    /// Guest handle of `uint`.
    pub vdistance: u64,
    /// Guest handle of `uint`.
    pub vcpu_to_vnode: u64,
    /// Guest handle of `uint`.
    pub vnode_to_pnode: u64,
    /// Guest handle of `xen_vmemrange_t`.
    pub vmemrange: u64,
}

/// The argument of `XEN_DOMCTL_set_access_required`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSetAccessRequired {
    pub access_required: u8,
}

/// The argument of `XEN_DOMCTL_sendtrigger`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSendtrigger {
    pub trigger: u32,
    pub vcpu: u32,
}

numbers! {
    /// A trigger of [`DomctlSendtrigger::trigger`].
    u32;
    XEN_DOMCTL_SENDTRIGGER_NMI = 0;
    XEN_DOMCTL_SENDTRIGGER_RESET = 1;
    XEN_DOMCTL_SENDTRIGGER_INIT = 2;
    XEN_DOMCTL_SENDTRIGGER_POWER = 3;
    XEN_DOMCTL_SENDTRIGGER_SLEEP = 4;
}

/// The argument of `XEN_DOMCTL_get_domain_state`, whose interface version is always 0 and whose
/// `domain` is also passed back.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGetDomainState {
    /// `XEN_DOMCTL_GETDOMSTATE_STATE_*`.
    pub state: u16,
    /// `XEN_DOMCTL_GETDOMSTATE_CAP_*`.
    pub caps: u16,
    /// Zero.
    pub pad0: u32,
    /// A number that no other domain of this boot has.
    pub unique_id: u64,
}

numbers! {
    /// A bit of [`DomctlGetDomainState::state`].
    u16;
    XEN_DOMCTL_GETDOMSTATE_STATE_EXIST = 1;
    XEN_DOMCTL_GETDOMSTATE_STATE_SHUTDOWN = 2;
    XEN_DOMCTL_GETDOMSTATE_STATE_DYING = 4;
    XEN_DOMCTL_GETDOMSTATE_STATE_DEAD = 8;
}

numbers! {
    /// A bit of [`DomctlGetDomainState::caps`].
    u16;
    XEN_DOMCTL_GETDOMSTATE_CAP_CONTROL = 1;
    XEN_DOMCTL_GETDOMSTATE_CAP_HARDWARE = 2;
    XEN_DOMCTL_GETDOMSTATE_CAP_XENSTORE = 4;
}
