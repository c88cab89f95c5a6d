//! Copies to and from a guest's virtual memory, by the page tables in use, surviving faults.
//!
//! Why unsafe: follows addresses that the guest chose. Invariant: the address was checked to
//! lie outside the hypervisor's slots; the only instructions that touch it stand in the
//! exception table, and SMAP is lifted for just these.

use crate::cpu::Fault;
use core::arch::{asm, global_asm};

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

    // Copies of so many words of 8 bytes, without a loop or string operations: rdi dst, rsi src
    // -> rax zero if all went well. Nothing else is changed.
    .macro xenios_copy_words words:vararg
    .irp count, \words
    .balign 16
    .globl __xenios_copy_\count
__xenios_copy_\count:
    .globl __xenios_patch_stac_w\count
__xenios_patch_stac_w\count:
    .byte 0x0f, 0x1f, 0x00
    .set at, 0
    .rept \count
77: mov rax, [rsi + at]
78: mov [rdi + at], rax
    .pushsection .ex_table, "a"
    .balign 8
    .quad 77b, 79f
    .quad 78b, 79f
    .popsection
    .set at, at + 8
    .endr
    xor eax, eax
    .globl __xenios_patch_clac_w\count
__xenios_patch_clac_w\count:
    .byte 0x0f, 0x1f, 0x00
    ret
79: mov eax, 1
    jmp __xenios_patch_clac_w\count
    .endr
    .endm
    xenios_copy_words 1, 2, 3, 4, 7, 8, 9
    "#
);

unsafe extern "C" {
    fn __xenios_copy(dst: u64, src: u64, len: u64) -> u64;
    static __ex_table_start: u8;
    static __ex_table_end: u8;
    static __xenios_patch_stac_1: u8;
    static __xenios_patch_clac_3: u8;
}

/// The copies of a number of words known beforehand.
macro_rules! word_copies {
    ($($words:literal $copy:ident $stac:ident $clac:ident)*) => {
        unsafe extern "C" {
            $(
                fn $copy();
                static $stac: u8;
                static $clac: u8;
            )*
        }

        /// Places that get STAC where the processor has SMAP.
        pub fn stacs() -> impl Iterator<Item = *const u8> {
            [&raw const __xenios_patch_stac_1, $(&raw const $stac),*].into_iter()
        }

        /// Places that get CLAC where the processor has SMAP.
        pub fn clacs() -> impl Iterator<Item = *const u8> {
            [&raw const __xenios_patch_clac_3, $(&raw const $clac),*].into_iter()
        }

        /// Whether the copy failed.
        #[inline(always)]
        fn copy_any(dst: u64, src: u64, len: usize) -> bool {
            match len {
                $(
                    len if len == $words * 8 => {
                        let failed: u32;
                        // SAFETY: one side is a buffer of `len` bytes, the other a checked guest
                        // address whose faults the exception table catches; only RAX changes.
                        unsafe {
                            asm!("call {}", sym $copy, in("rdi") dst, in("rsi") src,
                                out("eax") failed);
                        }
                        failed != 0
                    }
                )*
                // SAFETY: as above.
                _ => unsafe { __xenios_copy(dst, src, len as u64) != 0 },
            }
        }
    };
}

word_copies! {
    1 __xenios_copy_1 __xenios_patch_stac_w1 __xenios_patch_clac_w1
    2 __xenios_copy_2 __xenios_patch_stac_w2 __xenios_patch_clac_w2
    3 __xenios_copy_3 __xenios_patch_stac_w3 __xenios_patch_clac_w3
    4 __xenios_copy_4 __xenios_patch_stac_w4 __xenios_patch_clac_w4
    7 __xenios_copy_7 __xenios_patch_stac_w7 __xenios_patch_clac_w7
    8 __xenios_copy_8 __xenios_patch_stac_w8 __xenios_patch_clac_w8
    9 __xenios_copy_9 __xenios_patch_stac_w9 __xenios_patch_clac_w9
}

/// The addresses that are the loaded guest's to name. In memory, because a hardware-virtualised
/// one has none that the processor could follow here: copies fail at once then, and not by a
/// fault.
pub struct Reach {
    /// End of the low half.
    low_end: u64,
    /// Start of the guest's part of the high half.
    high_start: u64,
}

impl Reach {
    /// A PV guest's.
    pub const PV: Reach = Reach {
        low_end: 0x0000_8000_0000_0000,
        high_start: 0xffff_8800_0000_0000,
    };
    /// Nothing.
    pub const NONE: Reach = Reach {
        low_end: 0,
        high_start: u64::MAX,
    };

    /// Checks a guest's address range.
    #[inline(always)]
    fn check(&self, va: u64, len: usize) -> Result<(), Fault> {
        let ok = match va.checked_add(len as u64) {
            Some(end) => end <= self.low_end || va >= self.high_start,
            // The last byte of the address space may be named.
            None => va >= self.high_start && va.wrapping_add(len as u64) == 0,
        };
        if ok { Ok(()) } else { Err(Fault { addr: va }) }
    }
}

#[inline(always)]
fn done(failed: bool, va: u64) -> Result<(), Fault> {
    if failed {
        Err(Fault { addr: va })
    } else {
        Ok(())
    }
}

/// Copies from guest address `va`.
#[inline]
pub fn read(reach: &Reach, va: u64, buf: &mut [u8]) -> Result<(), Fault> {
    reach.check(va, buf.len())?;
    // SAFETY: to a buffer, from a checked guest address whose faults the exception table catches.
    let left = unsafe { __xenios_copy(buf.as_mut_ptr() as u64, va, buf.len() as u64) };
    done(left != 0, va)
}

/// Copies to guest address `va`.
#[inline]
pub fn write(reach: &Reach, va: u64, buf: &[u8]) -> Result<(), Fault> {
    reach.check(va, buf.len())?;
    // SAFETY: as in `read`, the other way.
    let left = unsafe { __xenios_copy(va, buf.as_ptr() as u64, buf.len() as u64) };
    done(left != 0, va)
}

/// As [`read`], where the compiler knows the length.
#[inline(always)]
pub fn read_value(reach: &Reach, va: u64, buf: &mut [u8]) -> Result<(), Fault> {
    reach.check(va, buf.len())?;
    done(copy_any(buf.as_mut_ptr() as u64, va, buf.len()), va)
}

/// As [`write`], where the compiler knows the length.
#[inline(always)]
pub fn write_value(reach: &Reach, va: u64, buf: &[u8]) -> Result<(), Fault> {
    reach.check(va, buf.len())?;
    done(copy_any(va, buf.as_ptr() as u64, buf.len()), va)
}

/// Where to continue after a fault at `rip`, if the fault is one that was reckoned with. The
/// table names the image's addresses; in an area's mapping of the entry code `rip` is
/// `displaced` from there, and so is what is returned.
pub fn fixup(rip: u64, displaced: u64) -> Option<u64> {
    let rip = rip.wrapping_sub(displaced);
    let start = (&raw const __ex_table_start).cast::<[u64; 2]>();
    let end = (&raw const __ex_table_end).cast::<[u64; 2]>();
    // SAFETY: the linker script bounds the table, whose entries are pairs of addresses.
    let table = unsafe { core::slice::from_raw_parts(start, end.offset_from(start) as usize) };
    table
        .iter()
        .find(|entry| entry[0] == rip)
        .map(|entry| entry[1].wrapping_add(displaced))
}
