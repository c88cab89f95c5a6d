//! Watching a domain, and cache allocation. `domctl.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of [`DomctlMonitorOp::op`].
    u32;
    XEN_DOMCTL_MONITOR_OP_ENABLE = 0;
    XEN_DOMCTL_MONITOR_OP_DISABLE = 1;
    XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES = 2;
    XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP = 3;
    XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS = 4;
}

numbers! {
    /// An event of [`DomctlMonitorOp::event`].
    u32;
    XEN_DOMCTL_MONITOR_EVENT_WRITE_CTRLREG = 0;
    XEN_DOMCTL_MONITOR_EVENT_MOV_TO_MSR = 1;
    XEN_DOMCTL_MONITOR_EVENT_SINGLESTEP = 2;
    XEN_DOMCTL_MONITOR_EVENT_SOFTWARE_BREAKPOINT = 3;
    XEN_DOMCTL_MONITOR_EVENT_GUEST_REQUEST = 4;
    XEN_DOMCTL_MONITOR_EVENT_DEBUG_EXCEPTION = 5;
    XEN_DOMCTL_MONITOR_EVENT_CPUID = 6;
    XEN_DOMCTL_MONITOR_EVENT_PRIVILEGED_CALL = 7;
    XEN_DOMCTL_MONITOR_EVENT_INTERRUPT = 8;
    XEN_DOMCTL_MONITOR_EVENT_DESC_ACCESS = 9;
    XEN_DOMCTL_MONITOR_EVENT_EMUL_UNIMPLEMENTED = 10;
    XEN_DOMCTL_MONITOR_EVENT_INGUEST_PAGEFAULT = 11;
    XEN_DOMCTL_MONITOR_EVENT_VMEXIT = 12;
    XEN_DOMCTL_MONITOR_EVENT_IO = 13;
}

numbers! {
    /// An operation of [`DomctlVmEventOp::op`].
    u32;
    XEN_VM_EVENT_ENABLE = 0;
    XEN_VM_EVENT_DISABLE = 1;
    XEN_VM_EVENT_RESUME = 2;
    XEN_VM_EVENT_GET_VERSION = 3;
}

numbers! {
    /// A ring of [`DomctlVmEventOp::mode`].
    u32;
    XEN_DOMCTL_VM_EVENT_OP_PAGING = 1;
    XEN_DOMCTL_VM_EVENT_OP_MONITOR = 2;
    XEN_DOMCTL_VM_EVENT_OP_SHARING = 3;
}

numbers! {
    /// A command of [`DomctlPsrCmtOp::cmd`].
    u32;
    XEN_DOMCTL_PSR_CMT_OP_DETACH = 0;
    XEN_DOMCTL_PSR_CMT_OP_ATTACH = 1;
    XEN_DOMCTL_PSR_CMT_OP_QUERY_RMID = 2;
}

numbers! {
    /// A command of [`DomctlPsrAlloc::cmd`].
    u32;
    XEN_DOMCTL_PSR_SET_L3_CBM = 0;
    XEN_DOMCTL_PSR_GET_L3_CBM = 1;
    XEN_DOMCTL_PSR_SET_L3_CODE = 2;
    XEN_DOMCTL_PSR_SET_L3_DATA = 3;
    XEN_DOMCTL_PSR_GET_L3_CODE = 4;
    XEN_DOMCTL_PSR_GET_L3_DATA = 5;
    XEN_DOMCTL_PSR_SET_L2_CBM = 6;
    XEN_DOMCTL_PSR_GET_L2_CBM = 7;
    XEN_DOMCTL_PSR_SET_MBA_THRTL = 8;
    XEN_DOMCTL_PSR_GET_MBA_THRTL = 9;
}

/// The `enable` arm of [`DomctlVmEventOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVmEventOpEnable {
    pub port: u32,
}

/// The argument of `XEN_DOMCTL_vm_event_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVmEventOp {
    pub op: u32,
    pub mode: u32,
    /// Union: `enable`: [`DomctlVmEventOpEnable`], `version`: `u32`.
    pub u: u32,
}

/// The `mov_to_cr` arm of [`DomctlMonitorOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOpMovToCr {
    pub index: u8,
    pub sync: u8,
    pub onchangeonly: u8,
    pub pad1: u8,
    pub pad2: u32,
    pub bitmask: u64,
}

/// The `mov_to_msr` arm of [`DomctlMonitorOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOpMovToMsr {
    pub msr: u32,
    pub onchangeonly: u8,
    pub _pad0: [u8; 3],
}

/// The `guest_request` arm of [`DomctlMonitorOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOpGuestRequest {
    pub sync: u8,
    pub allow_userspace: u8,
}

/// The `debug_exception` arm of [`DomctlMonitorOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOpDebugException {
    pub sync: u8,
}

/// The `vmexit` arm of [`DomctlMonitorOp`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOpVmexit {
    pub sync: u8,
}

/// The argument of `XEN_DOMCTL_monitor_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlMonitorOp {
    pub op: u32,
    pub event: u32,
    /// Union: `mov_to_cr`: [`DomctlMonitorOpMovToCr`], `mov_to_msr`: [`DomctlMonitorOpMovToMsr`], `guest_request`: [`DomctlMonitorOpGuestRequest`], `debug_exception`: [`DomctlMonitorOpDebugException`], `vmexit`: [`DomctlMonitorOpVmexit`].
    pub u: [u64; 2],
}

/// The argument of `XEN_DOMCTL_psr_cmt_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlPsrCmtOp {
    pub cmd: u32,
    pub data: u32,
}

/// The argument of `XEN_DOMCTL_psr_alloc`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlPsrAlloc {
    pub cmd: u32,
    pub target: u32,
    pub data: u64,
}

/// The argument of `XEN_DOMCTL_vuart_op`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomctlVuartOp {
    pub cmd: u32,
    pub r#type: u32,
    pub gfn: u64,
    pub console_domid: u16,
    pub pad: [u8; 2],
    pub evtchn: u32,
}

payload! {
    DomctlVmEventOp.u;
    DomctlMonitorOp.u;
}
