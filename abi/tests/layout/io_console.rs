//! Layouts of `io::console`, as a C compiler lays out the public headers.

use xen_abi::io::console::*;

layouts! {
    XenconsInterface: 3088 { r#in: 0, out: 1024, in_cons: 3072, in_prod: 3076, out_cons: 3080, out_prod: 3084 }
}
