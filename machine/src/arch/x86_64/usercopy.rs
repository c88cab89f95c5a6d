//! Copies to and from a guest's virtual memory, by the page tables in use, surviving faults.
//!
//! Why unsafe: follows addresses that the guest chose. Invariant: the address was checked to
//! lie outside the hypervisor's slots; the only instructions that touch it stand in the
//! exception table, and SMAP is lifted for just these.

use crate::cpu::{Fault, guest_va_ok};
use core::arch::global_asm;

global_asm!(
    r#"
    .text
    // rdi dst, rsi src, rdx bytes -> rax bytes left over
    .balign 16
    .globl __xenios_copy
__xenios_copy:
    mov rcx, rdx
    .globl __xenios_patch_stac_1
__xenios_patch_stac_1:
    .byte 0x0f, 0x1f, 0x00
    shr rcx, 3
    jz 2f
1:  rep movsq
2:  mov ecx, edx
    and ecx, 7
    jz 4f
3:  rep movsb
4:  mov rax, rcx
    .globl __xenios_patch_clac_3
__xenios_patch_clac_3:
    .byte 0x0f, 0x1f, 0x00
    ret
5:  mov rcx, rdx
    jmp 4b
    .pushsection .ex_table, "a"
    .balign 8
    .quad 1b, 5b
    .quad 3b, 4b
    .popsection

    // rdi dst (guest), rsi src, rdx words of 8 bytes (1..) -> rax left over, without string ops
    .balign 16
    .globl __xenios_copy_words
__xenios_copy_words:
    .globl __xenios_patch_stac_2
__xenios_patch_stac_2:
    .byte 0x0f, 0x1f, 0x00
1:  mov rax, [rsi + rdx * 8 - 8]
2:  mov [rdi + rdx * 8 - 8], rax
    dec rdx
    jnz 1b
3:  mov rax, rdx
    .globl __xenios_patch_clac_4
__xenios_patch_clac_4:
    .byte 0x0f, 0x1f, 0x00
    ret
    .pushsection .ex_table, "a"
    .balign 8
    .quad 1b, 3b
    .quad 2b, 3b
    .popsection
    "#
);

unsafe extern "C" {
    fn __xenios_copy(dst: u64, src: u64, len: u64) -> u64;
    fn __xenios_copy_words(dst: u64, src: u64, words: u64) -> u64;
    static __ex_table_start: u8;
    static __ex_table_end: u8;
    pub(super) static __xenios_patch_stac_1: u8;
    pub(super) static __xenios_patch_stac_2: u8;
    pub(super) static __xenios_patch_clac_3: u8;
    pub(super) static __xenios_patch_clac_4: u8;
}

#[inline(always)]
fn copy(dst: u64, src: u64, len: usize, guest: u64) -> Result<(), Fault> {
    let left = if len.is_multiple_of(8) && len <= 128 && len != 0 {
        // SAFETY: one side is a buffer of `len` bytes, the other a checked guest address whose
        // faults the exception table catches.
        unsafe { __xenios_copy_words(dst, src, len as u64 / 8) }
    } else {
        // SAFETY: as above.
        unsafe { __xenios_copy(dst, src, len as u64) }
    };
    if left == 0 {
        Ok(())
    } else {
        Err(Fault { addr: guest })
    }
}

/// Copies from guest address `va`.
#[inline(always)]
pub fn read(va: u64, buf: &mut [u8]) -> Result<(), Fault> {
    if !guest_va_ok(va, buf.len()) {
        return Err(Fault { addr: va });
    }
    copy(buf.as_mut_ptr() as u64, va, buf.len(), va)
}

/// Copies to guest address `va`.
#[inline(always)]
pub fn write(va: u64, buf: &[u8]) -> Result<(), Fault> {
    if !guest_va_ok(va, buf.len()) {
        return Err(Fault { addr: va });
    }
    copy(va, buf.as_ptr() as u64, buf.len(), va)
}

/// Where to continue after a fault at `rip`, if the fault is one that was reckoned with.
pub fn fixup(rip: u64) -> Option<u64> {
    let start = (&raw const __ex_table_start).cast::<[u64; 2]>();
    let end = (&raw const __ex_table_end).cast::<[u64; 2]>();
    // SAFETY: the linker script bounds the table, whose entries are pairs of addresses.
    let table = unsafe { core::slice::from_raw_parts(start, end.offset_from(start) as usize) };
    table
        .iter()
        .find(|entry| entry[0] == rip)
        .map(|entry| entry[1])
}
