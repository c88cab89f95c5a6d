//! The hypervisor's own heap: here the test process's, which needs no frames.

use crate::Mfn;
use crate::heap::Block;

/// As much as is asked for.
pub fn free_bytes() -> u64 {
    u64::MAX
}

/// Bytes of RAM that the heap owns.
pub fn bytes() -> u64 {
    0
}

/// Keeps the block, unused.
pub fn add(block: Block) {
    let _ = lend(block);
}

/// Keeps the block, unused, until the loan ends.
pub fn lend(block: Block) -> Loan {
    Loan {
        start: block.first(),
        end: Mfn(block.first().0 + block.len()),
    }
}

/// Memory lent to the heap.
#[derive(Debug)]
pub struct Loan {
    start: Mfn,
    end: Mfn,
}

impl Loan {
    /// All of the block's frames: (first, one past the last).
    pub fn end(self) -> Option<(Mfn, Mfn)> {
        Some((self.start, self.end))
    }
}
