//! The hypervisor's virtual address space: L4 slots 256 to 271, which Xen's ABI reserves.
//!
//! Invariant: these sixteen slots are the same in every address space and their L3 tables are
//! made at boot, so copying sixteen words makes a guest's L4 complete and nothing has to be
//! kept in step afterwards.

/// First L4 slot that belongs to the hypervisor.
pub const FIRST_SLOT: usize = 256;
/// One past the last L4 slot that belongs to the hypervisor.
pub const END_SLOT: usize = 272;

/// Machine-to-phys table as guests read it (user, read-only). Slot 256; part of Xen's ABI.
pub const M2P_RO_VA: u64 = 0xffff_8000_0000_0000;
/// Per-CPU areas, [`AREA_STRIDE`] apart. Slot 257.
pub const AREA_VA: u64 = 0xffff_8080_0000_0000;
/// Bytes from one CPU's area to the next; areas are aligned to it. The first 2 MiB, which one
/// page-table entry covers, is all that a guest's tables show of it (see `mitigate::xpti`).
pub const AREA_STRIDE: u64 = 0x40_0000;
/// Uncached mappings of devices. Slot 258.
pub const MMIO_VA: u64 = 0xffff_8100_0000_0000;
/// Array of `PageInfo`, indexed by machine frame number. Slot 259.
pub const FRAME_TABLE_VA: u64 = 0xffff_8180_0000_0000;
/// Machine-to-phys table as the hypervisor writes it. Slot 260.
pub const M2P_RW_VA: u64 = 0xffff_8200_0000_0000;
/// Where the image is linked. Slot 261.
pub const IMAGE_VA: u64 = 0xffff_82d0_4000_0000;
/// Where the image is loaded, in machine addresses.
pub const IMAGE_PA: u64 = 0x20_0000;
/// All RAM, at machine address plus this. Slots 262 to 271.
pub const DIRECT_MAP_VA: u64 = 0xffff_8300_0000_0000;
/// First address past the hypervisor's slots.
pub const HYPERVISOR_END: u64 = 0xffff_8800_0000_0000;

// Offsets in a CPU's area.
/// 14 pages for the guest's GDT frames, one for the hypervisor's descriptors, one unmapped.
pub const AREA_GDT: u64 = 0;
/// 16 pages for the guest's LDT.
pub const AREA_LDT: u64 = 0x1_0000;
/// `Area`, the CPU's own data: four pages, read-write.
pub const AREA_DATA: u64 = 0x2_0000;
/// A second mapping of the image's `.entry` section: up to eight pages, executable.
pub const AREA_ENTRY: u64 = 0x2_8000;
/// The IDT: one page.
pub const AREA_IDT: u64 = 0x3_0000;
/// First of the four IST stacks, each two pages, [`AREA_IST_STRIDE`] apart, unmapped between.
pub const AREA_IST: u64 = 0x7_0000;
/// Distance between IST stacks.
pub const AREA_IST_STRIDE: u64 = 0x4000;
/// Bytes of one IST stack.
pub const AREA_IST_SIZE: u64 = 0x2000;
/// Number of IST stacks: #DB, NMI, #DF, #MC.
pub const IST_STACKS: u64 = 4;
/// Host stack, from here up to [`AREA_STACK_TOP`]; unmapped pages on both sides. It lies in the
/// area's second 2 MiB: while a guest runs on a CPU with Meltdown, it is not mapped.
pub const AREA_STACK: u64 = 0x24_0000;
/// Top of the host stack.
pub const AREA_STACK_TOP: u64 = 0x26_0000;
