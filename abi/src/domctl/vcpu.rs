//! A domain's vCPUs and their scheduling. `domctl.h`.

use crate::forms::{numbers, payload};
use crate::hvm::save::HvmVmceVcpu;
use crate::xen::XenctlBitmap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A flag of [`DomctlVcpuaffinity::flags`].
    u32;
    XEN_VCPUAFFINITY_HARD = 1;
    XEN_VCPUAFFINITY_SOFT = 1 << 1;
    XEN_VCPUAFFINITY_FORCE = 1 << 2;
}

numbers! {
    /// A scheduler's number.
    u32;
    XEN_SCHEDULER_CREDIT = 5;
    XEN_SCHEDULER_CREDIT2 = 6;
    XEN_SCHEDULER_ARINC653 = 7;
    XEN_SCHEDULER_RTDS = 8;
    XEN_SCHEDULER_NULL = 9;
}

numbers! {
    /// A command of [`DomctlSchedulerOp::cmd`].
    u32;
    XEN_DOMCTL_SCHEDOP_putinfo = 0;
    XEN_DOMCTL_SCHEDOP_getinfo = 1;
    XEN_DOMCTL_SCHEDOP_putvcpuinfo = 2;
    XEN_DOMCTL_SCHEDOP_getvcpuinfo = 3;
}

numbers! {
    /// A flag of [`DomctlSchedRtds::flags`].
    u32;
    XEN_DOMCTL_SCHEDRT_extra = 1;
}

numbers! {
    /// An operation of [`DomctlDebugOp::op`].
    u32;
    XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_OFF = 0;
    XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON = 1;
}

numbers! {
    /// A command of [`DomctlVmtraceOp::cmd`].
    u32;
    XEN_DOMCTL_vmtrace_enable = 1;
    XEN_DOMCTL_vmtrace_disable = 2;
    XEN_DOMCTL_vmtrace_reset_and_enable = 3;
    XEN_DOMCTL_vmtrace_output_position = 4;
    XEN_DOMCTL_vmtrace_get_option = 5;
    XEN_DOMCTL_vmtrace_set_option = 6;
}

/// The argument of `XEN_DOMCTL_setvcpucontext` and `XEN_DOMCTL_getvcpucontext`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVcpucontext {
    pub vcpu: u32,
    pub _pad0: u32,
    /// Guest handle of `vcpu_guest_context_t`.
    pub ctxt: u64,
}

/// The argument of `XEN_DOMCTL_getvcpuinfo`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGetvcpuinfo {
    pub vcpu: u32,
    pub online: u8,
    pub blocked: u8,
    pub running: u8,
    pub _pad0: u8,
    pub cpu_time: u64,
    pub cpu: u32,
    pub _pad1: u32,
}

/// The argument of `XEN_DOMCTL_setnodeaffinity` and `XEN_DOMCTL_getnodeaffinity`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlNodeaffinity {
    pub nodemap: XenctlBitmap,
}

/// The argument of `XEN_DOMCTL_setvcpuaffinity` and `XEN_DOMCTL_getvcpuaffinity`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVcpuaffinity {
    pub vcpu: u32,
    pub flags: u32,
    pub cpumap_hard: XenctlBitmap,
    pub cpumap_soft: XenctlBitmap,
}

/// Parameters of the credit scheduler.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedCredit {
    pub weight: u16,
    pub cap: u16,
}

/// Parameters of the credit2 scheduler.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedCredit2 {
    pub weight: u16,
    pub cap: u16,
}

/// Parameters of the real-time scheduler, us.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedRtds {
    pub period: u32,
    pub budget: u32,
    pub flags: u32,
}

/// One vCPU's scheduling parameters.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedparamVcpu {
    /// Union: `credit`: [`DomctlSchedCredit`], `credit2`: [`DomctlSchedCredit2`], `rtds`: [`DomctlSchedRtds`].
    pub u: [u32; 3],
    pub vcpuid: u32,
}

/// The `v` arm of [`DomctlSchedulerOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedulerOpV {
    /// Guest handle of `xen_domctl_schedparam_vcpu_t`.
    pub vcpus: u64,
    pub nr_vcpus: u32,
    pub padding: u32,
}

/// The argument of `XEN_DOMCTL_scheduler_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlSchedulerOp {
    pub sched_id: u32,
    pub cmd: u32,
    /// Union: `credit`: [`DomctlSchedCredit`], `credit2`: [`DomctlSchedCredit2`], `rtds`: [`DomctlSchedRtds`], `v`: [`DomctlSchedulerOpV`].
    pub u: [u64; 2],
}

/// Further state of a PV vCPU: its 32-bit entry points and machine-check banks.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlExtVcpucontext {
    pub vcpu: u32,
    pub size: u32,
    pub syscall32_callback_eip: u64,
    pub sysenter_callback_eip: u64,
    pub syscall32_callback_cs: u16,
    pub sysenter_callback_cs: u16,
    pub syscall32_disables_events: u8,
    pub sysenter_disables_events: u8,
    pub _pad0: u16,
    pub vmce: HvmVmceVcpu,
}

/// Sets or gets a vCPU's extended state; a null buffer asks for the size.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVcpuextstate {
    pub vcpu: u32,
    pub _pad0: u32,
    pub xfeature_mask: u64,
    pub size: u64,
    /// Guest handle of `uint64`.
    pub buffer: u64,
}

/// One MSR of a vCPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVcpuMsr {
    pub index: u32,
    pub reserved: u32,
    pub value: u64,
}

/// Sets or gets a PV vCPU's MSRs.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVcpuMsrs {
    pub vcpu: u32,
    pub msr_count: u32,
    /// Guest handle of `xen_domctl_vcpu_msr_t`.
    pub msrs: u64,
}

/// The argument of `XEN_DOMCTL_debug_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlDebugOp {
    pub op: u32,
    pub vcpu: u32,
}

/// Reads or writes a guest's memory for the debugger.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGdbsxMemio {
    pub pgd3val: u64,
    pub gva: u64,
    pub uva: u64,
    pub len: u32,
    pub gwr: u8,
    pub _pad0: [u8; 3],
    pub remain: u32,
    pub _pad1: u32,
}

/// Pauses or unpauses a vCPU for the debugger.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGdbsxPauseunpVcpu {
    pub vcpu: u32,
}

/// The argument of `XEN_DOMCTL_gdbsx_domstatus`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlGdbsxDomstatus {
    pub paused: u8,
    pub _pad0: [u8; 3],
    pub vcpu_id: u32,
    pub vcpu_ev: u32,
}

/// The argument of `XEN_DOMCTL_vmtrace_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVmtraceOp {
    pub cmd: u32,
    pub vcpu: u32,
    pub key: u64,
    pub value: u64,
}

payload! {
    DomctlSchedparamVcpu.u;
    DomctlSchedulerOp.u;
}
