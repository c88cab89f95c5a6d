//! A new domain's frames: taken from the heap in large blocks, numbered from zero.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::vec::Vec;
use machine::heap::MAX_ORDER;
use machine::{Mfn, Page};
use xen_abi::Errno;

/// Frames that lie together both ways.
#[derive(Clone, Copy, Debug)]
struct Extent {
    pfn: u64,
    mfn: u64,
    len: u64,
}

/// Which machine frame each of the domain's frames is.
#[derive(Debug, Default)]
pub struct Frames {
    extents: Vec<Extent>,
    total: u64,
}

impl Frames {
    /// Gives `dom` its first `count` frames. Errors: `ENOMEM`.
    pub fn allocate(hv: &Hypervisor, dom: &Domain, count: u64) -> Result<Frames, Errno> {
        let mut frames = Frames::default();
        dom.pages.reserve(count)?;
        let mut order = MAX_ORDER;
        while frames.total < count {
            let left = count - frames.total;
            while order > 0 && 1 << order > left {
                order -= 1;
            }
            match hv.alloc_block(order) {
                Some(block) => {
                    let first = block.first().0;
                    let len = block.len();
                    frames.extents.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    for (i, page) in block.into_pages(false).enumerate() {
                        hv.mem.set_m2p(page.mfn(), frames.total + i as u64);
                        if dom.pages.assign(hv.mem, dom.owner(), page).is_none() {
                            return Err(Errno::ESRCH);
                        }
                    }
                    frames.extents.push(Extent {
                        pfn: frames.total,
                        mfn: first,
                        len,
                    });
                    frames.total += len;
                }
                None if order > 0 => order -= 1,
                None => return Err(Errno::ENOMEM),
            }
        }
        Ok(frames)
    }

    /// The machine frame of `pfn`.
    pub fn mfn(&self, pfn: u64) -> Option<Mfn> {
        let at = self
            .extents
            .partition_point(|e| e.pfn <= pfn)
            .checked_sub(1)?;
        let extent = self.extents.get(at)?;
        let offset = pfn - extent.pfn;
        (offset < extent.len).then_some(Mfn(extent.mfn + offset))
    }

    /// A reference to the frame of `pfn`.
    pub fn page(&self, hv: &Hypervisor, dom: &Domain, pfn: u64) -> Option<Page> {
        hv.mem.get_page(self.mfn(pfn)?, dom.owner())
    }

    /// All machine frames in the order of the domain's.
    pub fn mfns(&self) -> impl Iterator<Item = u64> + '_ {
        self.extents.iter().flat_map(|e| e.mfn..e.mfn + e.len)
    }
}
