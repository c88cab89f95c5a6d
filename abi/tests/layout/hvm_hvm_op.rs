//! Layouts of `hvm::hvm_op`, as a C compiler lays out the public headers.

use xen_abi::hvm::hvm_op::*;

layouts! {
    HvmParam: 16 { domid: 0, pad: 2, index: 4, value: 8 }
    HvmPagetableDying: 16 { domid: 0, pad: 2, gpa: 8 }
    HvmGetTime: 8 { now: 0 }
    HvmXentrace: 32 { event: 0, extra_bytes: 2, extra: 4 }
    HvmGetMemType: 16 { domid: 0, mem_type: 2, pad: 4, pfn: 8 }
    HvmEvtchnUpcallVector: 8 { vcpu: 0, vector: 4 }
    HvmAltp2mDomainState: 1 { state: 0 }
    HvmAltp2mVcpuEnableNotify: 16 { vcpu_id: 0, pad: 4, gfn: 8 }
    HvmAltp2mView: 4 { view: 0, hvmmem_default_access: 2 }
    HvmAltp2mMemAccess: 16 { view: 0, access: 2, pad: 4, gfn: 8 }
    HvmAltp2mChangeGfn: 24 { view: 0, pad1: 2, pad2: 4, old_gfn: 8, new_gfn: 16 }
    HvmAltp2mSetMemAccessMulti: 32 { view: 0, pad: 2, nr: 4, opaque: 8, pfn_list: 16, access_list: 24 }
    HvmAltp2mSuppressVe: 16 { view: 0, suppress_ve: 2, pad1: 3, pad2: 4, gfn: 8 }
    HvmAltp2mSuppressVeMulti: 32 { view: 0, suppress_ve: 2, pad1: 3, first_error: 4, first_gfn: 8, last_gfn: 16, first_error_gfn: 24 }
    HvmAltp2mVcpuDisableNotify: 4 { vcpu_id: 0 }
    HvmAltp2mGetVcpuP2mIdx: 8 { vcpu_id: 0, altp2m_idx: 4 }
    HvmAltp2mSetVisibility: 4 { altp2m_idx: 0, visible: 2, pad: 3 }
    HvmAltp2mOp: 80 { version: 0, cmd: 4, domain: 8, pad1: 10, pad2: 12, u: 16 }
}
