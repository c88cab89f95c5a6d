//! Layouts of `hvm::dm_op`, as a C compiler lays out the public headers.

use xen_abi::hvm::dm_op::*;

layouts! {
    DmOpCreateIoreqServer: 6 { handle_bufioreq: 0, pad: 1, id: 4 }
    DmOpGetIoreqServerInfo: 24 { id: 0, flags: 2, bufioreq_port: 4, ioreq_gfn: 8, bufioreq_gfn: 16 }
    DmOpIoreqServerRange: 24 { id: 0, pad: 2, r#type: 4, start: 8, end: 16 }
    DmOpSetIoreqServerState: 4 { id: 0, enabled: 2, pad: 3 }
    DmOpDestroyIoreqServer: 4 { id: 0, pad: 2 }
    DmOpTrackDirtyVram: 16 { nr: 0, pad: 4, first_pfn: 8 }
    DmOpSetPciIntxLevel: 6 { domain: 0, bus: 2, device: 3, intx: 4, level: 5 }
    DmOpSetIsaIrqLevel: 2 { isa_irq: 0, level: 1 }
    DmOpSetIrqLevel: 8 { irq: 0, level: 4, pad: 5 }
    DmOpSetPciLinkRoute: 2 { link: 0, isa_irq: 1 }
    DmOpModifiedMemory: 8 { nr_extents: 0, opaque: 4 }
    DmOpSetMemType: 16 { nr: 0, mem_type: 4, pad: 6, first_pfn: 8 }
    DmOpInjectEvent: 24 { vcpuid: 0, vector: 4, r#type: 5, insn_len: 6, pad0: 7, error_code: 8, pad1: 12, cr2: 16 }
    DmOpInjectMsi: 16 { data: 0, pad: 4, addr: 8 }
    DmOpMapMemTypeToIoreqServer: 16 { id: 0, r#type: 2, flags: 4, opaque: 8 }
    DmOpRemoteShutdown: 4 { reason: 0 }
    DmOpRelocateMemory: 24 { size: 0, pad: 4, src_gfn: 8, dst_gfn: 16 }
    DmOpPinMemoryCacheattr: 24 { start: 0, end: 8, r#type: 16, pad: 20 }
    DmOpNrVcpus: 4 { vcpus: 0 }
    DmOp: 32 { op: 0, pad: 4, u: 8 }
    DmOpBuf: 16 { h: 0, size: 8 }
    DmOpModifiedMemoryExtent: 16 { nr: 0, pad: 4, first_pfn: 8 }
}
