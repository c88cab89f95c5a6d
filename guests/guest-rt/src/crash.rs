//! Ways for a guest to end itself: stacks and returns from which there is no way on.
//!
//! Unsafe: each gives up this kernel's stack for good.

use core::arch::asm;

/// UD2 with the stack pointer at `rsp`.
pub fn ud2_on_stack(rsp: u64) -> ! {
    // SAFETY: nothing of this context is used again; the trap is bounced to `rsp` or kills.
    unsafe { asm!("mov rsp, {}", "ud2", in(reg) rsp, options(noreturn)) }
}

/// The `iret` hypercall with the stack pointer at `rsp`.
pub fn iret_on_stack(rsp: u64) -> ! {
    // SAFETY: as `ud2_on_stack`; the hypercall's own number is put in RAX without a push.
    unsafe { asm!("mov rsp, {}", "mov eax, 23", "syscall", "ud2", in(reg) rsp, options(noreturn)) }
}
