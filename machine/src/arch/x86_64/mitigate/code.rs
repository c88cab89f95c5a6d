//! The measures' instructions at exits and entries, and the thunk for indirect branches.
//!
//! Why unsafe: rewrites the image's own code at boot. All pieces are assembled here, one after
//! the other; at boot, before any guest runs, those that are not needed are replaced by a jump
//! over them. Where none is needed the entry code is not touched and nothing is spent.

use super::super::area::{DATA_SELECTOR, GUEST_CR3, HOST_CR3, HOST_RSP, MEASURES, REGS};
use super::super::io;
use super::super::layout::{DIRECT_MAP_VA, IMAGE_PA, IMAGE_VA};
use crate::measures::Thunk;
use core::arch::{asm, global_asm};

global_asm!(
    r#"
    .section .entry, "ax", @progbits
    // After an exit: all registers are saved, RSP is at the first of them.
    .balign 16
    .globl __xenios_measures_exit
__xenios_measures_exit:
    .globl __xenios_m_host_cr3
__xenios_m_host_cr3:
    mov rax, [rsp + {HOST_CR3} - {REGS}]
    test rax, rax
    jz 2f
    mov cr3, rax
2:
    .globl __xenios_m_host_cr3_end
__xenios_m_host_cr3_end:
    mov rsp, [rsp + {HOST_RSP} - {REGS}]
    .globl __xenios_m_ibrs_on
__xenios_m_ibrs_on:
    mov ecx, 0x48
    xor edx, edx
    mov eax, 1
    wrmsr
    .globl __xenios_m_ibrs_on_end
__xenios_m_ibrs_on_end:
    .globl __xenios_m_rsb
__xenios_m_rsb:
    mov ecx, 16
3:  call 5f
4:  pause
    lfence
    jmp 4b
5:  call 7f
6:  pause
    lfence
    jmp 6b
7:  dec ecx
    jnz 3b
    lfence
    add rsp, 32 * 8
    .globl __xenios_m_rsb_end
__xenios_m_rsb_end:
    jmp __xenios_exit_rest

    // Before an entry: RDI is the area, RSP the host's stack, all other registers are free.
    .balign 16
    .globl __xenios_measures_entry
__xenios_measures_entry:
    // The image is not mapped in the guest's tables: go on in the area's mapping.
    .globl __xenios_m_area
__xenios_m_area:
    mov rax, [rdi + {MEASURES}]
    call 3f
2:  pause
    lfence
    jmp 2b
3:  mov [rsp], rax
    ret
    .globl __xenios_m_area_end
__xenios_m_area_end:
    lea rsp, [rdi + {REGS}]
    .globl __xenios_m_ibrs_off
__xenios_m_ibrs_off:
    mov ecx, 0x48
    xor edx, edx
    mov eax, 0
    wrmsr
    .globl __xenios_m_ibrs_off_end
__xenios_m_ibrs_off_end:
    .globl __xenios_m_guest_cr3
__xenios_m_guest_cr3:
    mov rax, [rdi + {GUEST_CR3}]
    test rax, rax
    jz 2f
    mov cr3, rax
2:
    .globl __xenios_m_guest_cr3_end
__xenios_m_guest_cr3_end:
    .globl __xenios_m_verw
__xenios_m_verw:
    verw word ptr [rdi + {DATA_SELECTOR}]
    .globl __xenios_m_verw_end
__xenios_m_verw_end:
    pop r15
    jmp __xenios_restore

    .text
    // extern "C" fn(): overwrites the return stack buffer's 32 entries.
    .balign 16
    .globl __xenios_fill_rsb
__xenios_fill_rsb:
    mov ecx, 16
3:  call 5f
4:  pause
    lfence
    jmp 4b
5:  call 7f
6:  pause
    lfence
    jmp 6b
7:  dec ecx
    jnz 3b
    lfence
    add rsp, 32 * 8
    ret

    // What the compiler makes indirect branches through.
    .balign 16
    .globl __x86_indirect_thunk_r11
__x86_indirect_thunk_r11:
    call 3f
2:  pause
    lfence
    jmp 2b
3:  mov [rsp], r11
    ret
    "#,
    REGS = const REGS,
    HOST_RSP = const HOST_RSP,
    HOST_CR3 = const HOST_CR3,
    GUEST_CR3 = const GUEST_CR3,
    DATA_SELECTOR = const DATA_SELECTOR,
    MEASURES = const MEASURES,
);

unsafe extern "C" {
    static __entry_start: u8;
    static __xenios_patch_exit: u8;
    static __xenios_patch_entry: u8;
    static __xenios_measures_exit: u8;
    static __xenios_measures_entry: u8;
    static __xenios_m_host_cr3: u8;
    static __xenios_m_host_cr3_end: u8;
    static __xenios_m_ibrs_on: u8;
    static __xenios_m_ibrs_on_end: u8;
    static __xenios_m_rsb: u8;
    static __xenios_m_rsb_end: u8;
    static __xenios_m_area: u8;
    static __xenios_m_area_end: u8;
    static __xenios_m_ibrs_off: u8;
    static __xenios_m_ibrs_off_end: u8;
    static __xenios_m_guest_cr3: u8;
    static __xenios_m_guest_cr3_end: u8;
    static __xenios_m_verw: u8;
    static __xenios_m_verw_end: u8;
    static __x86_indirect_thunk_r11: u8;
    fn __xenios_fill_rsb();
}

/// What is done at each exit and entry.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    /// Between the guest's and the host's root table.
    pub roots: bool,
    /// SPEC_CTRL in the host and in the guest.
    pub spec_ctrl: Option<(u32, u32)>,
    /// Fill the return stack buffer at exits.
    pub rsb: bool,
    /// VERW at entries.
    pub verw: bool,
}

/// Where the way into a guest goes on in an area's mapping, from the start of the entry code.
pub fn measures_offset() -> u64 {
    &raw const __xenios_m_area_end as u64 - &raw const __entry_start as u64
}

/// Overwrites the return stack buffer.
pub fn fill_rsb() {
    // SAFETY: a function of its own that keeps all registers but RCX and the flags.
    unsafe { __xenios_fill_rsb() };
}

/// Puts `bytes` over the image's code at `site`.
///
/// # Safety
/// What results must be whole instructions with the meaning that the code around expects, and
/// no CPU may be running there.
unsafe fn patch(site: *const u8, bytes: &[u8]) {
    let pa = site as u64 - IMAGE_VA + IMAGE_PA;
    let cr0 = io::read_cr0();
    // SAFETY: the image's own bytes, through the direct map, where they are read-only: CR0.WP
    // is off for the copy alone, with interrupts off. Writing CR0 serialises. The bytes' meaning
    // is the caller's promise.
    unsafe {
        asm!("mov cr0, {}", in(reg) cr0 & !(1 << 16), options(nostack, preserves_flags));
        core::ptr::copy_nonoverlapping(
            bytes.as_ptr(),
            (DIRECT_MAP_VA + pa) as *mut u8,
            bytes.len(),
        );
        asm!("mov cr0, {}", in(reg) cr0, options(nostack, preserves_flags));
    };
}

/// A jump of five bytes from `from` to `to`, both in the image.
fn jump(from: *const u8, to: *const u8) -> [u8; 5] {
    let [a, b, c, d] = ((to as i64 - from as i64 - 5) as i32).to_le_bytes();
    [0xe9, a, b, c, d]
}

/// Makes the entry code follow `plan`.
///
/// # Safety
/// Once, before any guest runs, with all other CPUs asleep.
pub unsafe fn install(plan: &Plan) {
    let msr = plan.spec_ctrl.is_some();
    let pieces = [
        (
            &raw const __xenios_m_host_cr3,
            &raw const __xenios_m_host_cr3_end,
            plan.roots,
        ),
        (
            &raw const __xenios_m_ibrs_on,
            &raw const __xenios_m_ibrs_on_end,
            msr,
        ),
        (
            &raw const __xenios_m_rsb,
            &raw const __xenios_m_rsb_end,
            plan.rsb,
        ),
        (
            &raw const __xenios_m_area,
            &raw const __xenios_m_area_end,
            plan.roots,
        ),
        (
            &raw const __xenios_m_ibrs_off,
            &raw const __xenios_m_ibrs_off_end,
            msr,
        ),
        (
            &raw const __xenios_m_guest_cr3,
            &raw const __xenios_m_guest_cr3_end,
            plan.roots,
        ),
        (
            &raw const __xenios_m_verw,
            &raw const __xenios_m_verw_end,
            plan.verw,
        ),
    ];
    for (start, end, wanted) in pieces {
        if !wanted {
            let over = (end as u64 - start as u64 - 2) as u8;
            // SAFETY: each piece is longer than the jump over it, and shorter than 128 bytes.
            unsafe { patch(start, &[0xeb, over]) };
        }
    }
    if let Some((host, guest)) = plan.spec_ctrl {
        // The immediate of `mov eax` ends two bytes (WRMSR) before the piece's end.
        let ends = [
            (&raw const __xenios_m_ibrs_on_end, host),
            (&raw const __xenios_m_ibrs_off_end, guest),
        ];
        for (end, value) in ends {
            // SAFETY: four bytes of an immediate.
            unsafe { patch(end.wrapping_sub(6), &value.to_le_bytes()) };
        }
    }
    let sites = [
        (
            &raw const __xenios_patch_exit,
            &raw const __xenios_measures_exit,
            plan.roots || msr || plan.rsb,
        ),
        (
            &raw const __xenios_patch_entry,
            &raw const __xenios_measures_entry,
            plan.roots || msr || plan.verw,
        ),
    ];
    for (site, to, wanted) in sites {
        if wanted {
            // SAFETY: the instructions there take at least five bytes and are repeated in the
            // measures, which return behind them.
            unsafe { patch(site, &jump(site, to)) };
        }
    }
}

/// Makes indirect branches as told.
///
/// # Safety
/// As [`install`].
pub unsafe fn install_thunk(thunk: Thunk) {
    let bytes: &[u8] = match thunk {
        Thunk::Retpoline => return,
        Thunk::Lfence => &[0x0f, 0xae, 0xe8, 0x41, 0xff, 0xe3],
        Thunk::Jmp => &[0x41, 0xff, 0xe3],
    };
    // SAFETY: LFENCE and JMP R11, which are shorter than the retpoline.
    unsafe { patch(&raw const __x86_indirect_thunk_r11, bytes) };
}
