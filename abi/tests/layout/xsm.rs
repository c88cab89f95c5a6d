//! Layouts of `xsm`, as a C compiler lays out the public headers.

use xen_abi::xsm::*;

layouts! {
    FlaskLoad: 16 { buffer: 0, size: 8 }
    FlaskSetenforce: 4 { enforcing: 0 }
    FlaskSidContext: 16 { sid: 0, size: 4, context: 8 }
    FlaskAccess: 32 { ssid: 0, tsid: 4, tclass: 8, req: 12, allowed: 16, audit_allow: 20, audit_deny: 24, seqno: 28 }
    FlaskTransition: 16 { ssid: 0, tsid: 4, tclass: 8, newsid: 12 }
    FlaskBoolean: 24 { bool_id: 0, enforcing: 4, pending: 5, new_value: 6, commit: 7, size: 8, name: 16 }
    FlaskSetavcThreshold: 4 { threshold: 0 }
    FlaskHashStats: 16 { entries: 0, buckets_used: 4, buckets_total: 8, max_chain_len: 12 }
    FlaskCacheStats: 28 { cpu: 0, lookups: 4, hits: 8, misses: 12, allocations: 16, reclaims: 20, frees: 24 }
    FlaskOcontext: 24 { ocon: 0, sid: 4, low: 8, high: 16 }
    FlaskPeersid: 8 { evtchn: 0, sid: 4 }
    FlaskRelabel: 8 { domid: 0, sid: 4 }
    FlaskDevicetreeLabel: 16 { sid: 0, length: 4, path: 8 }
    FlaskOp: 40 { cmd: 0, interface_version: 4, u: 8 }
}
