//! The `sched_op` hypercall. `sched.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `sched_op` hypercall.
    u32, SCHED_OPS;
    SCHEDOP_yield = 0;
    SCHEDOP_block = 1;
    SCHEDOP_shutdown = 2;
    SCHEDOP_poll = 3;
    SCHEDOP_remote_shutdown = 4;
    SCHEDOP_shutdown_code = 5;
    SCHEDOP_watchdog = 6;
    SCHEDOP_pin_override = 7;
}

numbers! {
    /// A reason to shut down.
    u32;
    SHUTDOWN_poweroff = 0;
    SHUTDOWN_reboot = 1;
    SHUTDOWN_suspend = 2;
    SHUTDOWN_crash = 3;
    SHUTDOWN_watchdog = 4;
    SHUTDOWN_soft_reset = 5;
    SHUTDOWN_MAX = 5;
}

/// Shuts the caller's domain down.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SchedShutdown {
    pub reason: u32,
}

/// Blocks until a port is pending or a time (ns of system time) comes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SchedPoll {
    /// Guest handle of `evtchn_port_t`.
    pub ports: u64,
    pub nr_ports: u32,
    pub _pad0: u32,
    pub timeout: u64,
}

/// Shuts another domain down.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SchedRemoteShutdown {
    pub domain_id: u16,
    pub _pad0: u16,
    pub reason: u32,
}

/// Arms, pokes or disarms a watchdog; timeout in seconds.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SchedWatchdog {
    pub id: u32,
    pub timeout: u32,
}

/// Pins the caller's vCPU to a CPU for a while; negative undoes it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SchedPinOverride {
    pub pcpu: i32,
}
