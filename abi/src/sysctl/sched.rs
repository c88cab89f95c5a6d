//! Schedulers and CPU pools. `sysctl.h`.

use crate::forms::{numbers, payload, zeroed_default};
use crate::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of [`SysctlCpupoolOp::op`].
    u32;
    XEN_SYSCTL_CPUPOOL_OP_CREATE = 1;
    XEN_SYSCTL_CPUPOOL_OP_DESTROY = 2;
    XEN_SYSCTL_CPUPOOL_OP_INFO = 3;
    XEN_SYSCTL_CPUPOOL_OP_ADDCPU = 4;
    XEN_SYSCTL_CPUPOOL_OP_RMCPU = 5;
    XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN = 6;
    XEN_SYSCTL_CPUPOOL_OP_FREEINFO = 7;
}

numbers! {
    /// In [`SysctlCpupoolOp`]: any pool or CPU.
    u32;
    XEN_SYSCTL_CPUPOOL_PAR_ANY = 0xffff_ffff;
}

numbers! {
    /// A command of [`SysctlSchedulerOp::cmd`].
    u32;
    XEN_SYSCTL_SCHEDOP_putinfo = 0;
    XEN_SYSCTL_SCHEDOP_getinfo = 1;
}

numbers! {
    /// A limit of a scheduler's parameters.
    u32;
    ARINC653_MAX_DOMAINS_PER_SCHEDULE = 64;
    XEN_SYSCTL_SCHED_RATELIMIT_MAX = 0x7_a120;
    XEN_SYSCTL_SCHED_RATELIMIT_MIN = 100;
    XEN_SYSCTL_CSCHED_TSLICE_MAX = 1000;
    XEN_SYSCTL_CSCHED_TSLICE_MIN = 1;
    XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US = 0x1_86a0;
}

/// The argument of `XEN_SYSCTL_sched_id`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlSchedId {
    pub sched_id: u32,
}

/// The argument of `XEN_SYSCTL_cpupool_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCpupoolOp {
    pub op: u32,
    pub cpupool_id: u32,
    pub sched_id: u32,
    pub domid: u32,
    pub cpu: u32,
    pub n_dom: u32,
    pub cpumap: XenctlBitmap,
}

/// The `sched_entries` part of [`SysctlArinc653Schedule`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlArinc653ScheduleSchedEntries {
    pub dom_handle: [u8; 16],
    pub vcpu_id: u32,
    pub _pad0: u32,
    pub runtime: u64,
}

/// A schedule of the ARINC 653 scheduler, ns.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlArinc653Schedule {
    pub major_frame: u64,
    pub num_sched_entries: u8,
    pub _pad0: [u8; 7],
    pub sched_entries: [SysctlArinc653ScheduleSchedEntries; 64],
}

/// Settings of the credit scheduler.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCreditSchedule {
    pub tslice_ms: u32,
    pub ratelimit_us: u32,
    pub vcpu_migr_delay_us: u32,
}

/// Settings of the credit2 scheduler.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlCredit2Schedule {
    pub ratelimit_us: u32,
}

/// Settings of the ARINC 653 scheduler.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlSchedArinc653 {
    /// Guest handle of `xen_sysctl_arinc653_schedule_t`.
    pub schedule: u64,
}

/// The argument of `XEN_SYSCTL_scheduler_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SysctlSchedulerOp {
    pub cpupool_id: u32,
    pub sched_id: u32,
    pub cmd: u32,
    pub _pad0: u32,
    /// Union: `sched_arinc653`: [`SysctlSchedArinc653`], `sched_credit`: [`SysctlCreditSchedule`], `sched_credit2`: [`SysctlCredit2Schedule`].
    pub u: [u64; 2],
}

payload! {
    SysctlSchedulerOp.u;
}

zeroed_default!(SysctlArinc653Schedule);
