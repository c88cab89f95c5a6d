//! The `argo_op` hypercall. `argo.h`.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `argo_op` hypercall.
    u32, ARGO_OPS;
    XEN_ARGO_OP_register_ring = 1;
    XEN_ARGO_OP_unregister_ring = 2;
    XEN_ARGO_OP_sendv = 3;
    XEN_ARGO_OP_notify = 4;
}

numbers! {
    /// A flag of [`ArgoRingDataEnt::flags`].
    u16;
    XEN_ARGO_RING_EXISTS = 1;
    XEN_ARGO_RING_SHARED = 1 << 1;
    XEN_ARGO_RING_EMPTY = 1 << 2;
    XEN_ARGO_RING_SUFFICIENT = 1 << 3;
    XEN_ARGO_RING_EMSGSIZE = 1 << 4;
    XEN_ARGO_RING_EBUSY = 1 << 5;
}

numbers! {
    /// A limit, size or flag.
    u32;
    XEN_ARGO_MAX_RING_SIZE = 0x100_0000;
    XEN_ARGO_MAXIOV = 8;
    XEN_ARGO_MSG_SLOT_SIZE = 0x10;
    XEN_ARGO_REGISTER_FLAG_FAIL_EXIST = 0x1;
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoIov {
    /// Guest handle of `uint8`.
    pub iov_hnd: u64,
    pub iov_len: u32,
    pub pad: u32,
}

/// One end: a port of a domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoAddr {
    pub aport: u32,
    pub domain_id: u16,
    pub pad: u16,
}

/// Both ends of a message.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoSendAddr {
    pub src: ArgoAddr,
    pub dst: ArgoAddr,
}

/// The head of a receive ring: used by offset, atomically.
/// In memory an array `ring` follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoRing {
    pub rx_ptr: u32,
    pub tx_ptr: u32,
    pub reserved: [u8; 56],
}

/// Registers a ring.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoRegisterRing {
    pub aport: u32,
    pub partner_id: u16,
    pub pad: u16,
    pub len: u32,
}

/// Unregisters a ring.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoUnregisterRing {
    pub aport: u32,
    pub partner_id: u16,
    pub pad: u16,
}

/// What is known of one ring.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoRingDataEnt {
    pub ring: ArgoAddr,
    pub flags: u16,
    pub pad: u16,
    pub space_required: u32,
    pub max_message_size: u32,
}

/// Asks about rings.
/// In memory an array `data` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoRingData {
    pub nent: u32,
    pub pad: u32,
}

/// The head of a message in a ring.
/// In memory an array `data` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArgoRingMessageHeader {
    pub len: u32,
    pub source: ArgoAddr,
    pub message_type: u32,
}

zeroed_default!(ArgoRing);
