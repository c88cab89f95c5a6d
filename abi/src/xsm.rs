//! The `xsm_op` hypercall. `xsm/flask_op.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The version in [`FlaskOp::interface_version`].
    u32;
    XEN_FLASK_INTERFACE_VERSION = 1;
}

numbers! {
    /// A command of [`FlaskOp::cmd`].
    u32, FLASK_OPS;
    FLASK_LOAD = 1;
    FLASK_GETENFORCE = 2;
    FLASK_SETENFORCE = 3;
    FLASK_CONTEXT_TO_SID = 4;
    FLASK_SID_TO_CONTEXT = 5;
    FLASK_ACCESS = 6;
    FLASK_CREATE = 7;
    FLASK_RELABEL = 8;
    FLASK_USER = 9;
    FLASK_POLICYVERS = 10;
    FLASK_GETBOOL = 11;
    FLASK_SETBOOL = 12;
    FLASK_COMMITBOOLS = 13;
    FLASK_MLS = 14;
    FLASK_DISABLE = 15;
    FLASK_GETAVC_THRESHOLD = 16;
    FLASK_SETAVC_THRESHOLD = 17;
    FLASK_AVC_HASHSTATS = 18;
    FLASK_AVC_CACHESTATS = 19;
    FLASK_MEMBER = 20;
    FLASK_ADD_OCONTEXT = 21;
    FLASK_DEL_OCONTEXT = 22;
    FLASK_GET_PEER_SID = 23;
    FLASK_RELABEL_DOMAIN = 24;
    FLASK_DEVICETREE_LABEL = 25;
}

/// Loads a policy.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskLoad {
    /// Guest handle of `char`.
    pub buffer: u64,
    pub size: u32,
    pub _pad0: u32,
}

/// Sets or gets enforcement.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskSetenforce {
    pub enforcing: u32,
}

/// Translates between a security id and its context.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskSidContext {
    pub sid: u32,
    pub size: u32,
    /// Guest handle of `char`.
    pub context: u64,
}

/// Asks what an access decision would be.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskAccess {
    pub ssid: u32,
    pub tsid: u32,
    pub tclass: u32,
    pub req: u32,
    pub allowed: u32,
    pub audit_allow: u32,
    pub audit_deny: u32,
    pub seqno: u32,
}

/// Asks for the id of a new object.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskTransition {
    pub ssid: u32,
    pub tsid: u32,
    pub tclass: u32,
    pub newsid: u32,
}

/// Sets or gets a policy boolean.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskBoolean {
    pub bool_id: u32,
    pub enforcing: u8,
    pub pending: u8,
    pub new_value: u8,
    pub commit: u8,
    pub size: u32,
    pub _pad0: u32,
    /// Guest handle of `char`.
    pub name: u64,
}

/// Sets or gets the size of the decision cache.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskSetavcThreshold {
    pub threshold: u32,
}

/// Statistics of the decision cache's hash.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskHashStats {
    pub entries: u32,
    pub buckets_used: u32,
    pub buckets_total: u32,
    pub max_chain_len: u32,
}

/// Statistics of a CPU's decision cache.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskCacheStats {
    pub cpu: u32,
    pub lookups: u32,
    pub hits: u32,
    pub misses: u32,
    pub allocations: u32,
    pub reclaims: u32,
    pub frees: u32,
}

/// Labels an object of the host.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskOcontext {
    pub ocon: u32,
    pub sid: u32,
    pub low: u64,
    pub high: u64,
}

/// Asks for the id at the other end of an event channel.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskPeersid {
    pub evtchn: u32,
    pub sid: u32,
}

/// Relabels a domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskRelabel {
    pub domid: u32,
    pub sid: u32,
}

/// Asks for a device-tree node's id.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskDevicetreeLabel {
    pub sid: u32,
    pub length: u32,
    /// Guest handle of `char`.
    pub path: u64,
}

/// An operation of the security module.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlaskOp {
    pub cmd: u32,
    pub interface_version: u32,
    /// Union: `load`: [`FlaskLoad`], `enforce`: [`FlaskSetenforce`], `sid_context`: [`FlaskSidContext`], `access`: [`FlaskAccess`], `transition`: [`FlaskTransition`], `boolean`: [`FlaskBoolean`], `setavc_threshold`: [`FlaskSetavcThreshold`], `hash_stats`: [`FlaskHashStats`], `cache_stats`: [`FlaskCacheStats`], `ocontext`: [`FlaskOcontext`], `peersid`: [`FlaskPeersid`], `relabel`: [`FlaskRelabel`], `devicetree_label`: [`FlaskDevicetreeLabel`].
    pub u: [u64; 4],
}

payload! {
    FlaskOp.u;
}
