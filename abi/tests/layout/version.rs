//! Layouts of `version`, as a C compiler lays out the public headers.

use xen_abi::version::*;

layouts! {
    CompileInfo: 144 { compiler: 0, compile_by: 64, compile_domain: 80, compile_date: 112 }
    PlatformParameters: 8 { virt_start: 0 }
    FeatureInfo: 8 { submap_idx: 0, submap: 4 }
    BuildId: 4 { len: 0 }
    Varbuf: 4 { len: 0 }
}
