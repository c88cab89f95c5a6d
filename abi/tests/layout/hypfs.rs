//! Layouts of `hypfs`, as a C compiler lays out the public headers.

use xen_abi::hypfs::*;

layouts! {
    HypfsDirentry: 12 { r#type: 0, encoding: 1, pad: 2, content_len: 4, max_write_len: 8 }
}
