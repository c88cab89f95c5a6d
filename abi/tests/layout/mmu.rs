//! Layouts of `mmu`, as a C compiler lays out the public headers.

use xen_abi::mmu::*;

layouts! {
    MmuUpdate: 16 { ptr: 0, val: 8 }
    MmuextOp: 24 { cmd: 0, arg1: 8, arg2: 16 }
}
