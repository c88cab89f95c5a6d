//! The entry point: ELF notes, hypercall page, boot stack.
//!
//! Owns `START_INFO`, written once by the assembly before any Rust runs and constant afterwards.
//! Unsafe: the first instructions of a kernel have no stack of their own.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a vCPU's stack; stacks are aligned to their size.
pub const STACK_SIZE: usize = 65536;

/// Virtual address of pseudo-physical address 0.
pub const VIRT_BASE: u64 = 0xffff_ffff_8000_0000;

#[unsafe(no_mangle)]
static START_INFO: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".macro XEN_NOTE_STR type, text:vararg",
    "    .balign 4",
    "    .long 4, 9998f - 9997f, \\type",
    "    .asciz \"Xen\"",
    "9997: .asciz \\text",
    "9998: .balign 4",
    ".endm",
    ".macro XEN_NOTE_NUM type, value",
    "    .balign 4",
    "    .long 4, 8, \\type",
    "    .asciz \"Xen\"",
    "    .quad \\value",
    ".endm",
    ".section .note.Xen, \"a\", @note",
    "    XEN_NOTE_STR 6, \"xenios-guest\"",
    "    XEN_NOTE_STR 7, \"1\"",
    "    XEN_NOTE_STR 5, \"xen-3.0\"",
    "    XEN_NOTE_NUM 3, 0xffffffff80000000",
    "    XEN_NOTE_NUM 4, 0",
    "    XEN_NOTE_NUM 1, _start",
    "    XEN_NOTE_NUM 2, hypercall_page",
    "    XEN_NOTE_STR 9, \"yes\"",
    "    XEN_NOTE_STR 8, \"generic\"",
    "    XEN_NOTE_NUM 17, 0x801",
    // Non-present L1 entries carry no frame number: mask 1, value 1.
    "    .balign 4",
    "    .long 4, 16, 13",
    "    .asciz \"Xen\"",
    "    .quad 1, 1",
    ".section .text.entry, \"ax\", @progbits",
    ".globl _start, hypercall_page",
    ".balign 4096",
    "hypercall_page:",
    "    .skip 4096, 0xcc",
    "_start:",
    "    cld",
    "    lea rsp, [rip + guest_stacks + {size}]",
    "    mov [rip + START_INFO], rsi",
    "    xor ebp, ebp",
    "    call {start}",
    "1:  ud2",
    "    jmp 1b",
    size = const STACK_SIZE,
    start = sym start,
);

unsafe extern "C" {
    fn guest_main();
}

extern "C" fn start() -> ! {
    crate::mem::init();
    crate::console::init();
    crate::traps::init();
    // SAFETY: defined by `kernel!` with this signature; called once, on the boot stack.
    unsafe { guest_main() };
    crate::hypercall::poweroff()
}

/// Virtual address of the `start_info` page that the domain builder left.
pub fn start_info_va() -> u64 {
    START_INFO.load(Ordering::Relaxed)
}
