//! Layouts of `kexec`, as a C compiler lays out the public headers.

use xen_abi::kexec::*;

layouts! {
    KexecExec: 4 { r#type: 0 }
    KexecRange: 24 { range: 0, nr: 4, size: 8, start: 16 }
    KexecSegment: 32 { buf: 0, buf_size: 8, dest_maddr: 16, dest_size: 24 }
    KexecLoad: 24 { r#type: 0, _pad: 1, arch: 2, nr_segments: 4, segments: 8, entry_maddr: 16 }
    KexecUnload: 1 { r#type: 0 }
    KexecStatus: 1 { r#type: 0 }
}
