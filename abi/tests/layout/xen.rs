//! Layouts of `xen`, as a C compiler lays out the public headers.

use xen_abi::xen::*;

layouts! {
    MulticallEntry: 64 { op: 0, result: 8, args: 16 }
    XenctlBitmap: 16 { bitmap: 0, nr_bits: 8 }
}
