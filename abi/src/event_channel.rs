//! Event channels: the calls, and the words of the two-level and FIFO forms.
//! `event_channel.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An event channel's port in its domain.
pub type EvtchnPort = u32;

numbers! {
    /// An operation of the `event_channel_op` hypercall.
    u32, EVTCHN_OPS;
    EVTCHNOP_bind_interdomain = 0;
    EVTCHNOP_bind_virq = 1;
    EVTCHNOP_bind_pirq = 2;
    EVTCHNOP_close = 3;
    EVTCHNOP_send = 4;
    EVTCHNOP_status = 5;
    EVTCHNOP_alloc_unbound = 6;
    EVTCHNOP_bind_ipi = 7;
    EVTCHNOP_bind_vcpu = 8;
    EVTCHNOP_unmask = 9;
    EVTCHNOP_reset = 10;
    EVTCHNOP_init_control = 11;
    EVTCHNOP_expand_array = 12;
    EVTCHNOP_set_priority = 13;
    EVTCHNOP_reset_cont = 14;
}

numbers! {
    /// A channel's state in [`EvtchnStatus::status`].
    u32;
    EVTCHNSTAT_closed = 0;
    EVTCHNSTAT_unbound = 1;
    EVTCHNSTAT_interdomain = 2;
    EVTCHNSTAT_pirq = 3;
    EVTCHNSTAT_virq = 4;
    EVTCHNSTAT_ipi = 5;
}

numbers! {
    /// A flag of [`EvtchnBindPirq::flags`].
    u32;
    BIND_PIRQ__WILL_SHARE = 1;
}

numbers! {
    /// A priority or queue number of the FIFO form: 0 is the highest priority.
    u32;
    EVTCHN_FIFO_PRIORITY_MAX = 0;
    EVTCHN_FIFO_PRIORITY_DEFAULT = 7;
    EVTCHN_FIFO_PRIORITY_MIN = 15;
    EVTCHN_FIFO_MAX_QUEUES = 16;
}

numbers! {
    /// A bit number of a FIFO event word.
    u32;
    EVTCHN_FIFO_PENDING = 31;
    EVTCHN_FIFO_MASKED = 30;
    EVTCHN_FIFO_LINKED = 29;
    EVTCHN_FIFO_BUSY = 28;
}

numbers! {
    /// The link in a FIFO event word: the port of the next event in its queue, or 0.
    u32;
    EVTCHN_FIFO_LINK_BITS = 17;
    EVTCHN_FIFO_LINK_MASK = 0x1_ffff;
    EVTCHN_FIFO_NR_CHANNELS = 1 << 17;
}

/// Event words in a page of a FIFO event array.
pub const EVTCHN_FIFO_WORDS_PER_PAGE: u32 = 1024;

/// Offset in bytes of [`EvtchnFifoControlBlock::ready`], for atomic access.
pub const EVTCHN_FIFO_READY: usize = 0;

/// Offset in bytes of [`EvtchnFifoControlBlock::head`], for atomic access.
pub const EVTCHN_FIFO_HEAD: usize = 8;

/// Allocates a port in `dom` for `remote_dom` to bind to; returns `port`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnAllocUnbound {
    pub dom: u16,
    pub remote_dom: u16,
    pub port: u32,
}

/// Binds to a remote domain's unbound port; returns `local_port`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnBindInterdomain {
    pub remote_dom: u16,
    pub _pad0: u16,
    pub remote_port: u32,
    pub local_port: u32,
}

/// Binds a virtual interrupt of `vcpu`; returns `port`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnBindVirq {
    pub virq: u32,
    pub vcpu: u32,
    pub port: u32,
}

/// Binds a physical interrupt; returns `port`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnBindPirq {
    pub pirq: u32,
    pub flags: u32,
    pub port: u32,
}

/// Allocates a port for interrupts between vCPUs; returns `port`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnBindIpi {
    pub vcpu: u32,
    pub port: u32,
}

/// Closes a port.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnClose {
    pub port: u32,
}

/// Signals the remote end of a port.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnSend {
    pub port: u32,
}

/// The `unbound` arm of [`EvtchnStatus`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnStatusUnbound {
    pub dom: u16,
}

/// The `interdomain` arm of [`EvtchnStatus`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnStatusInterdomain {
    pub dom: u16,
    pub _pad0: u16,
    pub port: u32,
}

/// Asks for a port's state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnStatus {
    pub dom: u16,
    pub _pad0: u16,
    pub port: u32,
    pub status: u32,
    pub vcpu: u32,
    /// Union: `unbound`: [`EvtchnStatusUnbound`], `interdomain`: [`EvtchnStatusInterdomain`], `pirq`: `u32`, `virq`: `u32`.
    pub u: [u32; 2],
}

/// Moves a port's notifications to a vCPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnBindVcpu {
    pub port: u32,
    pub vcpu: u32,
}

/// Unmasks a port and delivers what is pending.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnUnmask {
    pub port: u32,
}

/// Closes all ports of a domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnReset {
    pub dom: u16,
}

/// Registers a vCPU's FIFO control block; returns `link_bits`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnInitControl {
    pub control_gfn: u64,
    pub offset: u32,
    pub vcpu: u32,
    pub link_bits: u8,
    pub _pad: [u8; 7],
}

/// Adds a page to the FIFO event array.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnExpandArray {
    pub array_gfn: u64,
}

/// Sets a port's FIFO priority.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnSetPriority {
    pub port: u32,
    pub priority: u32,
}

/// A vCPU's FIFO queues, shared with the guest: used by offset, atomically.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnFifoControlBlock {
    pub ready: u32,
    pub _rsvd: u32,
    pub head: [u32; 16],
}

/// The argument of the old `event_channel_op_compat` hypercall.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EvtchnOp {
    pub cmd: u32,
    /// Union: `alloc_unbound`: [`EvtchnAllocUnbound`], `bind_interdomain`: [`EvtchnBindInterdomain`], `bind_virq`: [`EvtchnBindVirq`], `bind_pirq`: [`EvtchnBindPirq`], `bind_ipi`: [`EvtchnBindIpi`], `close`: [`EvtchnClose`], `send`: [`EvtchnSend`], `status`: [`EvtchnStatus`], `bind_vcpu`: [`EvtchnBindVcpu`], `unmask`: [`EvtchnUnmask`].
    pub u: [u32; 6],
}

payload! {
    EvtchnStatus.u;
    EvtchnOp.u;
}
