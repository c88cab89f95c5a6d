//! Port I/O, model-specific and control registers.
//!
//! Why unsafe: these are instructions. All are private to the machine crate, so what is read
//! and written is this crate's responsibility; nothing here touches memory.

use core::arch::asm;

/// Reads a byte from an I/O port.
pub fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: port I/O touches no memory of ours.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Writes a byte to an I/O port.
pub fn outb(port: u16, value: u8) {
    // SAFETY: port I/O touches no memory of ours; no device is given DMA by this crate.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    };
}

/// Reads a 16-bit word from an I/O port.
pub fn inw(port: u16) -> u16 {
    let value;
    // SAFETY: as `inb`.
    unsafe {
        asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Writes a 16-bit word to an I/O port.
pub fn outw(port: u16, value: u16) {
    // SAFETY: as `outb`.
    unsafe {
        asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags))
    };
}

/// Reads a 32-bit word from an I/O port.
pub fn inl(port: u16) -> u32 {
    let value;
    // SAFETY: as `inb`.
    unsafe {
        asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags))
    };
    value
}

/// Writes a 32-bit word to an I/O port.
pub fn outl(port: u16, value: u32) {
    // SAFETY: as `outb`.
    unsafe {
        asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags))
    };
}

/// Reads 1, 2 or 4 bytes from a port.
pub fn port_in(port: u16, bytes: u8) -> u32 {
    match bytes {
        1 => inb(port) as u32,
        2 => inw(port) as u32,
        _ => inl(port),
    }
}

/// Writes 1, 2 or 4 bytes to a port.
pub fn port_out(port: u16, bytes: u8, value: u32) {
    match bytes {
        1 => outb(port, value as u8),
        2 => outw(port, value as u16),
        _ => outl(port, value),
    }
}

/// Reads a model-specific register that the CPU is known to have; another one is a #GP.
pub fn rdmsr(msr: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading a register changes no memory.
    unsafe {
        asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    (u64::from(high) << 32) | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The value must keep the machine as this crate assumes it (paging, entry points, APIC).
pub unsafe fn wrmsr(msr: u32, value: u64) {
    // SAFETY: the caller's promise. No `nomem`: the write may order or affect memory.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags));
    }
}

/// Model-specific register numbers.
#[allow(missing_docs)]
pub mod msr {
    pub const APIC_BASE: u32 = 0x1b;
    pub const PAT: u32 = 0x277;
    pub const TSC_DEADLINE: u32 = 0x6e0;
    pub const X2APIC: u32 = 0x800;
    pub const EFER: u32 = 0xc000_0080;
    pub const TSC_AUX: u32 = 0xc000_0103;
}

/// Reads the time-stamp counter, not before earlier loads are done.
pub fn rdtsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: LFENCE and RDTSC only read.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    (u64::from(high) << 32) | u64::from(low)
}

/// A CPUID leaf: (eax, ebx, ecx, edx). A leaf beyond the maximum gives unrelated values; see
/// [`cpuid_max`].
pub fn cpuid(leaf: u32, sub: u32) -> (u32, u32, u32, u32) {
    let r = core::arch::x86_64::__cpuid_count(leaf, sub);
    (r.eax, r.ebx, r.ecx, r.edx)
}

/// A CPUID leaf, or zeroes where the CPU does not have it.
pub fn cpuid_max(leaf: u32, sub: u32) -> (u32, u32, u32, u32) {
    let top = cpuid(leaf & 0xffff_0000, 0).0;
    if leaf > top {
        (0, 0, 0, 0)
    } else {
        cpuid(leaf, sub)
    }
}

/// Reads CR2, the address of the last page fault.
pub fn read_cr2() -> u64 {
    let value;
    // SAFETY: only reads.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Reads CR3.
pub fn read_cr3() -> u64 {
    let value;
    // SAFETY: only reads.
    unsafe { asm!("mov {}, cr3", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Reads CR0.
pub fn read_cr0() -> u64 {
    let value;
    // SAFETY: only reads.
    unsafe { asm!("mov {}, cr0", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Reads CR4.
pub fn read_cr4() -> u64 {
    let value;
    // SAFETY: only reads.
    unsafe { asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Sets or clears CR4.TSD: RDTSC in ring 3 faults. It changes nothing for ring 0.
pub fn set_tsd(on: bool) {
    let value = read_cr4() & !(1 << 2) | u64::from(on) << 2;
    // SAFETY: no other bit changes; no memory is mapped or protected by this one.
    unsafe { asm!("mov cr4, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
}

/// Stops this CPU for good.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: nothing runs here again; interrupts are off.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
