//! The short ways between a guest's users and its kernel: a system call, and the kernel's
//! `iret`, served by the entry code alone.
//!
//! Why unsafe: assembly that reads and writes the guest's stack and loads CR3. It does what the
//! policy would do at such an exit, by values that the policy gave ([`Shortcut`]), and leaves
//! everything unusual to it: then nothing has been changed but the guest's own stack.
//! Invariant: a root table is loaded only while its type word says that it is a validated L4;
//! the guest's stack lies outside the hypervisor's slots; faults there are in the exception
//! table; SMAP is lifted for these accesses only. The host's stack below `HOST_RSP` is free
//! while a guest runs, and is the stack here. Never armed when anything has to be done against
//! speculation at exits or entries, or when the guest runs on copies of its root tables.

use super::area::{self, Area, Short};
use super::layout::{AREA_DATA, AREA_ENTRY, DIRECT_MAP_VA, HYPERVISOR_END};
use crate::cpu::{Shortcut, guest_va_ok};
use crate::frame::{Page, PageType};
use crate::measures::{Ibrs, Measures};
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::AtomicU64;

/// The type word of no table.
static NO_ROOT: AtomicU64 = AtomicU64::new(0);
/// Bit of [`Short::state`]: the kernel runs.
const KERNEL: u64 = 1;
/// Bit of [`Short::state`]: the short ways may be taken.
const ARMED: u64 = 2;
/// Bytes of a frame without an error code.
const FRAME: u64 = 56;

global_asm!(
    r#"
    // Names an item of the running CPU's area.
    .macro xenios_area op, offset, reg
    \op \reg, [rip + __entry_start - {D} + \offset]
    .endm
    .macro xenios_to_area offset, reg
    mov [rip + __entry_start - {D} + \offset], \reg
    .endm
    // An access to the guest's memory; a fault goes on at \fix.
    .macro xenios_guest fix, insn:vararg
77: \insn
    .pushsection .ex_table, "a"
    .balign 8
    .quad 77b, \fix
    .popsection
    .endm
    // Goes on at \fail unless the type word that the item points to is a validated L4's.
    .macro xenios_is_root offset, reg, reg32, fail
    xenios_area mov, \offset, \reg
    mov \reg, [\reg]
    shr \reg, 58                    // type in bits 2 to 5, pinned 1, validated 0
    and \reg32, 0x3d
    cmp \reg32, {VALID_L4}
    jne \fail
    .endm

    .section .entry, "ax", @progbits
    // A system call of the users: the frame goes to the kernel's stack, and its handler runs.
    .balign 16
    .globl __xenios_short_syscall
__xenios_short_syscall:
    xenios_to_area {RAX}, rax
    xenios_to_area {RDX}, rdx
    xenios_area mov, {HOST_RSP}, rsp
    xenios_is_root {KERNEL_TYPE}, rax, eax, __xenios_short_syscall_not
    xenios_to_area {RCX}, rcx
    xenios_area mov, {KERNEL_CR3}, rax
    mov cr3, rax
    swapgs
    xenios_area mov, {INFO}, rax
    cmp byte ptr [rax + 1], 1
    sbb edx, edx                    // all ones when events were not masked
    xenios_area mov, {FRAME}, rax
    .globl __xenios_patch_stac_3
__xenios_patch_stac_3:
    .byte 0x0f, 0x1f, 0x00
    xenios_guest __xenios_short_syscall_undo, mov [rax], rcx
    xenios_guest __xenios_short_syscall_undo, mov [rax + 8], r11
    xenios_guest __xenios_short_syscall_undo, mov [rax + 16], rcx
    lea ecx, [rdx + 1]
    xenios_guest __xenios_short_syscall_undo, mov dword ptr [rax + 24], 0xe033
    xenios_guest __xenios_short_syscall_undo, mov [rax + 28], ecx
    mov ecx, r11d
    and edx, {IF}
    and ecx, {NOT_IF_IOPL}
    or ecx, edx
    xenios_area or, {FLAGS}, rcx
    xenios_guest __xenios_short_syscall_undo, mov [rax + 32], rcx
    xenios_area mov, {RSP}, rcx
    xenios_guest __xenios_short_syscall_undo, mov [rax + 40], rcx
    xenios_guest __xenios_short_syscall_undo, mov qword ptr [rax + 48], 0xe02b
    .globl __xenios_patch_clac_5
__xenios_patch_clac_5:
    .byte 0x0f, 0x1f, 0x00
    xenios_area mov, {INFO}, rdx
    mov byte ptr [rdx + 1], 1
    mov byte ptr [rip + __entry_start - {D} + {STATE}], 3
    and r11d, {NOT_CLEARED}
    or r11d, {IF}
    xenios_area mov, {ENTRY}, rcx
    xenios_area mov, {RDX}, rdx
    mov rsp, rax
    xenios_area mov, {RAX}, rax
    sysretq
__xenios_short_syscall_undo:        // the frame cannot be written: as if nothing had been done
    .globl __xenios_patch_clac_6
__xenios_patch_clac_6:
    .byte 0x0f, 0x1f, 0x00
    xenios_area mov, {USER_CR3}, rax
    mov cr3, rax
    swapgs
    xenios_area mov, {RCX}, rcx
__xenios_short_syscall_not:
    xenios_area mov, {RAX}, rax
    xenios_area mov, {RDX}, rdx
    jmp __xenios_long

    // The kernel's `iret`: to itself or to its users, by the frame at its stack pointer.
    .balign 16
    .globl __xenios_short_iret
__xenios_short_iret:
    cmp byte ptr [rip + __entry_start - {D} + {STATE}], 3
    jne __xenios_long
    xenios_to_area {RBX}, rbx
    xenios_to_area {RCX}, rcx
    xenios_to_area {RDX}, rdx
    xenios_to_area {RSI}, rsi
    xenios_to_area {R11}, r11
    mov rax, rsp
    xenios_area mov, {HOST_RSP}, rsp
    movabs rdx, {GUEST_START}
    cmp rax, rdx
    jb __xenios_short_iret_not
    cmp rax, -80
    ja __xenios_short_iret_not
    xenios_area mov, {INFO}, rbx
    .globl __xenios_patch_stac_4
__xenios_patch_stac_4:
    .byte 0x0f, 0x1f, 0x00
    xenios_guest __xenios_short_iret_not, test byte ptr [rax + 25], 1
    jnz __xenios_short_iret_not     // VGCF_in_syscall
    xenios_guest __xenios_short_iret_not, mov rcx, [rax + 32]
    xenios_to_area {RIP}, rcx
    xenios_guest __xenios_short_iret_not, movzx edx, word ptr [rax + 64]
    or edx, 3
    xenios_to_area {SS}, rdx
    xenios_guest __xenios_short_iret_not, mov rsi, [rax + 56]
    xenios_guest __xenios_short_iret_not, movzx ecx, word ptr [rax + 40]
    xenios_guest __xenios_short_iret_not, mov rdx, [rax + 48]
    bt edx, 9                       // IF
    jnc 2f
    cmp byte ptr [rbx], 0
    jne __xenios_short_iret_not     // an event is to be delivered first
2:  mov r11d, ecx
    or ecx, 3
    xenios_to_area {CS}, rcx
    cmp ecx, r11d
    jne 3f
    xenios_is_root {USER_TYPE}, rcx, ecx, __xenios_short_iret_not
    xenios_guest __xenios_short_iret_not, mov rcx, [rax + 16]
    xenios_guest __xenios_short_iret_not, mov r11, [rax + 8]
    xenios_guest __xenios_short_iret_not, mov rax, [rax]
    .globl __xenios_patch_clac_7
__xenios_patch_clac_7:
    .byte 0x0f, 0x1f, 0x00
    xenios_to_area {RSP}, rsi
    bt edx, 9
    setnc byte ptr [rbx + 1]
    and edx, {NOT_IRET}
    or edx, {IF} + 2
    xenios_to_area {RFLAGS}, rdx
    xenios_area mov, {USER_CR3}, rdx
    mov cr3, rdx
    swapgs
    mov byte ptr [rip + __entry_start - {D} + {STATE}], 2
    xenios_area mov, {RBX}, rbx
    xenios_area mov, {RDX}, rdx
    xenios_area mov, {RSI}, rsi
    lea rsp, [rip + __entry_start - {D} + {RIP}]
    jmp __xenios_iretq
3:  xenios_guest __xenios_short_iret_not, mov rcx, [rax + 16]
    xenios_guest __xenios_short_iret_not, mov r11, [rax + 8]
    xenios_guest __xenios_short_iret_not, mov rax, [rax]
    .globl __xenios_patch_clac_8
__xenios_patch_clac_8:
    .byte 0x0f, 0x1f, 0x00
    xenios_to_area {RSP}, rsi
    bt edx, 9
    setnc byte ptr [rbx + 1]
    and edx, {NOT_IRET}
    or edx, {IF} + 2
    xenios_to_area {RFLAGS}, rdx
    xenios_area mov, {RBX}, rbx
    xenios_area mov, {RDX}, rdx
    xenios_area mov, {RSI}, rsi
    lea rsp, [rip + __entry_start - {D} + {RIP}]
    jmp __xenios_iretq
__xenios_short_iret_not:
    .globl __xenios_patch_clac_9
__xenios_patch_clac_9:
    .byte 0x0f, 0x1f, 0x00
    mov eax, 23
    xenios_area mov, {RBX}, rbx
    xenios_area mov, {RCX}, rcx
    xenios_area mov, {RDX}, rdx
    xenios_area mov, {RSI}, rsi
    xenios_area mov, {R11}, r11
    jmp __xenios_long
    .text
    "#,
    D = const AREA_ENTRY - AREA_DATA,
    HOST_RSP = const area::HOST_RSP,
    RIP = const area::REGS + 128,
    CS = const area::REGS + 136,
    RFLAGS = const area::REGS + 144,
    RSP = const area::REGS + 152,
    SS = const area::REGS + 160,
    STATE = const area::SHORT + offset_of!(Short, state),
    KERNEL_TYPE = const area::SHORT + offset_of!(Short, kernel_type),
    USER_TYPE = const area::SHORT + offset_of!(Short, user_type),
    KERNEL_CR3 = const area::SHORT + offset_of!(Short, kernel_cr3),
    USER_CR3 = const area::SHORT + offset_of!(Short, user_cr3),
    FRAME = const area::SHORT + offset_of!(Short, frame),
    ENTRY = const area::SHORT + offset_of!(Short, entry),
    FLAGS = const area::SHORT + offset_of!(Short, flags),
    INFO = const area::SHORT + offset_of!(Short, info),
    RAX = const area::SHORT + offset_of!(Short, saved),
    RBX = const area::SHORT + offset_of!(Short, saved) + 8,
    RCX = const area::SHORT + offset_of!(Short, saved) + 16,
    RDX = const area::SHORT + offset_of!(Short, saved) + 24,
    RSI = const area::SHORT + offset_of!(Short, saved) + 32,
    R11 = const area::SHORT + offset_of!(Short, saved) + 40,
    VALID_L4 = const crate::frame::VALIDATED_L4,
    GUEST_START = const HYPERVISOR_END,
    IF = const 0x200,
    // As `rflags` names them: IF and IOPL; AC, VM, RF, NT and TF; IOPL, VM, VIF and VIP.
    NOT_IF_IOPL = const !0x3200i32,
    NOT_CLEARED = const !0x7_4100i32,
    NOT_IRET = const !0x1a_3000i32,
);

unsafe extern "C" {
    static __xenios_patch_stac_3: u8;
    static __xenios_patch_stac_4: u8;
    static __xenios_patch_clac_5: u8;
    static __xenios_patch_clac_6: u8;
    static __xenios_patch_clac_7: u8;
    static __xenios_patch_clac_8: u8;
    static __xenios_patch_clac_9: u8;
}

/// Places that get STAC where the processor has SMAP.
pub fn stacs() -> [*const u8; 2] {
    [
        &raw const __xenios_patch_stac_3,
        &raw const __xenios_patch_stac_4,
    ]
}

/// Places that get CLAC where the processor has SMAP.
pub fn clacs() -> [*const u8; 5] {
    [
        &raw const __xenios_patch_clac_5,
        &raw const __xenios_patch_clac_6,
        &raw const __xenios_patch_clac_7,
        &raw const __xenios_patch_clac_8,
        &raw const __xenios_patch_clac_9,
    ]
}

/// Whether nothing has to be done at exits and entries that the short ways would leave out.
pub fn possible(measures: &Measures) -> bool {
    !(measures.xpti() || measures.verw || measures.rsb_on_exit || measures.ibrs == Ibrs::OnExit)
}

/// Where `root`'s type word is, and the value for CR3.
fn root(root: Option<&Page>) -> (u64, u64) {
    match root {
        Some(page) if page.info().is_validated(PageType::L4) => {
            ((&raw const page.info().typ) as u64, page.mfn().addr())
        }
        _ => (&raw const NO_ROOT as u64, 0),
    }
}

/// Gives the entry code what it needs, or has it take the long way.
pub fn set(area: &mut Area, shortcut: Option<&Shortcut<'_>>) {
    area.short.state &= KERNEL;
    let Some(new) = shortcut else { return };
    let (kernel_type, kernel_cr3) = root(new.syscall.and(new.kernel_root));
    let (user_type, user_cr3) = root(new.user_root);
    let handler = new.syscall.unwrap_or(0);
    let frame = (new.kernel_sp & !15).wrapping_sub(FRAME);
    let (page, offset) = new.info;
    let canonical = ((handler << 16) as i64 >> 16) as u64 == handler;
    let fits = offset.checked_add(8).is_some_and(|end| end <= 4096);
    if !canonical || !fits || !guest_va_ok(frame, FRAME as usize) {
        return;
    }
    let short = &mut area.short;
    (short.kernel_type, short.kernel_cr3) = (kernel_type, kernel_cr3);
    (short.user_type, short.user_cr3) = (user_type, user_cr3);
    (short.frame, short.entry, short.flags) = (frame, handler, new.flags);
    short.info = DIRECT_MAP_VA + page.mfn().addr() + offset as u64;
    short.state |= ARMED;
}

/// Whether the short ways may be taken.
pub fn armed(area: &Area) -> bool {
    area.short.state & ARMED != 0
}

/// Whether the guest's kernel runs.
#[inline(always)]
pub fn in_kernel(area: &Area) -> bool {
    area.short.state & KERNEL != 0
}

/// Says whether the guest's kernel runs.
#[inline(always)]
pub fn set_in_kernel(area: &mut Area, kernel: bool) {
    area.short.state = area.short.state & ARMED | kernel as u64;
}
