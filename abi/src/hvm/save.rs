//! The stream of an HVM guest's state: descriptors and records.
//! `hvm/save.h`, `arch-x86/hvm/save.h`.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The magic number or version in [`HvmSaveHeader`].
    u32;
    HVM_FILE_MAGIC = 0x5438_1286;
    HVM_FILE_VERSION = 0x1;
}

numbers! {
    /// A record's type code in [`HvmSaveDescriptor::typecode`].
    u16, HVM_SAVE_CODES;
    HVM_SAVE_CODE_END = 0;
    HVM_SAVE_CODE_HEADER = 1;
    HVM_SAVE_CODE_CPU = 2;
    HVM_SAVE_CODE_PIC = 3;
    HVM_SAVE_CODE_IOAPIC = 4;
    HVM_SAVE_CODE_LAPIC = 5;
    HVM_SAVE_CODE_LAPIC_REGS = 6;
    HVM_SAVE_CODE_PCI_IRQ = 7;
    HVM_SAVE_CODE_ISA_IRQ = 8;
    HVM_SAVE_CODE_PCI_LINK = 9;
    HVM_SAVE_CODE_PIT = 10;
    HVM_SAVE_CODE_RTC = 11;
    HVM_SAVE_CODE_HPET = 12;
    HVM_SAVE_CODE_PMTIMER = 13;
    HVM_SAVE_CODE_MTRR = 14;
    HVM_SAVE_CODE_VIRIDIAN_DOMAIN = 15;
    HVM_SAVE_CODE_CPU_XSAVE = 16;
    HVM_SAVE_CODE_VIRIDIAN_VCPU = 17;
    HVM_SAVE_CODE_VMCE_VCPU = 18;
    HVM_SAVE_CODE_TSC_ADJUST = 19;
    HVM_SAVE_CODE_CPU_MSR = 20;
}

numbers! {
    /// The highest type code.
    u16;
    HVM_SAVE_CODE_MAX = 20;
}

numbers! {
    /// A flag of [`HvmHwCpu::flags`].
    u32;
    XEN_X86_FPU_INITIALISED = 1;
}

/// The head of each record: `length` bytes follow.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmSaveDescriptor {
    pub typecode: u16,
    pub instance: u16,
    pub length: u32,
}

/// The stream's first record.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmSaveHeader {
    pub magic: u32,
    pub version: u32,
    pub changeset: u64,
    pub cpuid: u32,
    pub gtsc_khz: u32,
}

/// A vCPU's registers.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwCpu {
    pub fpu_regs: [u8; 512],
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rsp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub dr0: u64,
    pub dr1: u64,
    pub dr2: u64,
    pub dr3: u64,
    pub dr6: u64,
    pub dr7: u64,
    pub cs_sel: u32,
    pub ds_sel: u32,
    pub es_sel: u32,
    pub fs_sel: u32,
    pub gs_sel: u32,
    pub ss_sel: u32,
    pub tr_sel: u32,
    pub ldtr_sel: u32,
    pub cs_limit: u32,
    pub ds_limit: u32,
    pub es_limit: u32,
    pub fs_limit: u32,
    pub gs_limit: u32,
    pub ss_limit: u32,
    pub tr_limit: u32,
    pub ldtr_limit: u32,
    pub idtr_limit: u32,
    pub gdtr_limit: u32,
    pub cs_base: u64,
    pub ds_base: u64,
    pub es_base: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ss_base: u64,
    pub tr_base: u64,
    pub ldtr_base: u64,
    pub idtr_base: u64,
    pub gdtr_base: u64,
    pub cs_arbytes: u32,
    pub ds_arbytes: u32,
    pub es_arbytes: u32,
    pub fs_arbytes: u32,
    pub gs_arbytes: u32,
    pub ss_arbytes: u32,
    pub tr_arbytes: u32,
    pub ldtr_arbytes: u32,
    pub sysenter_cs: u64,
    pub sysenter_esp: u64,
    pub sysenter_eip: u64,
    pub shadow_gs: u64,
    pub msr_flags: u64,
    pub msr_lstar: u64,
    pub msr_star: u64,
    pub msr_cstar: u64,
    pub msr_syscall_mask: u64,
    pub msr_efer: u64,
    pub msr_tsc_aux: u64,
    pub tsc: u64,
    pub pending_event: u32,
    pub error_code: u32,
    pub flags: u32,
    pub pad0: u32,
}

/// Memory types of a vCPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwMtrr {
    pub msr_pat_cr: u64,
    pub msr_mtrr_var: [u64; 16],
    pub msr_mtrr_fixed: [u64; 11],
    pub msr_mtrr_cap: u64,
    pub msr_mtrr_def_type: u64,
}

/// The header of an XSAVE area.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwCpuXsaveHdr {
    pub xstate_bv: u64,
    pub xcomp_bv: u64,
    pub reserved: [u64; 6],
}

/// The `save_area` part of [`HvmHwCpuXsave`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwCpuXsaveSaveArea {
    pub fpu_sse: [u8; 512],
    pub xsave_hdr: HvmHwCpuXsaveHdr,
}

/// Extended state of a vCPU; longer in the stream, by its feature mask.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwCpuXsave {
    pub xfeature_mask: u64,
    pub xcr0: u64,
    pub xcr0_accum: u64,
    pub save_area: HvmHwCpuXsaveSaveArea,
}

/// A domain's Hyper-V state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmViridianDomainContext {
    pub hypercall_gpa: u64,
    pub guest_os_id: u64,
    pub time_ref_count: u64,
    pub reference_tsc: u64,
}

/// A vCPU's Hyper-V state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmViridianVcpuContext {
    pub vp_assist_msr: u64,
    pub apic_assist_pending: u8,
    pub _pad: [u8; 7],
    pub simp_msr: u64,
    pub sint_msr: [u64; 16],
    pub stimer_config_msr: [u64; 4],
    pub stimer_count_msr: [u64; 4],
}

/// A vCPU's virtual machine-check state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmVmceVcpu {
    pub caps: u64,
    pub mci_ctl2_bank0: u64,
    pub mci_ctl2_bank1: u64,
    pub mcg_ext_ctl: u64,
}

/// A vCPU's TSC_ADJUST.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmTscAdjust {
    pub tsc_adjust: u64,
}

/// A vCPU's further MSRs: `count` of them follow.
/// In memory an array `msr` follows.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmMsr {
    pub count: u32,
    pub _pad0: u32,
}

/// One MSR.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmOneMsr {
    pub index: u32,
    pub _rsvd: u32,
    pub val: u64,
}

zeroed_default!(HvmHwCpu, HvmHwCpuXsaveSaveArea, HvmHwCpuXsave);
