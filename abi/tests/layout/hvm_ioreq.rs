//! Layouts of `hvm::ioreq`, as a C compiler lays out the public headers.

use xen_abi::hvm::ioreq::*;

layouts! {
    Ioreq: 32 { addr: 0, data: 8, count: 16, size: 20, vp_eport: 24, _pad0: 28, flags: 30, r#type: 31 }
    BufIoreq: 8 { data: 4 }
    BufferedIopage: 4096 { write_pointer: 4, buf_ioreq: 8 }
}
