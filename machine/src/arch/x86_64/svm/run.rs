//! Into the guest and back.
//!
//! Why unsafe: VMRUN and its relatives. The host runs with interrupts off; they are let through
//! only while the guest runs, where they are exits. The global flag is off around the switch,
//! so an interrupt or NMI can come before the guest has begun or after the host is whole again.

use super::super::io::rdmsr;
use crate::regs::GuestRegs;
use core::arch::{asm, global_asm};
use core::mem::offset_of;

global_asm!(
    r#"
    .text
    // extern "C" fn(regs: *mut GuestRegs, vmcb: u64)
    .balign 16
    .globl __xenios_svm_run
__xenios_svm_run:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rdi
    mov rax, rsi
    mov r15, [rdi + {R15}]
    mov r14, [rdi + {R14}]
    mov r13, [rdi + {R13}]
    mov r12, [rdi + {R12}]
    mov rbp, [rdi + {RBP}]
    mov rbx, [rdi + {RBX}]
    mov r11, [rdi + {R11}]
    mov r10, [rdi + {R10}]
    mov r9, [rdi + {R9}]
    mov r8, [rdi + {R8}]
    mov rcx, [rdi + {RCX}]
    mov rdx, [rdi + {RDX}]
    mov rsi, [rdi + {RSI}]
    mov rdi, [rdi + {RDI}]
    clgi
    sti
    vmrun
    cli
    mov rax, [rsp]
    mov [rax + {R15}], r15
    mov [rax + {R14}], r14
    mov [rax + {R13}], r13
    mov [rax + {R12}], r12
    mov [rax + {RBP}], rbp
    mov [rax + {RBX}], rbx
    mov [rax + {R11}], r11
    mov [rax + {R10}], r10
    mov [rax + {R9}], r9
    mov [rax + {R8}], r8
    mov [rax + {RCX}], rcx
    mov [rax + {RDX}], rdx
    mov [rax + {RSI}], rsi
    mov [rax + {RDI}], rdi
    stgi
    pop rdi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
    "#,
    R15 = const offset_of!(GuestRegs, r15),
    R14 = const offset_of!(GuestRegs, r14),
    R13 = const offset_of!(GuestRegs, r13),
    R12 = const offset_of!(GuestRegs, r12),
    RBP = const offset_of!(GuestRegs, rbp),
    RBX = const offset_of!(GuestRegs, rbx),
    R11 = const offset_of!(GuestRegs, r11),
    R10 = const offset_of!(GuestRegs, r10),
    R9 = const offset_of!(GuestRegs, r9),
    R8 = const offset_of!(GuestRegs, r8),
    RCX = const offset_of!(GuestRegs, rcx),
    RDX = const offset_of!(GuestRegs, rdx),
    RSI = const offset_of!(GuestRegs, rsi),
    RDI = const offset_of!(GuestRegs, rdi),
);

unsafe extern "C" {
    pub fn __xenios_svm_run(regs: *mut GuestRegs, vmcb: u64);
}

/// Stores the state that VMRUN leaves alone into the block at `vmcb`.
///
/// # Safety
/// A block that is this CPU's or the loaded vCPU's, with AMD-V on.
pub unsafe fn vmsave(vmcb: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("vmsave", in("rax") vmcb, options(nostack, preserves_flags)) };
}

/// Loads the state that VMRUN leaves alone from the block at `vmcb`.
///
/// # Safety
/// As [`vmsave`]; the host must need none of it until it is exchanged again.
pub unsafe fn vmload(vmcb: u64) {
    // SAFETY: the caller's.
    unsafe { asm!("vmload", in("rax") vmcb, options(nostack, preserves_flags)) };
}

/// Has the host's own handler see a machine check that was intercepted, which it does not come
/// back from. `false` when there is none.
#[cold]
pub fn machine_check() -> bool {
    const MCG_STATUS: u32 = 0x17a;
    const IN_PROGRESS: u64 = 1 << 2;
    let there = rdmsr(MCG_STATUS) & IN_PROGRESS != 0;
    if there {
        // SAFETY: the host's own gate, as the machine check would have gone through.
        unsafe { asm!("int 18") };
    }
    there
}

/// Takes one interrupt that waits, by the host's own table, which notes it.
pub fn take_interrupt() {
    // SAFETY: as in `idle`: the stub notes the vector and turns interrupts off again.
    unsafe { asm!("sti", "nop", "cli", options(nostack)) };
}
