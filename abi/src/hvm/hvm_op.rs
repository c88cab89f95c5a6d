//! The `hvm_op` hypercall. `hvm/hvm_op.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// An operation of the `hvm_op` hypercall.
    u32, HVM_OPS;
    HVMOP_set_param = 0;
    HVMOP_get_param = 1;
    HVMOP_flush_tlbs = 5;
    HVMOP_pagetable_dying = 9;
    HVMOP_get_time = 10;
    HVMOP_xentrace = 11;
    HVMOP_set_mem_access = 12;
    HVMOP_get_mem_access = 13;
    HVMOP_get_mem_type = 15;
    HVMOP_set_evtchn_upcall_vector = 23;
    HVMOP_guest_request_vm_event = 24;
    HVMOP_altp2m = 25;
}

numbers! {
    /// A memory type of [`HvmGetMemType`].
    u16;
    HVMMEM_ram_rw = 0;
    HVMMEM_ram_ro = 1;
    HVMMEM_mmio_dm = 2;
    HVMMEM_unused = 3;
    HVMMEM_ioreq_server = 4;
}

numbers! {
    /// How an I/O request server buffers.
    u8;
    HVM_IOREQSRV_BUFIOREQ_OFF = 0;
    HVM_IOREQSRV_BUFIOREQ_LEGACY = 1;
    HVM_IOREQSRV_BUFIOREQ_ATOMIC = 2;
}

numbers! {
    /// The version in [`HvmAltp2mOp::version`].
    u32;
    HVMOP_ALTP2M_INTERFACE_VERSION = 0x1;
}

numbers! {
    /// A command of [`HvmAltp2mOp::cmd`].
    u32;
    HVMOP_altp2m_get_domain_state = 1;
    HVMOP_altp2m_set_domain_state = 2;
    HVMOP_altp2m_vcpu_enable_notify = 3;
    HVMOP_altp2m_create_p2m = 4;
    HVMOP_altp2m_destroy_p2m = 5;
    HVMOP_altp2m_switch_p2m = 6;
    HVMOP_altp2m_set_mem_access = 7;
    HVMOP_altp2m_change_gfn = 8;
    HVMOP_altp2m_set_mem_access_multi = 9;
    HVMOP_altp2m_set_suppress_ve = 10;
    HVMOP_altp2m_get_suppress_ve = 11;
    HVMOP_altp2m_get_mem_access = 12;
    HVMOP_altp2m_vcpu_disable_notify = 13;
    HVMOP_altp2m_get_p2m_idx = 14;
    HVMOP_altp2m_set_suppress_ve_multi = 15;
    HVMOP_altp2m_set_visibility = 16;
}

/// The argument of `HVMOP_set_param` and `HVMOP_get_param`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmParam {
    pub domid: u16,
    pub pad: u16,
    pub index: u32,
    pub value: u64,
}

/// The argument of `HVMOP_pagetable_dying`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmPagetableDying {
    pub domid: u16,
    pub pad: [u16; 3],
    pub gpa: u64,
}

/// The argument of `HVMOP_get_time`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmGetTime {
    pub now: u64,
}

/// The argument of `HVMOP_xentrace`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmXentrace {
    pub event: u16,
    pub extra_bytes: u16,
    pub extra: [u8; 28],
}

/// The argument of `HVMOP_get_mem_type`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmGetMemType {
    pub domid: u16,
    pub mem_type: u16,
    pub pad: [u16; 2],
    pub pfn: u64,
}

/// The argument of `HVMOP_set_evtchn_upcall_vector`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmEvtchnUpcallVector {
    pub vcpu: u32,
    pub vector: u8,
    pub _pad0: [u8; 3],
}

/// Whether a domain has alternate views of its memory.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mDomainState {
    pub state: u8,
}

/// The argument of `HVMOP_altp2m_vcpu_enable_notify`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mVcpuEnableNotify {
    pub vcpu_id: u32,
    pub pad: u32,
    pub gfn: u64,
}

/// An alternate view.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mView {
    pub view: u16,
    pub hvmmem_default_access: u16,
}

/// Access rights of a frame in a view.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mMemAccess {
    pub view: u16,
    pub access: u16,
    pub pad: u32,
    pub gfn: u64,
}

/// The argument of `HVMOP_altp2m_change_gfn`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mChangeGfn {
    pub view: u16,
    pub pad1: u16,
    pub pad2: u32,
    pub old_gfn: u64,
    pub new_gfn: u64,
}

/// The argument of `HVMOP_altp2m_set_mem_access_multi`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mSetMemAccessMulti {
    pub view: u16,
    pub pad: u16,
    pub nr: u32,
    pub opaque: u64,
    /// Guest handle of `uint64`.
    pub pfn_list: u64,
    /// Guest handle of `uint8`.
    pub access_list: u64,
}

/// Whether a frame of a view raises virtualization exceptions.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mSuppressVe {
    pub view: u16,
    pub suppress_ve: u8,
    pub pad1: u8,
    pub pad2: u32,
    pub gfn: u64,
}

/// The same for a range of frames.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mSuppressVeMulti {
    pub view: u16,
    pub suppress_ve: u8,
    pub pad1: u8,
    pub first_error: i32,
    pub first_gfn: u64,
    pub last_gfn: u64,
    pub first_error_gfn: u64,
}

/// The argument of `HVMOP_altp2m_vcpu_disable_notify`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mVcpuDisableNotify {
    pub vcpu_id: u32,
}

/// Asks for a vCPU's view.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mGetVcpuP2mIdx {
    pub vcpu_id: u32,
    pub altp2m_idx: u16,
    pub _pad0: u16,
}

/// The argument of `HVMOP_altp2m_set_visibility`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mSetVisibility {
    pub altp2m_idx: u16,
    pub visible: u8,
    pub pad: u8,
}

/// An operation on alternate views.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmAltp2mOp {
    pub version: u32,
    pub cmd: u32,
    pub domain: u16,
    pub pad1: u16,
    pub pad2: u32,
    /// Union: `domain_state`: [`HvmAltp2mDomainState`], `enable_notify`: [`HvmAltp2mVcpuEnableNotify`], `view`: [`HvmAltp2mView`], `mem_access`: [`HvmAltp2mMemAccess`], `change_gfn`: [`HvmAltp2mChangeGfn`], `set_mem_access_multi`: [`HvmAltp2mSetMemAccessMulti`], `suppress_ve`: [`HvmAltp2mSuppressVe`], `suppress_ve_multi`: [`HvmAltp2mSuppressVeMulti`], `disable_notify`: [`HvmAltp2mVcpuDisableNotify`], `get_vcpu_p2m_idx`: [`HvmAltp2mGetVcpuP2mIdx`], `set_visibility`: [`HvmAltp2mSetVisibility`].
    pub u: [u64; 8],
}

payload! {
    HvmAltp2mOp.u;
}
