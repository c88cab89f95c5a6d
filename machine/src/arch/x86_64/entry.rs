//! Guest entry and exit, and the IDT's stubs.
//!
//! Why unsafe: nothing but assembly can switch stacks and privilege. The code lies in the
//! image's `.entry` section and runs from a second mapping of it in each CPU's area, so that
//! RIP-relative addresses reach that CPU's own data and no segment base or scratch register is
//! needed. Invariant: the host runs with interrupts off; an interrupt is taken in the guest
//! (where it is an exit) or in `idle`'s one-instruction window (where it is noted).

use super::layout::{AREA_DATA, AREA_ENTRY, AREA_STRIDE, AREA_VA};
use core::arch::global_asm;

/// Selectors in the hypervisor's page of the GDT (Xen's ABI fixes the ring 3 ones).
pub mod selector {
    /// Hypervisor code.
    pub const HOST_CS: u16 = 0xe008;
    /// Hypervisor data.
    pub const HOST_DS: u16 = 0xe010;
    /// Flat ring 3, 32-bit code.
    pub const GUEST_CS32: u16 = 0xe023;
    /// Flat ring 3 data.
    pub const GUEST_SS: u16 = 0xe02b;
    /// Flat ring 3, 64-bit code.
    pub const GUEST_CS64: u16 = 0xe033;
    /// Task state segment.
    pub const TSS: u16 = 0xe040;
    /// Local descriptor table.
    pub const LDT: u16 = 0xe050;
}

global_asm!(
    r#"
    .macro xenios_push_all
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    cld
    .endm
    .macro xenios_pop_all
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    .endm
    // Calls __xenios_host_trap, too far away for a direct call, without a branch that can be
    // predicted from elsewhere.
    .macro xenios_call_trap
    movabs rax, offset __xenios_host_trap
    call 3f
    jmp 5f
3:  call 4f
2:  pause
    lfence
    jmp 2b
4:  mov [rsp], rax
    ret
5:
    .endm

    .section .entry, "ax", @progbits
    .balign 4096
    .globl __xenios_stubs
__xenios_stubs:
    .set vec, 0
    .rept 256
    .balign 16
    .if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17) || (vec == 21) || (vec == 29) || (vec == 30)
    .else
    push 0
    .endif
    mov dword ptr [rsp + 4], vec
    .if (vec == 1) || (vec == 2) || (vec == 8) || (vec == 18)
    jmp .Lxenios_ist
    .else
    jmp .Lxenios_common
    .endif
    .set vec, vec + 1
    .endr

    .balign 16
.Lxenios_common:
    .globl __xenios_patch_clac_1
__xenios_patch_clac_1:
    .byte 0x0f, 0x1f, 0x00          // CLAC where the CPU has SMAP
    test byte ptr [rsp + 16], 3
    jz .Lxenios_host
    cld
.Lxenios_save:
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    .globl __xenios_patch_exit
__xenios_patch_exit:                // a jump to the measures, where there are any
    mov rsp, [rip + __entry_start - {D} + {HOST_RSP}]
    .globl __xenios_exit_rest
__xenios_exit_rest:
    pop rbp
    pop rbx
    ret

    // SYSCALL from ring 3: the stack is still the guest's. The two commonest, a system call of
    // the guest's users and its kernel's `iret`, have short ways of their own.
    .balign 16
    .globl __xenios_syscall
__xenios_syscall:
    mov [rip + __entry_start - {D} + {RSP}], rsp
    cmp byte ptr [rip + __entry_start - {D} + {SHORT}], 2
    je __xenios_short_syscall
    cmp rax, 23                     // iret
    je __xenios_short_iret
    .globl __xenios_long
__xenios_long:
    lea rsp, [rip + __entry_start - {D} + {RSP}]
    mov qword ptr [rip + __entry_start - {D} + {SS}], 0xe02b
    push r11
    push 0xe033
    push rcx
    push -1                         // VECTOR_SYSCALL
    jmp .Lxenios_save

    // SYSCALL from 32-bit code, which only AMD's processors have.
    .balign 16
    .globl __xenios_syscall32
__xenios_syscall32:
    mov [rip + __entry_start - {D} + {RSP}], rsp
    lea rsp, [rip + __entry_start - {D} + {RSP}]
    mov qword ptr [rip + __entry_start - {D} + {SS}], 0xe02b
    push r11
    push 0xe023
    push rcx
    push 0
    mov dword ptr [rsp + 4], 0x101  // VECTOR_SYSCALL32
    jmp .Lxenios_save

    // SYSENTER, which AMD's processors have not in long mode. The stack is at the frame's end
    // already; where the guest was and its stack are not told. Of its flags only IF is off.
    .balign 16
    .globl __xenios_sysenter
__xenios_sysenter:
    push 0xe02b
    push 0
    pushfq
2:  push 2
    popfq
    push 3
    push 0
    push 0
    mov dword ptr [rsp + 4], 0x102  // VECTOR_SYSENTER
    jmp .Lxenios_save
    // With TF on, #DB comes first: it takes that flag away and goes on here.
    .globl __xenios_sysenter_tf
__xenios_sysenter_tf:
    push 0xe02b
    push 0
    pushfq
    or dword ptr [rsp], 0x100
    jmp 2b

    // RDI is the area: into the guest; returns at its next exit. Keeps RBX and RBP only.
    .balign 16
    .globl __xenios_enter
__xenios_enter:
    push rbx
    push rbp
    mov [rdi + {HOST_RSP}], rsp
    .globl __xenios_patch_entry
__xenios_patch_entry:               // a jump to the measures, where there are any
    lea rsp, [rdi + {REGS}]
    pop r15
    .globl __xenios_restore
__xenios_restore:
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    cmp dword ptr [rsp + 36], -1
    jne .Lxenios_iret
    mov rcx, [rsp + 40]
    mov r11, rcx
    shl r11, 16
    sar r11, 16
    cmp r11, rcx
    jne .Lxenios_iret_r11
    mov rdx, [rsp + 8]
    mov rsi, [rsp + 16]
    mov rdi, [rsp + 24]
    mov r11, [rsp + 56]
    mov rsp, [rsp + 64]
    sysretq
.Lxenios_iret_r11:
    mov r11, [rsp - 40]
.Lxenios_iret:
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
    .globl __xenios_iretq
__xenios_iretq:
    iretq

    // A fault, or an interrupt in the idle window, taken by the host itself. IRET to the guest
    // runs from the image's mapping of this code, or from this one (XPTI).
.Lxenios_host:
    push rax
    lea rax, [rip + __xenios_iretq]
    cmp rax, [rsp + 16]
    je 1f
    movabs rax, offset __xenios_iretq
    cmp rax, [rsp + 16]
1:  pop rax
    je .Lxenios_iret_fault
    xenios_push_all
    mov rdi, rsp
    sub rsp, 8
    xenios_call_trap
    add rsp, 8
    xenios_pop_all
    add rsp, 8
    iretq

    // An NMI or the like of the host: it may be on the guest's root table, just before IRET or
    // just after an exit, where the rest of the host is not mapped.
.Lxenios_ist_host:
    xenios_push_all
    mov rdi, rsp
    mov rbx, cr3
    mov rax, [rip + __entry_start - {D} + {HOST_ROOT}]
    mov cr3, rax
    sub rsp, 8
    xenios_call_trap
    add rsp, 8
    mov cr3, rbx
    xenios_pop_all
    add rsp, 8
    iretq

    // IRET to the guest faulted. Its registers are live and its frame is whole above us.
.Lxenios_iret_fault:
    lea rsp, [rip + __entry_start - {D} + {RIP}]
    push 0
    mov dword ptr [rsp + 4], -2     // VECTOR_IRET_FAULT
    jmp .Lxenios_save

    // #DB, NMI, #DF and #MC run on stacks of their own, because SYSCALL leaves the guest's
    // stack pointer in place for a few instructions in which they can strike.
.Lxenios_ist:
    .globl __xenios_patch_clac_2
__xenios_patch_clac_2:
    .byte 0x0f, 0x1f, 0x00
    test byte ptr [rsp + 16], 3
    jz .Lxenios_ist_host
    cld
    mov [rip + __entry_start - {D} + {RAX}], rax
    mov rax, [rsp]
    mov [rip + __entry_start - {D} + {ERROR}], rax
    mov rax, [rsp + 8]
    mov [rip + __entry_start - {D} + {RIP}], rax
    mov rax, [rsp + 16]
    mov [rip + __entry_start - {D} + {CS}], rax
    mov rax, [rsp + 24]
    mov [rip + __entry_start - {D} + {RFLAGS}], rax
    mov rax, [rsp + 32]
    mov [rip + __entry_start - {D} + {RSP}], rax
    mov rax, [rsp + 40]
    mov [rip + __entry_start - {D} + {SS}], rax
    mov rax, [rip + __entry_start - {D} + {RAX}]
    lea rsp, [rip + __entry_start - {D} + {ERROR}]
    // the error slot is kept: the pushes go below it
    jmp .Lxenios_save
    .text
    "#,
    D = const AREA_ENTRY - AREA_DATA,
    REGS = const super::area::REGS,
    HOST_RSP = const super::area::HOST_RSP,
    SHORT = const super::area::SHORT,
    HOST_ROOT = const super::area::HOST_ROOT,
    RAX = const super::area::REGS + 80,
    ERROR = const super::area::REGS + 120,
    RIP = const super::area::REGS + 128,
    CS = const super::area::REGS + 136,
    RFLAGS = const super::area::REGS + 144,
    RSP = const super::area::REGS + 152,
    SS = const super::area::REGS + 160,
);

/// 32-bit SYSCALL (AMD only) from compatibility mode.
pub const VECTOR_SYSCALL32: u32 = 0x101;
/// SYSENTER (not AMD).
pub const VECTOR_SYSENTER: u32 = 0x102;

unsafe extern "C" {
    pub(super) static __entry_start: u8;
    pub(super) static __entry_end: u8;
    pub(super) static __xenios_stubs: u8;
    pub(super) static __xenios_syscall: u8;
    pub(super) static __xenios_syscall32: u8;
    pub(super) static __xenios_sysenter: u8;
    pub(super) static __xenios_sysenter_tf: u8;
    pub(super) static __xenios_patch_clac_1: u8;
    pub(super) static __xenios_patch_clac_2: u8;
    pub(super) static __xenios_patch_exit: u8;
    pub(super) static __xenios_patch_entry: u8;
    pub(super) fn __xenios_enter();
}

/// How far `rip` is from the same place in the image, when it lies in an area's mapping of the
/// entry code; else zero.
pub(super) fn displacement(rip: u64) -> u64 {
    let start = &raw const __entry_start as u64;
    let size = &raw const __entry_end as u64 - start;
    let in_area = (rip & (AREA_STRIDE - 1)).wrapping_sub(AREA_ENTRY);
    if rip >> 39 == AREA_VA >> 39 && in_area < size {
        (rip - in_area).wrapping_sub(start)
    } else {
        0
    }
}
