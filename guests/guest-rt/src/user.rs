//! User mode: a second set of page tables, and the way there and back.
//!
//! [`enter`] leaves through the `iret` hypercall; whatever trap or `SYSCALL` user mode raises
//! comes back as a [`Fault`].
//!
//! Unsafe: the stack frame for `iret`.

use crate::hypercall;
use crate::traps::{self, Fault};
use core::arch::{asm, global_asm};
use xen_abi::arch_x86::FLAT_KERNEL_SS;

global_asm!(
    ".section .text.user, \"ax\", @progbits",
    ".globl user_iret",
    // user_iret(rdi: *const [rip, cs, rflags, rsp, ss, rax, flags])
    "user_iret:",
    "    mov rax, [rdi + 40]",
    "    push [rdi + 32]",
    "    push [rdi + 24]",
    "    push [rdi + 16]",
    "    push [rdi + 8]",
    "    push [rdi]",
    "    push [rdi + 48]",
    "    jmp hypercall_page + 23 * 32",
);

unsafe extern "C" {
    fn user_iret(frame: *const [u64; 7]) -> !;
}

/// The registers with which `iret` leaves this context.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Instruction pointer.
    pub rip: u64,
    /// Code selector; its privilege level 3 means user mode, 0 to 2 kernel mode.
    pub cs: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u64,
    /// rax.
    pub rax: u64,
    /// `VGCF_in_syscall` or 0.
    pub flags: u64,
}

/// `iret` to the target; the trap that ends it. The kernel stack is moved below this frame first.
pub fn enter(target: Target) -> Fault {
    let result = traps::catch(|| {
        let rsp: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack)) };
        let kernel_sp = (rsp - 8192) & !15;
        let _ = hypercall::call(
            xen_abi::hypercall::STACK_SWITCH,
            [u64::from(FLAT_KERNEL_SS), kernel_sp, 0, 0, 0],
        );
        leave(target)
    });
    match result {
        Ok(never) => never,
        Err(fault) => fault,
    }
}

/// `iret` to the target. What comes back goes to the kernel's stack as it was set.
pub fn leave(target: Target) -> ! {
    let t = target;
    let frame = [t.rip, t.cs, t.rflags, t.rsp, t.ss, t.rax, t.flags];
    // SAFETY: the frame is complete; the context left behind is resumed by `catch` alone, and
    // the stack above the one that was set is not touched by a trap.
    unsafe { user_iret(&raw const frame) }
}
