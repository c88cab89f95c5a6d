//! A vCPU's registers and traps as tools and guests set them.
//! `arch-x86/xen.h`, `arch-x86/xen-x86_64.h`.

use crate::forms::{numbers, zeroed_default};
use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

bitflags! {
    /// [`VcpuGuestContext::flags`], and the flags of [`IretContext`] (only
    /// [`Vgcf::IN_SYSCALL`]).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Vgcf: u64 {
        /// `VGCF_i387_valid`: the FPU state is valid.
        const I387_VALID = 1 << 0;
        /// `VGCF_in_kernel`: the guest is in its kernel mode.
        const IN_KERNEL = 1 << 2;
        /// `VGCF_failsafe_disables_events`.
        const FAILSAFE_DISABLES_EVENTS = 1 << 3;
        /// `VGCF_syscall_disables_events`.
        const SYSCALL_DISABLES_EVENTS = 1 << 4;
        /// `VGCF_online`: the vCPU is up.
        const ONLINE = 1 << 5;
        /// `VGCF_in_syscall`: `iret` returns with SYSRET's register rules.
        const IN_SYSCALL = 1 << 8;
    }
}

numbers! {
    /// A flag of [`VcpuGuestContext::flags`].
    u64;
    VGCF_i387_valid = 1;
    VGCF_in_kernel = 1 << 2;
    VGCF_failsafe_disables_events = 1 << 3;
    VGCF_syscall_disables_events = 1 << 4;
    VGCF_online = 1 << 5;
}

numbers! {
    /// A flag of [`IretContext::flags`]: return with SYSRET's register rules.
    u64;
    VGCF_in_syscall = 1 << 8;
}

/// Mask of the privilege level in [`TrapInfo::flags`].
pub const TI_DPL_MASK: u8 = 3;

/// Bit of [`TrapInfo::flags`]: mask events on entry.
pub const TI_IF: u8 = 4;

/// A vCPU's general registers, and the frame of a trap.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CpuUserRegs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub error_code: u32,
    pub entry_vector: u32,
    pub rip: u64,
    pub cs: u16,
    pub _pad0: [u16; 1],
    pub saved_upcall_mask: u8,
    pub _pad1: [u8; 3],
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u16,
    pub _pad2: [u16; 3],
    pub es: u16,
    pub _pad3: [u16; 3],
    pub ds: u16,
    pub _pad4: [u16; 3],
    pub fs: u16,
    pub _pad5: [u16; 3],
    pub gs: u16,
    pub _pad6: [u16; 3],
}

/// An entry of a PV guest's trap table.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct TrapInfo {
    pub vector: u8,
    pub flags: u8,
    pub cs: u16,
    pub _pad0: u32,
    pub address: u64,
}

/// All that starts or saves a PV vCPU.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VcpuGuestContext {
    pub fpu_ctxt: [u8; 512],
    pub flags: u64,
    pub user_regs: CpuUserRegs,
    pub trap_ctxt: [TrapInfo; 256],
    pub ldt_base: u64,
    pub ldt_ents: u64,
    pub gdt_frames: [u64; 16],
    pub gdt_ents: u64,
    pub kernel_ss: u64,
    pub kernel_sp: u64,
    pub ctrlreg: [u64; 8],
    pub debugreg: [u64; 8],
    pub event_callback_eip: u64,
    pub failsafe_callback_eip: u64,
    pub syscall_callback_eip: u64,
    pub vm_assist: u64,
    pub fs_base: u64,
    pub gs_base_kernel: u64,
    pub gs_base_user: u64,
}

/// The frame on the stack at the `iret` hypercall.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct IretContext {
    pub rax: u64,
    pub r11: u64,
    pub rcx: u64,
    pub flags: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// A leaf of a CPU policy.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CpuidLeaf {
    pub leaf: u32,
    pub subleaf: u32,
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub d: u32,
}

/// An MSR of a CPU policy.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MsrEntry {
    pub idx: u32,
    pub flags: u32,
    pub val: u64,
}

/// The x86 part of a new domain's configuration.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ArchDomainconfig {
    pub emulation_flags: u32,
    pub misc_flags: u32,
}

numbers! {
    /// An emulated device of [`ArchDomainconfig::emulation_flags`].
    u32;
    XEN_X86_EMU_LAPIC = 1;
    XEN_X86_EMU_HPET = 1 << 1;
    XEN_X86_EMU_PM = 1 << 2;
    XEN_X86_EMU_RTC = 1 << 3;
    XEN_X86_EMU_IOAPIC = 1 << 4;
    XEN_X86_EMU_PIC = 1 << 5;
    XEN_X86_EMU_VGA = 1 << 6;
    XEN_X86_EMU_IOMMU = 1 << 7;
    XEN_X86_EMU_PIT = 1 << 8;
    XEN_X86_EMU_USE_PIRQ = 1 << 9;
    XEN_X86_EMU_VPCI = 1 << 10;
    XEN_X86_EMU_ALL = 2047;
}

numbers! {
    /// A flag of [`ArchDomainconfig::misc_flags`].
    u32;
    XEN_X86_MSR_RELAXED = 1;
    XEN_X86_MISC_FLAGS_MAX = 1;
}

numbers! {
    /// In [`CpuidLeaf::subleaf`]: the leaf has no subleaves.
    u32;
    XEN_CPUID_NO_SUBLEAF = 0xffff_ffff;
}

zeroed_default!(VcpuGuestContext);
