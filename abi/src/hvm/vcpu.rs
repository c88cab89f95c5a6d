//! A vCPU's start state as an HVM guest gives it to `VCPUOP_initialise`,
//! and the table that firmware reads. `hvm/hvm_vcpu.h`, `hvm/hvm_info_table.h`,
//! `hvm/e820.h`.

use crate::forms::{numbers, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A mode of [`VcpuHvmContext::mode`].
    u32;
    VCPU_HVM_MODE_32B = 0;
    VCPU_HVM_MODE_64B = 1;
}

numbers! {
    /// Where [`HvmInfoTable`] lies in guest memory, and its limits.
    u32;
    HVM_INFO_PFN = 0x9f;
    HVM_INFO_OFFSET = 0x800;
    HVM_INFO_PADDR = 0x9_f800;
    HVM_MAX_VCPUS = 128;
}

numbers! {
    /// Where firmware finds the memory map, and where the low hole starts.
    u64;
    HVM_E820_PAGE = 0x9_0000;
    HVM_E820_NR_OFFSET = 0x1e8;
    HVM_E820_OFFSET = 0x2d0;
    HVM_BELOW_4G_RAM_END = 0xf000_0000;
    HVM_BELOW_4G_MMIO_START = 0xf000_0000;
    HVM_BELOW_4G_MMIO_LENGTH = 1 << 28;
}

/// Start state in 32-bit mode.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuHvmX8632 {
    pub eax: u32,
    pub ecx: u32,
    pub edx: u32,
    pub ebx: u32,
    pub esp: u32,
    pub ebp: u32,
    pub esi: u32,
    pub edi: u32,
    pub eip: u32,
    pub eflags: u32,
    pub cr0: u32,
    pub cr3: u32,
    pub cr4: u32,
    pub pad1: u32,
    pub efer: u64,
    pub cs_base: u32,
    pub ds_base: u32,
    pub ss_base: u32,
    pub es_base: u32,
    pub tr_base: u32,
    pub cs_limit: u32,
    pub ds_limit: u32,
    pub ss_limit: u32,
    pub es_limit: u32,
    pub tr_limit: u32,
    pub cs_ar: u16,
    pub ds_ar: u16,
    pub ss_ar: u16,
    pub es_ar: u16,
    pub tr_ar: u16,
    pub pad2: [u16; 3],
}

/// Start state in 64-bit mode.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuHvmX8664 {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbx: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
}

/// A vCPU's start state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuHvmContext {
    pub mode: u32,
    pub pad: u32,
    /// Union: `x86_32`: [`VcpuHvmX8632`], `x86_64`: [`VcpuHvmX8664`].
    pub cpu_regs: [u64; 15],
}

/// What firmware learns of its domain.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmInfoTable {
    pub signature: [u8; 8],
    pub length: u32,
    pub checksum: u8,
    pub apic_mode: u8,
    pub _pad0: u16,
    pub nr_vcpus: u32,
    pub low_mem_pgend: u32,
    pub reserved_mem_pgstart: u32,
    pub high_mem_pgend: u32,
    pub vcpu_online: [u8; 16],
}

payload! {
    VcpuHvmContext.cpu_regs;
}
