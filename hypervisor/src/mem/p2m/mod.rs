//! The physical map of hardware-virtualised guests: what their frames are.
//!
//! Owns no state: the tables are the domain's. An entry changes under the map's lock. What it
//! held is [`Pending`] until the CPUs that run the domain have flushed; others look at
//! [`machine::nested::Nested::changes`] when they next bring a vCPU in.

mod pending;
mod populate;

pub use pending::Pending;
pub use populate::{depopulate, fill, populate};

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::alloc::{ANYWHERE, alloc_clean_block};
use core::sync::atomic::Ordering;
use machine::nested::{Found, Leaf, MAX_GFN, NestedError, Stale};
use machine::{Cpu, CpuApi, Gfn, Mem, Mfn, PAGE_SHIFT, Page};
use xen_abi::Errno;

/// Tables that the control domain may have in any case: nobody sets the size of its pool.
const MIN_TABLES: u64 = 2048;
/// Frames of memory that it may have for each further one. A table maps 512 of them, so this
/// is for maps with holes.
const FRAMES_PER_TABLE: u64 = 64;

impl Domain {
    /// A reference to the domain's own frame `gfn`: for a PV guest that is a machine frame.
    pub fn page(&self, mem: Mem, gfn: Gfn) -> Option<Page> {
        match self.hvm.get() {
            None => mem.get_page(Mfn(gfn.0), self.owner()),
            Some(hvm) => {
                let page = hvm.nested.own_page(gfn)?;
                (page.info().owner() == self.owner()).then_some(page)
            }
        }
    }
}

/// A cleared frame for a table, of nobody's.
pub fn table_frame(hv: &Hypervisor, cpu: &mut Cpu) -> Option<Page> {
    alloc_clean_block(hv, cpu, None, 0, ANYWHERE)
        .ok()?
        .into_page(true)
}

/// Makes `gfn` what `leaf` says, if what it is `fits`; returns what the entry held, for
/// [`Pending`]. The domain still reaches that until its CPUs have flushed. Errors: `EINVAL`
/// beyond the map; `ENOMEM`, also when the domain has too many tables; `ESRCH` for something new
/// in a dying domain; what `fits` says.
pub fn change(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    gfn: Gfn,
    leaf: Leaf,
    fits: impl FnOnce(Option<Found>) -> Result<(), Errno>,
) -> Result<Stale, Errno> {
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let mut guard = hvm.nested.lock();
    if !matches!(leaf, Leaf::None) {
        open(dom)?;
        hvm.max_gfn.fetch_max(gfn.0.min(MAX_GFN), Ordering::Relaxed);
    }
    fits(hvm.nested.lookup(gfn))?;
    guard
        .set(gfn, leaf, &mut || another_table(hv, cpu, dom))
        .map_err(errno)
}

/// Maps the large page that `pages` are, where nothing is. Errors: as [`change`]; `EINVAL`
/// where anything is.
fn change_run(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    gfn: Gfn,
    level: u32,
    first: Mfn,
    pages: impl Iterator<Item = Page>,
) -> Result<(), Errno> {
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let mut guard = hvm.nested.lock();
    open(dom)?;
    let last = gfn.0 | ((1 << (9 * level.saturating_sub(1))) - 1);
    hvm.max_gfn.fetch_max(last.min(MAX_GFN), Ordering::Relaxed);
    guard
        .set_run(gfn, level, first, pages, &mut || {
            another_table(hv, cpu, dom)
        })
        .map_err(errno)
}

/// `ESRCH` for a dying domain. Asked with the map's lock held: the domain's end strips the map
/// after it was marked, so nothing comes in behind that.
fn open(dom: &Domain) -> Result<(), Errno> {
    match dom.dying.load(Ordering::SeqCst) {
        false => Ok(()),
        true => Err(Errno::ESRCH),
    }
}

/// A further table, if the domain may have one: as many fit in the pool that the tools set.
fn another_table(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain) -> Option<Page> {
    let hvm = dom.hvm.get()?;
    let most = match dom.privileged {
        true => MIN_TABLES.max(dom.pages.max() / FRAMES_PER_TABLE),
        false => hvm.pool.load(Ordering::Relaxed) >> PAGE_SHIFT,
    };
    (hvm.nested.tables() < most)
        .then(|| table_frame(hv, cpu))
        .flatten()
}

fn errno(error: NestedError) -> Errno {
    match error {
        NestedError::NoMemory => Errno::ENOMEM,
        NestedError::Range => Errno::EINVAL,
    }
}

/// Makes `gfn` what `leaf` says, whatever it is; returns the page that was there, which no CPU
/// reaches for the domain any more. Errors: as [`change`].
pub fn set(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    gfn: Gfn,
    leaf: Leaf,
) -> Result<Option<Page>, Errno> {
    let stale = change(hv, cpu, dom, gfn, leaf, |_| Ok(()))?;
    let mut pending = Pending::default();
    let page = pending.add(cpu, dom, stale);
    pending.settle(cpu);
    Ok(page)
}

/// What becomes of a page that something else was put in the place of: memory that nothing names
/// any more goes back, other pages stay what they are.
pub fn displaced(hv: &Hypervisor, dom: &Domain, page: &Page) {
    if page.info().owner() == dom.owner() {
        hv.mem.set_m2p(page.mfn(), u64::MAX);
        drop(page.end_allocation());
    }
}

/// Gives back all that a dying domain has mapped; none of its vCPUs runs any more. Errors:
/// `Restart` when there is more to do.
pub fn relinquish(cpu: &Cpu, dom: &Domain) -> Result<(), Fail> {
    let Some(hvm) = dom.hvm.get() else {
        return Ok(());
    };
    while hvm.nested.lock().strip() {
        if cpu.work_pending() {
            return Err(Fail::Restart);
        }
    }
    Ok(())
}

/// Whether the domain may have memory of devices mapped.
pub fn has_devices(dom: &Domain) -> bool {
    dom.privileged
}

/// Maps a device's page that the control domain met, at its own address. `false` when it is
/// none, or not the domain's to use.
pub fn map_device(cx: &mut Cx, gfn: Gfn) -> bool {
    let dom = cx.dom;
    if !dom.privileged
        || cx.hv.is_ram(Mfn(gfn.0))
        || !dom.irqs.iomem_allowed(gfn.0)
        || crate::hvm::devices::traps(cx.hv, dom, gfn)
    {
        return false;
    }
    let leaf = Leaf::Mmio(Mfn(gfn.0));
    change(cx.hv, cx.cpu, dom, gfn, leaf, |found| match found {
        None => Ok(()),
        Some(_) => Err(Errno::EEXIST),
    })
    .is_ok()
}
