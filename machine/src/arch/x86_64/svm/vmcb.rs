//! The virtual machine control block (AMD64 Architecture Programmer's Manual 2, appendix B).
//!
//! Plain data; the fields that are used have names.
#![allow(missing_docs)]

/// A segment register in a VMCB.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VmcbSegment {
    pub selector: u16,
    pub attributes: u16,
    pub limit: u32,
    pub base: u64,
}

/// The block: 1 KiB of control, then the guest's state.
#[repr(C, align(4096))]
pub struct Vmcb {
    /// Reads in the low half, writes in the high half, a bit for each register.
    pub intercept_cr: u32,
    pub intercept_dr: u32,
    pub intercept_exceptions: u32,
    pub intercept: [u32; 3],
    _0: [u8; 0x24],
    _pause: u32,
    pub iopm: u64,
    pub msrpm: u64,
    pub tsc_offset: u64,
    pub asid: u32,
    pub tlb_control: u32,
    /// Virtual interrupt: see the constants in [`vintr`].
    pub vintr: u64,
    pub shadow: u64,
    pub exit_code: u64,
    pub exit_info: [u64; 2],
    pub exit_int_info: u64,
    pub nested: u64,
    _1: [u64; 2],
    pub event: u64,
    pub nested_cr3: u64,
    pub lbr: u64,
    /// What the processor may have kept from the last run.
    pub clean: u32,
    _2: u32,
    pub next_rip: u64,
    _3: [u8; 0x400 - 0xd0],
    /// ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR.
    pub segments: [VmcbSegment; 10],
    _4: [u8; 0x4cb - 0x4a0],
    pub cpl: u8,
    _5: u32,
    pub efer: u64,
    _6: [u8; 0x548 - 0x4d8],
    pub cr4: u64,
    pub cr3: u64,
    pub cr0: u64,
    pub dr7: u64,
    pub dr6: u64,
    pub rflags: u64,
    pub rip: u64,
    _7: [u8; 0x5d8 - 0x580],
    pub rsp: u64,
    _8: [u64; 3],
    pub rax: u64,
    pub star: u64,
    pub lstar: u64,
    pub cstar: u64,
    pub sfmask: u64,
    pub kernel_gs_base: u64,
    pub sysenter_cs: u64,
    pub sysenter_esp: u64,
    pub sysenter_eip: u64,
    pub cr2: u64,
    _9: [u8; 0x668 - 0x648],
    pub pat: u64,
    _10: [u8; 0x1000 - 0x670],
}

macro_rules! at {
    ($($field:ident $offset:literal),*) => {
        $(const _: () = assert!(core::mem::offset_of!(Vmcb, $field) == $offset);)*
    };
}
at!(iopm 0x40, asid 0x58, vintr 0x60, exit_code 0x70, nested 0x90, event 0xa8, clean 0xc0);
at!(next_rip 0xc8, segments 0x400, cpl 0x4cb, efer 0x4d0, cr4 0x548, rip 0x578, rsp 0x5d8);
at!(rax 0x5f8, cr2 0x640, pat 0x668);
const _: () = assert!(size_of::<Vmcb>() == 4096);

/// Bits of [`Vmcb::vintr`].
pub mod vintr {
    /// An interrupt is asked for.
    pub const IRQ: u64 = 1 << 8;
    /// With the highest priority.
    pub const PRIORITY: u64 = 0xf << 16;
    /// Whatever the task priority is.
    pub const IGNORE_TPR: u64 = 1 << 20;
    /// The guest's flag does not mask the host's interrupts.
    pub const MASKING: u64 = 1 << 24;
}

/// Bits of [`Vmcb::clean`], by what changed.
pub mod clean {
    pub const INTERCEPTS: u32 = 1 << 0;
    pub const ASID: u32 = 1 << 2;
    pub const VINTR: u32 = 1 << 3;
    pub const NESTED: u32 = 1 << 4;
    pub const CONTROL: u32 = 1 << 5;
    pub const DEBUG: u32 = 1 << 6;
    pub const TABLES: u32 = 1 << 7;
    pub const SEGMENTS: u32 = 1 << 8;
    pub const CR2: u32 = 1 << 9;
    /// Everything there is.
    pub const ALL: u32 = 0xfff;
}

/// Words of [`Vmcb::intercept`].
pub mod intercept {
    pub const INTR: u32 = 1 << 0;
    pub const NMI: u32 = 1 << 1;
    pub const INIT: u32 = 1 << 3;
    pub const VINTR: u32 = 1 << 4;
    pub const RDTSC: u32 = 1 << 14;
    pub const RDPMC: u32 = 1 << 15;
    pub const CPUID: u32 = 1 << 18;
    pub const INVD: u32 = 1 << 22;
    pub const HLT: u32 = 1 << 24;
    pub const INVLPGA: u32 = 1 << 26;
    pub const IOIO: u32 = 1 << 27;
    pub const MSR: u32 = 1 << 28;
    pub const TASK_SWITCH: u32 = 1 << 29;
    pub const FERR: u32 = 1 << 30;
    pub const SHUTDOWN: u32 = 1 << 31;
    /// Of the second word.
    pub const RDTSCP: u32 = 1 << 7;
    /// Of the second word: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT; WBINVD, MONITOR,
    /// MWAIT, XSETBV, RDPRU.
    pub const SECOND: u32 = 0x7f | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 13 | 1 << 14;
}

/// Values of [`Vmcb::exit_code`].
pub mod exit {
    pub const CR: u64 = 0x00;
    pub const CR_END: u64 = 0x1f;
    pub const EXCEPTION: u64 = 0x40;
    pub const EXCEPTION_END: u64 = 0x5f;
    pub const MACHINE_CHECK: u64 = EXCEPTION + 18;
    pub const INTR: u64 = 0x60;
    pub const NMI: u64 = 0x61;
    pub const VINTR: u64 = 0x64;
    pub const RDTSC: u64 = 0x6e;
    pub const RDPMC: u64 = 0x6f;
    pub const CPUID: u64 = 0x72;
    pub const INVD: u64 = 0x76;
    pub const HLT: u64 = 0x78;
    pub const INVLPGA: u64 = 0x7a;
    pub const IOIO: u64 = 0x7b;
    pub const MSR: u64 = 0x7c;
    pub const SHUTDOWN: u64 = 0x7f;
    pub const VMRUN: u64 = 0x80;
    pub const VMMCALL: u64 = 0x81;
    pub const SKINIT: u64 = 0x86;
    pub const RDTSCP: u64 = 0x87;
    pub const WBINVD: u64 = 0x89;
    pub const MONITOR: u64 = 0x8a;
    pub const MWAIT_ARMED: u64 = 0x8c;
    pub const XSETBV: u64 = 0x8d;
    pub const RDPRU: u64 = 0x8e;
    pub const NPF: u64 = 0x400;
}
