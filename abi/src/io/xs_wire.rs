//! The Xenstore ring and protocol. `io/xs_wire.h`.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A type of [`XsdSockmsg::type`].
    u32, XS_MESSAGES;
    XS_CONTROL = 0;
    XS_DIRECTORY = 1;
    XS_READ = 2;
    XS_GET_PERMS = 3;
    XS_WATCH = 4;
    XS_UNWATCH = 5;
    XS_TRANSACTION_START = 6;
    XS_TRANSACTION_END = 7;
    XS_INTRODUCE = 8;
    XS_RELEASE = 9;
    XS_GET_DOMAIN_PATH = 10;
    XS_WRITE = 11;
    XS_MKDIR = 12;
    XS_RM = 13;
    XS_SET_PERMS = 14;
    XS_WATCH_EVENT = 15;
    XS_ERROR = 16;
    XS_IS_DOMAIN_INTRODUCED = 17;
    XS_RESUME = 18;
    XS_SET_TARGET = 19;
    XS_RESET_WATCHES = 21;
    XS_DIRECTORY_PART = 22;
    XS_INVALID = 65535;
}

numbers! {
    /// A size, flag or state of the ring.
    u32;
    XENSTORE_RING_SIZE = 1024;
    XENSTORE_PAYLOAD_MAX = 4096;
    XENSTORE_ABS_PATH_MAX = 3072;
    XENSTORE_REL_PATH_MAX = 2048;
    XENSTORE_SERVER_FEATURE_RECONNECTION = 1;
    XENSTORE_SERVER_FEATURE_ERROR = 2;
    XENSTORE_CONNECTED = 0;
    XENSTORE_RECONNECT = 1;
    XENSTORE_ERROR_NONE = 0;
    XENSTORE_ERROR_COMM = 1;
    XENSTORE_ERROR_RINGIDX = 2;
    XENSTORE_ERROR_PROTO = 3;
}

/// The head of each message: `len` bytes follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XsdSockmsg {
    pub r#type: u32,
    pub req_id: u32,
    pub tx_id: u32,
    pub len: u32,
}

/// The page of the Xenstore rings: used by offset, atomically.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XenstoreDomainInterface {
    pub req: [u8; 1024],
    pub rsp: [u8; 1024],
    pub req_cons: u32,
    pub req_prod: u32,
    pub rsp_cons: u32,
    pub rsp_prod: u32,
    pub server_features: u32,
    pub connection: u32,
    pub error: u32,
}

zeroed_default!(XenstoreDomainInterface);
