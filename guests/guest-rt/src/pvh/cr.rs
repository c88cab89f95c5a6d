//! Control and debug registers, and instructions that a virtual machine may refuse.
//!
//! Unsafe: the instructions. The values are the kernels' business: each puts back what it finds.

use core::arch::asm;

macro_rules! register {
    ($($(#[$doc:meta])* $read:ident $write:ident $name:literal;)*) => {$(
        $(#[$doc])*
        pub fn $read() -> u64 {
            let value;
            // SAFETY: reads a register.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nostack)) };
            value
        }
        /// Writes it.
        pub fn $write(value: u64) {
            // SAFETY: see the module.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack)) };
        }
    )*};
}

register! {
    /// CR0.
    read0 write0 "cr0";
    /// CR3.
    read3 write3 "cr3";
    /// CR4.
    read4 write4 "cr4";
    /// CR8.
    read8 write8 "cr8";
    /// DR0.
    read_dr0 write_dr0 "dr0";
}

/// VMRUN of an address that is nothing.
pub fn vmrun() {
    // SAFETY: refused without SVM.
    unsafe { asm!("vmrun", in("rax") 0, options(nostack)) };
}

/// Intel's VMCALL.
pub fn vmcall() {
    // SAFETY: refused on AMD.
    unsafe { asm!("vmcall", out("rax") _, options(nostack)) };
}

/// CPUID behind a prefix that means nothing there.
pub fn cpuid_prefixed(leaf: u32) -> [u32; 4] {
    let (a, b, c, d): (u32, u64, u32, u32);
    // SAFETY: CPUID; rbx is kept by hand.
    unsafe {
        asm!(
            "mov {tmp}, rbx",
            ".byte 0x3e, 0x48",
            "cpuid",
            "xchg {tmp}, rbx",
            tmp = out(reg) b,
            inlateout("eax") leaf => a,
            inlateout("ecx") 0 => c,
            out("edx") d,
            options(nostack),
        );
    }
    [a, b as u32, c, d]
}

/// RDMSR behind a prefix that means nothing there.
pub fn rdmsr_prefixed(msr: u32) -> u64 {
    let (lo, hi): (u32, u32);
    // SAFETY: RDMSR.
    unsafe {
        asm!(".byte 0x3e", "rdmsr", in("ecx") msr, out("eax") lo, out("edx") hi, options(nostack))
    };
    u64::from(hi) << 32 | u64::from(lo)
}
