//! Layouts of `argo`, as a C compiler lays out the public headers.

use xen_abi::argo::*;

layouts! {
    ArgoIov: 16 { iov_hnd: 0, iov_len: 8, pad: 12 }
    ArgoAddr: 8 { aport: 0, domain_id: 4, pad: 6 }
    ArgoSendAddr: 16 { src: 0, dst: 8 }
    ArgoRing: 64 { rx_ptr: 0, tx_ptr: 4, reserved: 8 }
    ArgoRegisterRing: 12 { aport: 0, partner_id: 4, pad: 6, len: 8 }
    ArgoUnregisterRing: 8 { aport: 0, partner_id: 4, pad: 6 }
    ArgoRingDataEnt: 20 { ring: 0, flags: 8, pad: 10, space_required: 12, max_message_size: 16 }
    ArgoRingData: 8 { nent: 0, pad: 4 }
    ArgoRingMessageHeader: 16 { len: 0, source: 4, message_type: 12 }
}
