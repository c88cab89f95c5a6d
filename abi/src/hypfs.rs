//! The `hypfs_op` hypercall. `hypfs.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `hypfs_op` hypercall.
    u32, HYPFS_OPS;
    XEN_HYPFS_OP_get_version = 0;
    XEN_HYPFS_OP_read = 1;
    XEN_HYPFS_OP_write_contents = 2;
}

numbers! {
    /// The version, and the longest path in bytes with the zero at its end.
    u32;
    XEN_HYPFS_VERSION = 1;
    XEN_HYPFS_MAX_PATHLEN = 1024;
}

numbers! {
    /// A type or encoding of [`HypfsDirentry`].
    u8;
    XEN_HYPFS_TYPE_DIR = 0;
    XEN_HYPFS_TYPE_BLOB = 1;
    XEN_HYPFS_TYPE_STRING = 2;
    XEN_HYPFS_TYPE_UINT = 3;
    XEN_HYPFS_TYPE_INT = 4;
    XEN_HYPFS_TYPE_BOOL = 5;
    XEN_HYPFS_ENC_PLAIN = 0;
    XEN_HYPFS_ENC_GZIP = 1;
}

/// A node's type and size.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HypfsDirentry {
    pub r#type: u8,
    pub encoding: u8,
    pub pad: u16,
    pub content_len: u32,
    pub max_write_len: u32,
}
