//! Single instructions that a PV kernel executes or has emulated. Most of them trap where the
//! hypervisor refuses, so call them inside `traps::catch`.
//!
//! Unsafe: inline assembly; none of these touches memory of this kernel.

use core::arch::asm;

macro_rules! read_reg {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> u64 {
            let value: u64;
            // SAFETY: reads a register; traps at worst.
            unsafe { asm!($text, out(reg) value, options(nostack)) };
            value
        }
    )*};
}

macro_rules! write_reg {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(value: u64) {
            // SAFETY: ring 3 code cannot change the register itself; the hypervisor decides.
            unsafe { asm!($text, in(reg) value, options(nostack)) };
        }
    )*};
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name() {
            // SAFETY: touches no memory and no register the compiler uses; traps at worst.
            unsafe { asm!($text) };
        }
    )*};
}

read_reg! {
    /// MOV from CR0.
    cr0 = "mov {}, cr0";
    /// MOV from CR2.
    cr2 = "mov {}, cr2";
    /// MOV from CR3.
    cr3 = "mov {}, cr3";
    /// MOV from CR4.
    cr4 = "mov {}, cr4";
    /// MOV from CR8.
    cr8 = "mov {}, cr8";
    /// MOV from DR7.
    dr7 = "mov {}, dr7";
    /// MOV from DR0.
    dr0 = "mov {}, dr0";
    /// RDFSBASE.
    rdfsbase = "rdfsbase {}";
    /// RDGSBASE.
    rdgsbase = "rdgsbase {}";
    /// SMSW.
    smsw = "smsw {0:e}";
    /// STR.
    str = "str {0:e}";
    /// SLDT.
    sldt = "sldt {0:e}";
    /// The flags.
    flags = "pushfq; pop {}";
    /// The 64-bit word at offset 0 from FS's base.
    read_fs0 = "mov {}, fs:[0]";
    /// The 64-bit word at offset 0 from GS's base.
    read_gs0 = "mov {}, gs:[0]";
    /// The code selector.
    cs = "mov {0:e}, cs";
}

write_reg! {
    /// MOV to CR0.
    write_cr0 = "mov cr0, {}";
    /// MOV to CR2.
    write_cr2 = "mov cr2, {}";
    /// MOV to CR3.
    write_cr3 = "mov cr3, {}";
    /// MOV to CR4.
    write_cr4 = "mov cr4, {}";
    /// MOV to CR8.
    write_cr8 = "mov cr8, {}";
    /// MOV to DR0.
    write_dr0 = "mov dr0, {}";
    /// MOV to DR7.
    write_dr7 = "mov dr7, {}";
    /// WRFSBASE.
    wrfsbase = "wrfsbase {}";
    /// LLDT.
    lldt = "lldt {0:x}";
    /// LTR.
    ltr = "ltr {0:x}";
    /// LMSW.
    lmsw = "lmsw {0:x}";
    /// MOV to FS.
    load_fs = "mov fs, {0:e}";
    /// MOV to GS.
    load_gs = "mov gs, {0:e}";
    /// MOV to DS.
    load_ds = "mov ds, {0:e}";
    /// MOV to ES.
    load_es = "mov es, {0:e}";
}

plain! {
    /// UD2.
    ud2 = "ud2";
    /// INT3.
    int3 = "int3";
    /// INT 0x80.
    int80 = "int 0x80";
    /// INT 0x21, of which nobody may know.
    int21 = "int 0x21";
    /// CLTS.
    clts = "clts";
    /// HLT.
    hlt = "hlt";
    /// CLI.
    cli = "cli";
    /// STI.
    sti = "sti";
    /// SWAPGS.
    swapgs = "swapgs";
    /// WBINVD.
    wbinvd = "wbinvd";
    /// INVD.
    invd = "invd";
    /// An x87 instruction.
    fnop = "fnop";
    /// PAUSE.
    pause = "pause";
    /// VMCALL.
    vmcall = "vmcall";
    /// VMMCALL.
    vmmcall = "vmmcall";
    /// Single-step: sets TF for one instruction.
    single_step = "pushfq; or dword ptr [rsp], 0x100; popfq; nop; nop";
    /// Division by zero.
    div0 = "push rax; push rcx; push rdx; xor ecx, ecx; xor edx, edx; mov eax, 1; div ecx; pop rdx; pop rcx; pop rax";
}

/// CPUID as the processor (or CPUID faulting) gives it.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let r = core::arch::x86_64::__cpuid_count(leaf, subleaf);
    [r.eax, r.ebx, r.ecx, r.edx]
}

/// CPUID with Xen's forced-emulation prefix.
pub fn cpuid_forced(leaf: u32, subleaf: u32) -> [u32; 4] {
    let (a, b, c, d): (u32, u64, u32, u32);
    // SAFETY: the prefix makes Xen emulate CPUID; rbx is kept by hand.
    unsafe {
        asm!(
            "mov {tmp}, rbx",
            ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e",
            "cpuid",
            "xchg {tmp}, rbx",
            tmp = out(reg) b,
            inlateout("eax") leaf => a,
            inlateout("ecx") subleaf => c,
            out("edx") d,
            options(nostack),
        );
    }
    [a, b as u32, c, d]
}

/// RDMSR.
pub fn rdmsr(msr: u32) -> u64 {
    let (lo, hi): (u32, u32);
    // SAFETY: ring 3: the hypervisor emulates it or it traps.
    unsafe { asm!("rdmsr", in("ecx") msr, out("eax") lo, out("edx") hi, options(nostack)) };
    u64::from(hi) << 32 | u64::from(lo)
}

/// WRMSR.
pub fn wrmsr(msr: u32, value: u64) {
    // SAFETY: as `rdmsr`.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack))
    };
}

/// RDTSC.
pub fn rdtsc() -> u64 {
    // SAFETY: reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// RDTSCP: the counter and the register beside it.
pub fn rdtscp() -> (u64, u32) {
    let (lo, hi, aux): (u32, u32, u32);
    // SAFETY: reads registers; traps at worst.
    unsafe { asm!("rdtscp", out("eax") lo, out("edx") hi, out("ecx") aux, options(nostack)) };
    (u64::from(hi) << 32 | u64::from(lo), aux)
}

/// RDPID: the same register.
pub fn rdpid() -> u64 {
    let aux;
    // SAFETY: reads a register; traps at worst.
    unsafe { asm!("rdpid {}", out(reg) aux, options(nostack)) };
    aux
}

/// XGETBV of XCR0.
pub fn xgetbv() -> u64 {
    let (lo, hi): (u32, u32);
    // SAFETY: reads a register; traps at worst.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") lo, out("edx") hi, options(nostack)) };
    u64::from(hi) << 32 | u64::from(lo)
}

/// XSETBV of XCR0.
pub fn xsetbv(value: u64) {
    // SAFETY: ring 3: the hypervisor emulates it or it traps.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack))
    };
}

/// IN of a byte.
pub fn in8(port: u16) -> u8 {
    let value: u8;
    // SAFETY: port access that the hypervisor allows, emulates or refuses.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nostack)) };
    value
}

/// OUT of a byte.
pub fn out8(port: u16, value: u8) {
    // SAFETY: as `in8`.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack)) };
}

/// IN of a doubleword.
pub fn in32(port: u16) -> u32 {
    let value: u32;
    // SAFETY: as `in8`.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nostack)) };
    value
}

/// OUT of a doubleword.
pub fn out32(port: u16, value: u32) {
    // SAFETY: as `in8`.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack)) };
}

/// INVLPG.
pub fn invlpg(va: u64) {
    // SAFETY: ring 3: the hypervisor emulates it or it traps.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack)) };
}

/// LGDT of a null pointer-and-limit.
pub fn lgdt() {
    let pseudo = [0u64; 2];
    // SAFETY: ring 3 cannot load the register: it traps.
    unsafe { asm!("lgdt [{}]", in(reg) &raw const pseudo, options(nostack)) };
}

/// LIDT of a null pointer-and-limit.
pub fn lidt() {
    let pseudo = [0u64; 2];
    // SAFETY: as `lgdt`.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pseudo, options(nostack)) };
}

/// Calls an address; for code of the pool's pages only.
///
/// # Panics
/// When the address is not in the pool.
pub fn call_at(page: crate::mem::Page) {
    // SAFETY: the page holds code that the test wrote and that ends in RET, or traps.
    unsafe { asm!("call {}", in(reg) page.va(), clobber_abi("C")) };
}

/// Jumps to any address, to see how the jump traps. Inside `catch` only.
pub fn jump_to(va: u64) {
    // SAFETY: used for addresses that cannot execute: the trap ends the `catch`.
    unsafe { asm!("call {}", in(reg) va, clobber_abi("C")) };
}

/// Far call through a selector, as call gates are entered. Inside `catch` only.
pub fn far_call(selector: u16) {
    let pointer: [u16; 3] = [0, 0, selector];
    // SAFETY: a selector without a valid gate traps.
    unsafe { asm!("call fword ptr [{}]", in(reg) &raw const pointer, clobber_abi("C")) };
}

/// Puts a value into XMM0, XMM15 and an x87 register, runs `between`, and reads them back.
///
/// `between` must not use them itself, which the kernels, built without them, do not.
pub fn fpu_across(value: u64, between: extern "C" fn()) -> [u64; 3] {
    let mut read = [0u64; 3];
    // SAFETY: the kernel is built without SSE and x87, so these registers are free; the pointers
    // are in registers that the C ABI keeps, and lead to this function's own words.
    unsafe {
        asm!(
            "push rbx",
            "mov rbx, {value}",
            "fninit",
            "movq xmm0, [rbx]",
            "movq xmm15, [rbx]",
            "fild qword ptr [rbx]",
            "mov rbx, rsp",
            "and rsp, -16",
            "call {between}",
            "mov rsp, rbx",
            "pop rbx",
            "movq [r12], xmm0",
            "movq [r12 + 8], xmm15",
            "fistp qword ptr [r12 + 16]",
            value = in(reg) &raw const value,
            between = in(reg) between,
            in("r12") read.as_mut_ptr(),
            clobber_abi("C"),
        );
    }
    read
}
