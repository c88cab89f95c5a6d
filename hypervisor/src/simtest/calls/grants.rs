//! `grant_table_op`.

use super::kind::Kind::*;
use super::{Shape, fields};
use xen_abi::grant_table::*;

/// Ways to map, most of them for the CPUs.
const MAP: &[u64] = &[2, 2, 2, 6, 6, 3, 1, 7, 10, 18, 22, 0xffff_ffff];

pub const GRANTS: &[Shape] = &[
    (
        GNTTABOP_map_grant_ref,
        fields!(GnttabMapGrantRef {
            host_addr: Hole,
            flags: Of(MAP),
            r#ref: Gref,
            dom: Domid
        }),
    ),
    (
        GNTTABOP_unmap_grant_ref,
        fields!(GnttabUnmapGrantRef {
            host_addr: Hole,
            handle: Handle
        }),
    ),
    (
        GNTTABOP_unmap_and_replace,
        fields!(GnttabUnmapAndReplace {
            host_addr: Hole,
            new_addr: Va,
            handle: Handle
        }),
    ),
    (
        GNTTABOP_setup_table,
        fields!(GnttabSetupTable {
            dom: Domid,
            nr_frames: Count,
            frame_list: Buffer
        }),
    ),
    (
        GNTTABOP_transfer,
        fields!(GnttabTransfer {
            mfn: Mfn,
            domid: Domid,
            r#ref: Gref
        }),
    ),
    (
        GNTTABOP_copy,
        fields!(GnttabCopy {
            source.u: Gref,
            source.domid: Domid,
            source.offset: Of(&[0, 8, 4000]),
            dest.u: Mfn,
            dest.domid: Of(&[0x7ff0]),
            dest.offset: Of(&[0, 8, 4000]),
            len: Of(&[8, 64, 4096, 96]),
            flags: Of(&[1, 1, 1, 2, 3, 0]),
        }),
    ),
    (GNTTABOP_query_size, fields!(GnttabQuerySize { dom: Domid })),
    (
        GNTTABOP_set_version,
        fields!(GnttabSetVersion {
            version: Of(&[1, 2, 2, 3])
        }),
    ),
    (
        GNTTABOP_get_status_frames,
        fields!(GnttabGetStatusFrames {
            nr_frames: Count,
            dom: Domid,
            frame_list: Buffer
        }),
    ),
    (
        GNTTABOP_get_version,
        fields!(GnttabGetVersion { dom: Domid }),
    ),
    (
        GNTTABOP_swap_grant_ref,
        fields!(GnttabSwapGrantRef {
            ref_a: Gref,
            ref_b: Gref
        }),
    ),
    (
        GNTTABOP_cache_flush,
        fields!(GnttabCacheFlush {
            a: Mfn,
            offset: Of(&[0, 64]),
            length: Of(&[64]),
            op: Bits(3)
        }),
    ),
];
