//! Frames for domains, from the heap, and promises of frames.
//!
//! Invariant: a frame is handed to a domain only after every CPU that may still translate
//! addresses to it for its last owner has flushed, and with the last owner's data cleared.
//! What is promised to some domains is not given to others: claims change under the heap's
//! lock.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::heap::{Block, Heap};
use machine::{Cpu, CpuApi, Mfn};
use xen_abi::Errno;

/// Largest block that is handed out at once, as a power of two of frames: 16 MiB. Clearing one
/// is the longest that a CPU does in one go; whoever asks for more is told that there is none
/// and asks for smaller ones.
pub const MAX_BLOCK_ORDER: u32 = 12;

/// No limit to where frames lie, for [`alloc_domain_pages`].
pub const ANYWHERE: u64 = u64::MAX;

/// Frames promised to domains (`XENMEM_claim_pages`): of all domains together. Each domain's
/// own part is in its account.
#[derive(Debug, Default)]
pub struct Claims(AtomicU64);

impl Claims {
    /// Frames promised and not yet handed out.
    pub fn outstanding(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Frames that are free and promised to nobody.
    fn unclaimed(&self, heap: &Heap) -> u64 {
        heap.free_frames().saturating_sub(self.outstanding())
    }

    /// Takes back as much as `count` of a domain's claim. The heap is locked.
    fn reduce(&self, dom: &Domain, count: u64) {
        let had = dom.pages.claim.load(Ordering::Relaxed);
        let less = had.min(count);
        dom.pages.claim.store(had - less, Ordering::Relaxed);
        self.0.fetch_sub(less, Ordering::Relaxed);
    }
}

/// Promises `dom` that it can have `total` frames in all, zero to end its promise. Errors:
/// `EINVAL` when it has a promise already, as many frames, or may not have them; `ENOMEM`.
pub fn claim(hv: &Hypervisor, dom: &Domain, total: u64) -> Result<(), Errno> {
    hv.reap();
    let heap = hv.heap.lock();
    if total == 0 {
        hv.claims.reduce(dom, u64::MAX);
        return Ok(());
    }
    let more = total.saturating_sub(dom.pages.total());
    if dom.pages.claim.load(Ordering::Relaxed) != 0 || more == 0 || total > dom.pages.max() {
        return Err(Errno::EINVAL);
    }
    if more > hv.claims.unclaimed(&heap) {
        return Err(Errno::ENOMEM);
    }
    dom.pages.claim.store(more, Ordering::Relaxed);
    hv.claims.0.fetch_add(more, Ordering::Relaxed);
    Ok(())
}

/// Takes a block of 2^`order` frames, all below frame number `limit`, that no CPU knows
/// translations of any more. It belongs to nobody yet, and for whom it is (if that is said)
/// has so much less of a promise. Errors: `ENOMEM`.
pub fn alloc_clean_block(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    for_dom: Option<&Domain>,
    order: u32,
    limit: u64,
) -> Result<Block, Errno> {
    if order > MAX_BLOCK_ORDER {
        return Err(Errno::ENOMEM);
    }
    let block = match take(hv, for_dom, order, limit) {
        None if hv.has_dead() => {
            hv.reap();
            take(hv, for_dom, order, limit)
        }
        block => block,
    };
    let block = block.ok_or(Errno::ENOMEM)?;
    let stamp = block.stamp(hv.mem.tlb_clock());
    cpu.flush_since(&hv.all_cpus(), stamp);
    Ok(block)
}

fn take(hv: &Hypervisor, dom: Option<&Domain>, order: u32, limit: u64) -> Option<Block> {
    let count = 1 << order;
    let mut heap = hv.heap.lock();
    let own = dom.map_or(0, |dom| dom.pages.claim.load(Ordering::Relaxed));
    if own < count && hv.claims.unclaimed(&heap) < count {
        return None;
    }
    let block = heap.alloc_below(order, limit)?;
    if let Some(dom) = dom.filter(|_| own != 0) {
        hv.claims.reduce(dom, count);
    }
    Some(block)
}

/// Books `count` frames more on the account of `dom`. Errors: `ENOMEM` over its limit.
pub fn reserve(hv: &Hypervisor, dom: &Domain, count: u64) -> Result<(), Errno> {
    // Frames that died since may still stand on the account.
    dom.pages.reserve(count).or_else(|_| {
        hv.reap();
        dom.pages.reserve(count)
    })
}

/// Makes a block whose frames are booked the domain's own, cleared. Errors: `ESRCH` when the
/// domain is going away; what it did not get was given back.
pub fn assign_block(hv: &Hypervisor, dom: &Domain, block: Block) -> Result<Mfn, Errno> {
    let first = block.first();
    let mut result = Ok(first);
    for page in block.into_pages(true) {
        if dom.pages.assign(hv.mem, dom.owner(), page).is_none() {
            result = Err(Errno::ESRCH);
        }
    }
    result
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
    match alloc_clean_block(hv, cpu, Some(dom), order, limit) {
        Ok(block) => assign_block(hv, dom, block),
        Err(errno) => {
            dom.pages.unreserve(count);
            Err(errno)
        }
    }
}
