//! Layouts of `grant_table::entry`, as a C compiler lays out the public headers.

use xen_abi::grant_table::entry::*;

layouts! {
    GrantEntryV1: 8 { flags: 0, domid: 2, frame: 4 }
    GrantEntryHeader: 4 { flags: 0, domid: 2 }
    GrantEntryV2FullPage: 16 { hdr: 0, pad0: 4, frame: 8 }
    GrantEntryV2SubPage: 16 { hdr: 0, page_off: 4, length: 6, frame: 8 }
    GrantEntryV2Transitive: 12 { hdr: 0, trans_domid: 4, pad0: 6, gref: 8 }
    GrantEntryV2: 16 { u: 0 }
}
