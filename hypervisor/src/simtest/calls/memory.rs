//! `memory_op` and `mmuext_op`.

use super::kind::Kind::*;
use super::{Field, Shape, fields};
use xen_abi::memory::*;
use xen_abi::mmu::*;

const RESERVATION: &[Field] = fields!(MemoryReservation {
    extent_start: Array(&Mfn),
    nr_extents: Count,
    extent_order: Of(&[0, 0, 0, 0, 1, 9]),
    domid: Domid,
});

const NEW: &[Field] = fields!(MemoryReservation {
    extent_start: Array(&Below(64)),
    nr_extents: Count,
    extent_order: Of(&[0, 0, 0, 0, 1, 2, 9]),
    // Also below so few address bits that there is none.
    mem_flags: Of(&[0, 0, 0, 0, 20, 13]),
    domid: Domid,
});

const WHO: &[Field] = fields!(MemoryDomain { domid: Domid });

pub const MEMORY: &[Shape] = &[
    (XENMEM_increase_reservation, NEW),
    (XENMEM_decrease_reservation, RESERVATION),
    (XENMEM_populate_physmap, NEW),
    (
        XENMEM_exchange,
        fields!(MemoryExchange {
            r#in.extent_start: Array(&Mfn),
            r#in.nr_extents: Of(&[1, 1, 2]),
            r#in.domid: Of(&[0x7ff0]),
            out.extent_start: Array(&Below(64)),
            out.nr_extents: Of(&[1, 1, 2]),
            out.domid: Of(&[0x7ff0]),
        }),
    ),
    (XENMEM_current_reservation, WHO),
    (XENMEM_maximum_reservation, WHO),
    (XENMEM_maximum_gpfn, WHO),
    (
        XENMEM_machphys_mfn_list,
        fields!(MachphysMfnList {
            max_extents: Count,
            extent_start: Buffer
        }),
    ),
    (
        XENMEM_add_to_physmap,
        fields!(AddToPhysmap {
            domid: Domid,
            size: Count,
            space: Below(6),
            idx: Below(4),
            gpfn: Below(64)
        }),
    ),
    (
        XENMEM_add_to_physmap_batch,
        fields!(AddToPhysmapBatch {
            domid: Domid,
            space: Below(6),
            size: Count,
            idxs: Array(&Below(4)),
            gpfns: Array(&Below(64)),
            errs: Buffer,
        }),
    ),
    (
        XENMEM_remove_from_physmap,
        fields!(RemoveFromPhysmap {
            domid: Domid,
            gpfn: Below(64)
        }),
    ),
    (
        XENMEM_memory_map,
        fields!(MemoryMap {
            nr_entries: Count,
            buffer: Buffer
        }),
    ),
    (
        XENMEM_machine_memory_map,
        fields!(MemoryMap {
            nr_entries: Count,
            buffer: Buffer
        }),
    ),
    (
        XENMEM_set_memory_map,
        fields!(ForeignMemoryMap { domid: Domid, map.nr_entries: Count, map.buffer: Buffer }),
    ),
    (
        XENMEM_claim_pages,
        fields!(MemoryReservation {
            nr_extents: Of(&[0, 1, 64, 2000]),
            domid: Domid
        }),
    ),
    (
        XENMEM_acquire_resource,
        fields!(MemAcquireResource {
            domid: Domid,
            r#type: Of(&[1, 1, 0, 2]),
            id: Below(2),
            nr_frames: Of(&[1, 1, 0, 2]),
            frame: Of(&[0, 0, 1, u64::MAX]),
            frame_list: Buffer,
        }),
    ),
    (XENMEM_get_pod_target, fields!(PodTarget { domid: Domid })),
    (
        XENMEM_set_pod_target,
        fields!(PodTarget {
            domid: Domid,
            target_pages: Below(64)
        }),
    ),
];

const PIN: &[Field] = fields!(MmuextOp { arg1: Mfn });
const PAGE: &[Field] = fields!(MmuextOp { arg1: Va });
const MULTI: &[Field] = fields!(MmuextOp {
    arg1: Va,
    arg2: Buffer
});

pub const MMUEXT: &[Shape] = &[
    (MMUEXT_PIN_L1_TABLE, PIN),
    (MMUEXT_PIN_L2_TABLE, PIN),
    (MMUEXT_PIN_L3_TABLE, PIN),
    (MMUEXT_PIN_L4_TABLE, PIN),
    (MMUEXT_UNPIN_TABLE, PIN),
    (MMUEXT_NEW_BASEPTR, PIN),
    (MMUEXT_NEW_USER_BASEPTR, PIN),
    (MMUEXT_INVLPG_LOCAL, PAGE),
    (MMUEXT_INVLPG_ALL, PAGE),
    (MMUEXT_TLB_FLUSH_MULTI, MULTI),
    (MMUEXT_INVLPG_MULTI, MULTI),
    (
        MMUEXT_SET_LDT,
        fields!(MmuextOp {
            arg1: Va,
            arg2: Of(&[0, 1, 512, 513, 8192, 8193])
        }),
    ),
    (MMUEXT_CLEAR_PAGE, PIN),
    (
        MMUEXT_COPY_PAGE,
        fields!(MmuextOp {
            arg1: Mfn,
            arg2: AnyMfn
        }),
    ),
    (MMUEXT_MARK_SUPER, PIN),
    (MMUEXT_UNMARK_SUPER, PIN),
];
