//! Addresses, selectors and numbers of a 64-bit PV guest.
//! `arch-x86/xen.h`, `arch-x86/xen-x86_64.h`.

use crate::forms::numbers;

numbers! {
    /// A flat selector of the hypervisor's descriptor table.
    u16;
    FLAT_RING3_CS32 = 0xe023;
    FLAT_RING3_CS64 = 0xe033;
    FLAT_RING3_DS32 = 0xe02b;
    FLAT_RING3_DS64 = 0x0;
    FLAT_RING3_SS32 = 0xe02b;
    FLAT_RING3_SS64 = 0xe02b;
    FLAT_KERNEL_DS64 = 0;
    FLAT_KERNEL_DS32 = 57387;
    FLAT_KERNEL_DS = 0;
    FLAT_KERNEL_CS64 = 57395;
    FLAT_KERNEL_CS32 = 57379;
    FLAT_KERNEL_CS = 57395;
    FLAT_KERNEL_SS64 = 57387;
    FLAT_KERNEL_SS32 = 57387;
    FLAT_KERNEL_SS = 57387;
    FLAT_USER_DS64 = 0;
    FLAT_USER_DS32 = 57387;
    FLAT_USER_DS = 0;
    FLAT_USER_CS64 = 57395;
    FLAT_USER_CS32 = 57379;
    FLAT_USER_CS = 57395;
    FLAT_USER_SS64 = 57387;
    FLAT_USER_SS32 = 57387;
    FLAT_USER_SS = 57387;
}

numbers! {
    /// A virtual address of the area that is the hypervisor's.
    u64;
    HYPERVISOR_VIRT_START = 0xffff_8000_0000_0000;
    HYPERVISOR_VIRT_END = 0xffff_8800_0000_0000;
    MACH2PHYS_VIRT_START = 0xffff_8000_0000_0000;
    MACH2PHYS_VIRT_END = 0xffff_8040_0000_0000;
}

numbers! {
    /// Entries in the read-only machine-to-phys table.
    u64;
    MACH2PHYS_NR_ENTRIES = 0x8_0000_0000;
}

numbers! {
    /// A register of the `set_segment_base` hypercall.
    u32;
    SEGBASE_FS = 0;
    SEGBASE_GS_USER = 1;
    SEGBASE_GS_KERNEL = 2;
    SEGBASE_GS_USER_SEL = 3;
}

numbers! {
    /// The part of the GDT that is the hypervisor's.
    u32;
    FIRST_RESERVED_GDT_PAGE = 14;
    FIRST_RESERVED_GDT_BYTE = 57344;
    FIRST_RESERVED_GDT_ENTRY = 7168;
}

numbers! {
    /// The I/O port that a guest may write console bytes to.
    u16;
    XEN_HVM_DEBUGCONS_IOPORT = 0xe9;
}

/// The bytes before an instruction that ask the hypervisor to emulate it (`ud2; xen`).
pub const XEN_EMULATE_PREFIX: [u8; 5] = [0x0f, 0x0b, b'x', b'e', b'n'];

/// The value of CR3 that points to the page table in frame `pfn`.
#[must_use]
pub const fn xen_pfn_to_cr3(pfn: u64) -> u64 {
    pfn << 12
}

/// The frame of the page table that a CR3 value points to.
#[must_use]
pub const fn xen_cr3_to_pfn(cr3: u64) -> u64 {
    cr3 >> 12
}
