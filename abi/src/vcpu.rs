//! The `vcpu_op` hypercall. `vcpu.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `vcpu_op` hypercall.
    u32, VCPU_OPS;
    VCPUOP_initialise = 0;
    VCPUOP_up = 1;
    VCPUOP_down = 2;
    VCPUOP_is_up = 3;
    VCPUOP_get_runstate_info = 4;
    VCPUOP_register_runstate_memory_area = 5;
    VCPUOP_set_periodic_timer = 6;
    VCPUOP_stop_periodic_timer = 7;
    VCPUOP_set_singleshot_timer = 8;
    VCPUOP_stop_singleshot_timer = 9;
    VCPUOP_register_vcpu_info = 10;
    VCPUOP_send_nmi = 11;
    VCPUOP_get_physid = 12;
    VCPUOP_register_vcpu_time_memory_area = 13;
    VCPUOP_register_runstate_phys_area = 14;
    VCPUOP_register_vcpu_time_phys_area = 15;
}

numbers! {
    /// A state of [`VcpuRunstateInfo::state`], and an index of its times.
    i32;
    RUNSTATE_running = 0;
    RUNSTATE_runnable = 1;
    RUNSTATE_blocked = 2;
    RUNSTATE_offline = 3;
}

numbers! {
    /// Set in [`VcpuRunstateInfo::state_entry_time`] while the record is being written.
    u64;
    XEN_RUNSTATE_UPDATE = 1 << 63;
}

numbers! {
    /// A flag of [`VcpuSetSingleshotTimer::flags`]: fail with `ETIME` if the time is past.
    u32;
    VCPU_SSHOTTMR_future = 1;
}

/// Where a vCPU's time went, ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuRunstateInfo {
    /// `RUNSTATE_*`.
    pub state: i32,
    pub _pad0: u32,
    /// When `state` was entered, ns of system time.
    pub state_entry_time: u64,
    /// Time in each state, ns.
    pub time: [u64; 4],
}

/// Registers an area for [`VcpuRunstateInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuRegisterRunstateMemoryArea {
    /// Union: `h`: `u64`, `v`: `u64`, `p`: `u64`.
    pub addr: u64,
}

/// Sets a periodic timer, ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuSetPeriodicTimer {
    pub period_ns: u64,
}

/// Sets a one-shot timer to a system time, ns.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuSetSingleshotTimer {
    pub timeout_abs_ns: u64,
    pub flags: u32,
    pub _pad0: u32,
}

/// Moves a vCPU's information from the shared page to another place.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuRegisterVcpuInfo {
    pub mfn: u64,
    pub offset: u32,
    pub rsvd: u32,
}

/// The APIC and ACPI ids of the CPU under a pinned vCPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuGetPhysid {
    pub phys_id: u64,
}

/// Registers an area for a time record.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuRegisterTimeMemoryArea {
    /// Union: `h`: `u64`, `v`: `u64`, `p`: `u64`.
    pub addr: u64,
}
