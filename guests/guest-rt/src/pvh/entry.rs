//! The PVH entry point: from 32-bit flat code to 64-bit code on the image's own page tables.
//!
//! Owns `PVH_INFO`, written once before any Rust runs. Unsafe: the first instructions, and
//! reading what the builder left in memory.

use crate::entry::{STACK_SIZE, VIRT_BASE};
use crate::insn;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use xen_abi::hvm::HvmStartInfo;

#[unsafe(no_mangle)]
static PVH_INFO: AtomicU64 = AtomicU64::new(0);

// `symbol + 0x80000000` is a symbol's physical address, modulo 2^64.
global_asm!(
    ".section .note.Xen, \"a\", @note",
    "    .balign 4",
    "    .long 4, 4, 18",
    "    .asciz \"Xen\"",
    "    .long pvh_entry + 0x80000000",
    ".section .text.entry, \"ax\", @progbits",
    ".globl pvh_entry",
    ".code32",
    ".balign 16",
    "pvh_entry:",
    "    cli",
    "    cld",
    "    movl %ebx, %esi",
    "    movl %cr4, %eax",
    "    orl $0x620, %eax", // PAE, OSFXSR, OSXMMEXCPT
    "    movl %eax, %cr4",
    "    movl $(pvh_l4 + 0x80000000), %eax",
    "    movl %eax, %cr3",
    "    movl $0xc0000080, %ecx",
    "    rdmsr",
    "    orl $0x901, %eax", // NXE, LME, SCE
    "    wrmsr",
    "    movl $0x80010033, %eax", // PG, WP, NE, ET, MP, PE
    "    movl %eax, %cr0",
    "    lgdt pvh_gdt_pointer + 0x80000000",
    "    ljmpl $8, $(1f + 0x80000000)",
    ".code64",
    "1:  movabsq $2f, %rax",
    "    jmpq *%rax",
    "2:  movl $16, %eax",
    "    movl %eax, %ds",
    "    movl %eax, %es",
    "    movl %eax, %ss",
    "    xorl %eax, %eax",
    "    movl %eax, %fs",
    "    movl %eax, %gs",
    "    leaq guest_stacks + {size}(%rip), %rsp",
    "    lgdt pvh_gdt_pointer_high(%rip)",
    "    movl %esi, %esi",
    "    movq %rsi, PVH_INFO(%rip)",
    "    xorl %ebp, %ebp",
    "    callq {start}",
    "3:  ud2",
    "    jmp 3b",
    ".section .data.pvh, \"aw\", @progbits",
    ".balign 8",
    "pvh_gdt:",
    "    .quad 0",
    "    .quad 0x00af9b000000ffff", // 64-bit code
    "    .quad 0x00cf93000000ffff", // data
    "    .quad 0x00cf9b000000ffff", // 32-bit code
    "    .quad 0x00cffb000000ffff", // 32-bit code of ring 3
    "    .quad 0x00cff3000000ffff", // data of ring 3
    "pvh_gdt_end:",
    "pvh_gdt_pointer:",
    "    .short pvh_gdt_end - pvh_gdt - 1",
    "    .quad pvh_gdt + 0x80000000",
    ".globl pvh_gdt_pointer_high",
    "pvh_gdt_pointer_high:",
    "    .short pvh_gdt_end - pvh_gdt - 1",
    "    .quad pvh_gdt",
    ".balign 4096",
    ".globl pvh_l4",
    "pvh_l4:",
    "    .quad pvh_l3_low + 0x80000003",
    "    .fill 510, 8, 0",
    "    .quad pvh_l3_high + 0x80000003",
    "pvh_l3_low:",
    "    .quad pvh_l2 + 0x80000003, pvh_l2 + 0x80001003",
    "    .quad pvh_l2 + 0x80002003, pvh_l2 + 0x80003003",
    "    .fill 508, 8, 0",
    "pvh_l3_high:",
    "    .fill 510, 8, 0",
    "    .quad pvh_l2 + 0x80000003, 0",
    ".globl pvh_l2",
    "pvh_l2:",
    "    .set at, 0",
    "    .rept 2048",
    "    .quad (at << 21) + 0x83",
    "    .set at, at + 1",
    "    .endr",
    ".text",
    size = const STACK_SIZE,
    start = sym start,
    options(att_syntax)
);

unsafe extern "C" {
    static hypercall_page: [u8; 4096];
    fn guest_main();
}

/// The first leaf of the hypervisor's own CPUID leaves; `None` when it is not Xen's interface.
pub fn hypervisor_leaf() -> Option<u32> {
    (0x4000_0000..0x4001_0000).step_by(0x100).find(|&base| {
        let [_, b, c, d] = insn::cpuid(base, 0);
        [b, c, d] == [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e]
    })
}

extern "C" fn start() -> ! {
    if let Some(base) = hypervisor_leaf() {
        let msr = insn::cpuid(base + 2, 0)[1];
        insn::wrmsr(msr, &raw const hypercall_page as u64 - VIRT_BASE);
    }
    super::started();
    // SAFETY: defined by `kernel!` with this signature; called once, on the boot stack.
    unsafe { guest_main() };
    crate::hypercall::poweroff()
}

/// A copy of the start-of-day structure; all zero in a PV kernel.
pub fn start_info() -> HvmStartInfo {
    match PVH_INFO.load(Ordering::Relaxed) {
        0 => HvmStartInfo::default(),
        // SAFETY: the builder's structure below 4 GiB, where everything is mapped; plain
        // integers, so any content is a value.
        at => unsafe { core::ptr::read_volatile(at as *const HvmStartInfo) },
    }
}
