//! Layouts of `callback`, as a C compiler lays out the public headers.

use xen_abi::callback::*;

layouts! {
    CallbackRegister: 16 { r#type: 0, flags: 2, address: 8 }
    CallbackUnregister: 4 { r#type: 0, _unused: 2 }
    XennmiCallback: 16 { handler_address: 0, pad: 8 }
}
