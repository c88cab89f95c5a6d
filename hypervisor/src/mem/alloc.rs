//! Frames for domains, from the heap.
//!
//! Invariant: a frame is handed to a domain only after every CPU that may still translate
//! addresses to it for its last owner has flushed, and with the last owner's data cleared.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use machine::heap::Block;
use machine::{Cpu, CpuApi, Mfn};
use xen_abi::Errno;

/// Largest block that is handed out at once, as a power of two of frames: 8 MiB. Clearing one
/// is the longest that a CPU does in one go; whoever asks for more is told that there is none
/// and asks for smaller ones.
pub const MAX_BLOCK_ORDER: u32 = 11;

/// No limit to where frames lie, for [`alloc_domain_pages`].
pub const ANYWHERE: u64 = u64::MAX;

/// Takes a block of 2^`order` frames, all below frame number `limit`, that no CPU knows
/// translations of any more. It belongs to nobody yet. Errors: `ENOMEM`.
pub fn alloc_clean_block(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    order: u32,
    limit: u64,
) -> Result<Block, Errno> {
    if order > MAX_BLOCK_ORDER {
        return Err(Errno::ENOMEM);
    }
    let block = take(hv, order, limit).ok_or(Errno::ENOMEM)?;
    let stamp = block.stamp(hv.mem.tlb_clock());
    cpu.flush_since(&hv.all_cpus(), stamp);
    Ok(block)
}

fn take(hv: &Hypervisor, order: u32, limit: u64) -> Option<Block> {
    let block = hv.heap.lock().alloc_below(order, limit);
    if block.is_some() || !hv.mem.has_dead() {
        return block;
    }
    hv.reap();
    hv.heap.lock().alloc_below(order, limit)
}

/// Books `count` frames more on the account of `dom`. Errors: `ENOMEM` over its limit.
pub fn reserve(hv: &Hypervisor, dom: &Domain, count: u64) -> Result<(), Errno> {
    // Frames that died since may still stand on the account.
    dom.pages.reserve(count).or_else(|_| {
        hv.reap();
        dom.pages.reserve(count)
    })
}

/// Makes a block whose frames are booked the domain's own, cleared.
pub fn assign_block(hv: &Hypervisor, dom: &Domain, block: Block) -> Mfn {
    let first = block.first();
    for page in block.into_pages(true) {
        dom.pages.assign(hv.mem, dom.owner(), page);
    }
    first
}

/// Gives `dom` 2^`order` frames, adjacent and aligned to their size, all below frame number
/// `limit`; returns the first. Their machine-to-phys entries are the caller's to set.
/// Errors: `ENOMEM` when there is no such block or the domain's limit is reached.
pub fn alloc_domain_pages(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    order: u32,
    limit: u64,
) -> Result<Mfn, Errno> {
    let count = 1u64.checked_shl(order).ok_or(Errno::ENOMEM)?;
    reserve(hv, dom, count)?;
    match alloc_clean_block(hv, cpu, order, limit) {
        Ok(block) => Ok(assign_block(hv, dom, block)),
        Err(errno) => {
            dom.pages.unreserve(count);
            Err(errno)
        }
    }
}
