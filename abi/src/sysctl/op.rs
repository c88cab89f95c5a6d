//! The `sysctl` hypercall's commands and argument. `sysctl.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The version in [`Sysctl::interface_version`].
    u32;
    XEN_SYSCTL_INTERFACE_VERSION = 0x15;
}

numbers! {
    /// A command of [`Sysctl::cmd`].
    u32, SYSCTL_OPS;
    XEN_SYSCTL_readconsole = 1;
    XEN_SYSCTL_tbuf_op = 2;
    XEN_SYSCTL_physinfo = 3;
    XEN_SYSCTL_sched_id = 4;
    XEN_SYSCTL_perfc_op = 5;
    XEN_SYSCTL_getdomaininfolist = 6;
    XEN_SYSCTL_debug_keys = 7;
    XEN_SYSCTL_getcpuinfo = 8;
    XEN_SYSCTL_availheap = 9;
    XEN_SYSCTL_get_pmstat = 10;
    XEN_SYSCTL_cpu_hotplug = 11;
    XEN_SYSCTL_pm_op = 12;
    XEN_SYSCTL_page_offline_op = 14;
    XEN_SYSCTL_lockprof_op = 15;
    XEN_SYSCTL_cputopoinfo = 16;
    XEN_SYSCTL_numainfo = 17;
    XEN_SYSCTL_cpupool_op = 18;
    XEN_SYSCTL_scheduler_op = 19;
    XEN_SYSCTL_coverage_op = 20;
    XEN_SYSCTL_psr_cmt_op = 21;
    XEN_SYSCTL_pcitopoinfo = 22;
    XEN_SYSCTL_psr_alloc = 23;
    XEN_SYSCTL_get_cpu_levelling_caps = 25;
    XEN_SYSCTL_get_cpu_featureset = 26;
    XEN_SYSCTL_livepatch_op = 27;
    XEN_SYSCTL_get_cpu_policy = 29;
    XEN_SYSCTL_dt_overlay = 30;
}

/// The argument of `sysctl`: a command, a version and 128 bytes of arms.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Sysctl {
    /// `XEN_SYSCTL_*`.
    pub cmd: u32,
    /// [`XEN_SYSCTL_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// One of the `Sysctl*` structures, by `cmd`.
    pub u: [u64; 16],
}

payload! {
    Sysctl.u;
}
