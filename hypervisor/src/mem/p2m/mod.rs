//! The physical map of hardware-virtualised guests: what their frames are.
//!
//! Owns no state: the tables are the domain's. A frame that is taken out is flushed on every
//! CPU that the domain runs on before anything else is done with it.

mod populate;

pub use populate::{depopulate, fill, populate};

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::alloc::{ANYWHERE, alloc_clean_block};
use machine::nested::{Leaf, NestedError, Stale};
use machine::{Cpu, CpuApi, Flush, Gfn, Mem, Mfn, Page};
use xen_abi::Errno;

impl Domain {
    /// A reference to the domain's own frame `gfn`: for a PV guest that is a machine frame.
    pub fn page(&self, mem: Mem, gfn: Gfn) -> Option<Page> {
        match self.hvm.get() {
            None => mem.get_page(Mfn(gfn.0), self.owner()),
            Some(hvm) => {
                let (page, writable) = hvm.nested.page(gfn)?;
                (writable && page.info().owner() == self.owner()).then_some(page)
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

/// Makes `gfn` what `leaf` says; returns the page that was there, which no CPU reaches for the
/// domain any more. Errors: `EINVAL` beyond the map, `ENOMEM`.
pub fn set(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    gfn: Gfn,
    leaf: Leaf,
) -> Result<Option<Page>, Errno> {
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let Stale { page, was_mapped } = {
        let mut guard = hvm.nested.lock();
        guard
            .set(gfn, leaf, &mut || table_frame(hv, cpu))
            .map_err(|error| match error {
                NestedError::NoMemory => Errno::ENOMEM,
                NestedError::Range => Errno::EINVAL,
            })?
    };
    if was_mapped {
        cpu.flush(&dom.dirty_cpus.load(), Flush::All);
    }
    Ok(page)
}

/// Gives back all that a dying domain has mapped; none of its vCPUs runs any more. Errors:
/// `Restart` when there is more to do.
pub fn relinquish(cpu: &Cpu, dom: &Domain) -> Result<(), Fail> {
    let Some(hvm) = dom.hvm.get() else {
        return Ok(());
    };
    while hvm.nested.lock().remove_leaf(Gfn(0)).is_some() {
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
    let Some(hvm) = dom.hvm.get() else {
        return false;
    };
    if !dom.privileged || hvm.nested.lookup(gfn).is_some() || cx.hv.is_ram(Mfn(gfn.0)) {
        return false;
    }
    dom.irqs.iomem_allowed(gfn.0) && set(cx.hv, cx.cpu, dom, gfn, Leaf::Mmio(Mfn(gfn.0))).is_ok()
}
