//! Layouts of `trace`, as a C compiler lays out the public headers.

use xen_abi::trace::*;

layouts! {
    TBuf: 8 { cons: 0, prod: 4 }
}
