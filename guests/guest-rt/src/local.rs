//! What each vCPU keeps for itself: a block at the low end of its stack.
//!
//! Stacks are aligned to their size, so the block of the running vCPU is found from the stack
//! pointer alone, in traps and on secondary vCPUs too. All fields are atomics: only the owner
//! writes, others may read.
//!
//! Unsafe: turning the stack pointer into a reference, and reserving the stacks.

use crate::entry::STACK_SIZE;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};

/// Number of vCPUs a kernel can run.
pub const MAX_VCPUS: usize = 8;

/// The per-vCPU block. The assembly in `traps` knows the offset of `recover_rsp`.
#[repr(C)]
pub struct Local {
    /// The vCPU's number.
    pub id: AtomicU64,
    /// Stack pointer to resume `traps::catch` with; 0 when a trap has nowhere to go.
    pub recover_rsp: AtomicU64,
    /// Event callbacks taken.
    pub upcalls: AtomicU64,
    /// Virtual address of this vCPU's `vcpu_info`; 0 before the shared page is mapped.
    pub vcpu_info: AtomicU64,
    /// Vector whose traps are stepped over instead of reported, plus 1; 0 for none.
    pub skip_vector: AtomicU64,
    /// Bytes to step over.
    pub skip_bytes: AtomicU64,
}

global_asm!(
    ".section .bss.stacks, \"aw\", @nobits",
    ".globl guest_stacks",
    ".balign {size}",
    "guest_stacks:",
    "    .skip {size} * {count}",
    size = const STACK_SIZE,
    count = const MAX_VCPUS,
);

unsafe extern "C" {
    static guest_stacks: [u8; 0];
}

/// Lowest address of the stack of vCPU `id`, or `None` beyond `MAX_VCPUS`.
pub fn stack_base(id: usize) -> Option<u64> {
    (id < MAX_VCPUS).then(|| &raw const guest_stacks as u64 + (id * STACK_SIZE) as u64)
}

/// The block of vCPU `id`.
pub fn of(id: usize) -> Option<&'static Local> {
    let base = stack_base(id)?;
    // SAFETY: the reserved, zeroed low end of a stack, aligned to the stack's size; all fields
    // are atomics, for which zero is a value.
    Some(unsafe { &*(base as *const Local) })
}

/// The block of the running vCPU.
pub fn this() -> &'static Local {
    let rsp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
    // SAFETY: every vCPU runs on a stack of `guest_stacks`; see `of`.
    unsafe { &*((rsp & !(STACK_SIZE as u64 - 1)) as *const Local) }
}

/// The number of the running vCPU.
pub fn id() -> usize {
    this().id.load(Ordering::Relaxed) as usize
}
