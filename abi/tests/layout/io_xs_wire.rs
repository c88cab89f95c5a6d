//! Layouts of `io::xs_wire`, as a C compiler lays out the public headers.

use xen_abi::io::xs_wire::*;

layouts! {
    XsdSockmsg: 16 { r#type: 0, req_id: 4, tx_id: 8, len: 12 }
    XenstoreDomainInterface: 2076 { req: 0, rsp: 1024, req_cons: 2048, req_prod: 2052, rsp_cons: 2056, rsp_prod: 2060, server_features: 2064, connection: 2068, error: 2072 }
}
