//! A virtual CPU's general registers, as the entry code saves and restores them.

/// [`GuestRegs::vector`] of an exit through SYSCALL; the way back may then be SYSRET, which
/// clobbers RCX and R11. Whoever rewrites the frame in another way stores [`VECTOR_NONE`].
pub const VECTOR_SYSCALL: u32 = u32::MAX;
/// [`GuestRegs::vector`] when IRET back to the guest faulted: its frame is not loadable.
pub const VECTOR_IRET_FAULT: u32 = u32::MAX - 1;
/// No exit: forces the full way back through IRET.
pub const VECTOR_NONE: u32 = u32::MAX - 2;

/// The order is the order of the entry code's pushes, then the frame that the CPU pushes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct GuestRegs {
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
    /// Error code of the last exception; zero where the CPU has none.
    pub error: u32,
    /// Why the guest was left: an IDT vector or one of the `VECTOR_` numbers.
    pub vector: u32,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// Bits of RFLAGS.
#[allow(missing_docs)]
pub mod rflags {
    pub const CF: u64 = 1;
    pub const FIXED: u64 = 1 << 1;
    pub const TF: u64 = 1 << 8;
    pub const IF: u64 = 1 << 9;
    pub const DF: u64 = 1 << 10;
    pub const IOPL: u64 = 3 << 12;
    pub const NT: u64 = 1 << 14;
    pub const RF: u64 = 1 << 16;
    pub const VM: u64 = 1 << 17;
    pub const AC: u64 = 1 << 18;
    pub const VIF: u64 = 1 << 19;
    pub const VIP: u64 = 1 << 20;
}
