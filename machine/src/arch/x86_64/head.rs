//! The first instructions: Multiboot headers, 32-bit code and early page
//! tables. Runs once on the boot CPU, with interrupts off and no lock.
//!
//! The loader enters `_start` at its physical address with paging off. The
//! early tables map the first 4 GiB twice, at address 0 and at the start of
//! the direct map, and the image at its link address; they stay in use until
//! the final tables are loaded, and serve once more each time a CPU starts.

use core::arch::global_asm;

use super::layout;

global_asm!(
    r#"
    .section .boot.header, "a"
    .balign 8
mb2_header:
    .long 0xe85250d6
    .long 0
    .long mb2_header_end - mb2_header
    .long 0x100000000 - 0xe85250d6 - (mb2_header_end - mb2_header)
    // Modules page-aligned.
    .balign 8
    .short 6, 0
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_header_end:

    .balign 4
mb1_header:
    .long 0x1badb002
    .long 0x00010003
    .long 0x100000000 - 0x1badb002 - 0x00010003
    .long mb1_header
    .long __boot_start
    .long mb1_load_end
    .long mb1_bss_end
    .long _start

    .section .boot.text, "ax"
    .code32
    .global _start
_start:
    cli
    cld
    mov esp, offset boot_stack_top_phys
    mov ebp, eax                  // the loader's magic number
    mov esi, ebx                  // its information

    // CPUID, long mode and NX must be there.
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 0x200000
    push eax
    popfd
    pushfd
    pop eax
    xor eax, ecx
    jz no_cpu
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_cpu
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc no_cpu
    bt edx, 20
    jnc no_cpu

    // Tables: [L4][L3 low][4 x L2 low][L3 image][L2 image]
    mov edi, offset boot_tables_phys
    lea eax, [edi + 0x1003]
    mov [edi], eax
    mov [edi + 8 * {direct_slot}], eax
    lea eax, [edi + 0x6003]
    mov [edi + 8 * {image_slot}], eax
    lea eax, [edi + 0x2003]
    mov ecx, 0
1:  mov [edi + 0x1000 + 8 * ecx], eax
    add eax, 0x1000
    inc ecx
    cmp ecx, 4
    jne 1b
    mov eax, 0x83
    mov ecx, 0
2:  mov [edi + 0x2000 + 8 * ecx], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 2048
    jne 2b
    lea eax, [edi + 0x7003]
    mov [edi + 0x6000 + 8 * {image_l3}], eax
    mov eax, 0x200083
    mov ecx, 0
3:  mov [edi + 0x7000 + 8 * ecx], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 64
    jne 3b

    mov eax, cr4
    or eax, 0x20                  // PAE
    mov cr4, eax
    mov cr3, edi
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900                 // LME, NXE
    wrmsr
    mov eax, 0x80010013           // PG, WP, ET, MP, PE
    mov cr0, eax
    lgdt [boot_gdtr]
    mov eax, 8
    push eax
    mov eax, offset boot_64
    push eax
    retf

no_cpu:
    mov esi, offset no_cpu_text
4:  mov dx, 0x3fd
5:  in al, dx
    test al, 0x20
    jz 5b
    mov dx, 0x3f8
    lodsb
    test al, al
    jz 6f
    out dx, al
    jmp 4b
6:  hlt
    jmp 6b
no_cpu_text:
    .asciz "\r\nXenios needs a 64-bit processor with NX.\r\n"

    .code64
boot_64:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov edi, ebp
    mov esi, esi
    movabs rsp, offset boot_stack_top
    movabs rax, offset boot_high
    jmp rax

    .balign 16
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff
    .quad 0x00cf92000000ffff
boot_gdtr:
    .short 23
    .long boot_gdt
    .long 0

    .section .text.boot_high, "ax"
boot_high:
    xor ebp, ebp
    push rbp
    push rbp
    call {rust}
    ud2

    .section .bss.boot_tables, "aw", @nobits
    .balign 4096
    .global boot_tables
boot_tables:
    .skip 8 * 4096
    .global boot_stack
boot_stack:
    .skip 65536
    .global boot_stack_top
boot_stack_top:
    .text
"#,
    direct_slot = const (layout::DIRECT_MAP_VA >> 39) & 511,
    image_slot = const (layout::IMAGE_VA >> 39) & 511,
    image_l3 = const (layout::IMAGE_VA >> 30) & 511,
    rust = sym super::start::boot_entry,
);
