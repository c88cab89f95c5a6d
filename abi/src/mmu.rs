//! Page-table calls: `mmu_update`, `mmuext_op`, `update_va_mapping`. `xen.h`.

use crate::forms::numbers;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The command in the low two bits of [`MmuUpdate::ptr`].
    u64;
    MMU_NORMAL_PT_UPDATE = 0;
    MMU_MACHPHYS_UPDATE = 1;
    MMU_PT_UPDATE_PRESERVE_AD = 2;
    MMU_PT_UPDATE_NO_TRANSLATE = 3;
}

numbers! {
    /// A command of [`MmuextOp::cmd`].
    u32, MMUEXT_OPS;
    MMUEXT_PIN_L1_TABLE = 0;
    MMUEXT_PIN_L2_TABLE = 1;
    MMUEXT_PIN_L3_TABLE = 2;
    MMUEXT_PIN_L4_TABLE = 3;
    MMUEXT_UNPIN_TABLE = 4;
    MMUEXT_NEW_BASEPTR = 5;
    MMUEXT_TLB_FLUSH_LOCAL = 6;
    MMUEXT_INVLPG_LOCAL = 7;
    MMUEXT_TLB_FLUSH_MULTI = 8;
    MMUEXT_INVLPG_MULTI = 9;
    MMUEXT_TLB_FLUSH_ALL = 10;
    MMUEXT_INVLPG_ALL = 11;
    MMUEXT_FLUSH_CACHE = 12;
    MMUEXT_SET_LDT = 13;
    MMUEXT_NEW_USER_BASEPTR = 15;
    MMUEXT_CLEAR_PAGE = 16;
    MMUEXT_COPY_PAGE = 17;
    MMUEXT_FLUSH_CACHE_GLOBAL = 18;
    MMUEXT_MARK_SUPER = 19;
    MMUEXT_UNMARK_SUPER = 20;
}

numbers! {
    /// A flag of the `update_va_mapping` hypercall.
    u64;
    UVMF_NONE = 0x0;
    UVMF_TLB_FLUSH = 0x1;
    UVMF_INVLPG = 1 << 1;
    UVMF_FLUSHTYPE_MASK = 0x3;
    UVMF_MULTI = 0x0;
    UVMF_LOCAL = 0x0;
    UVMF_ALL = 1 << 2;
}

/// The bits of [`MmuUpdate::ptr`] that hold the command.
pub const MMU_UPDATE_CMD_MASK: u64 = 3;

/// One update: `ptr` is a machine address with a command in its low bits.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MmuUpdate {
    pub ptr: u64,
    pub val: u64,
}

/// One extended operation.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MmuextOp {
    pub cmd: u32,
    pub _pad0: u32,
    /// Union: `mfn`: `u64`, `linear_addr`: `u64`.
    pub arg1: u64,
    /// Union: `nr_ents`: `u32`, `vcpumask`: `u64`, `src_mfn`: `u64`.
    pub arg2: u64,
}
