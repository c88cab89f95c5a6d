//! Using a grant: the entry is marked, its page is held, and both stay so until the last use
//! ends.
//!
//! A page in use for writing is held as writable memory by the grant itself, whatever mappings
//! hold: it can become a page table only after whoever mapped it has flushed.

use super::entry::{Granted, Use};
use super::table::{Active, Table};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use machine::{Cpu, CpuApi, Gfn, Page, PageType, TypeGet};
use xen_abi::DomId;
use xen_abi::grant_table::*;

/// What a use may touch.
#[derive(Debug)]
pub struct Pinned {
    /// The page; `None` for a transitive grant.
    pub page: Option<Page>,
    /// First byte.
    pub start: u16,
    /// Number of bytes.
    pub length: u16,
    /// The grant that a transitive one stands for.
    pub through: Option<(DomId, GrantRef)>,
}

/// Begins a use of `owner`'s grant. Errors: a `GNTST_*` status.
pub fn pin(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    owner: &Domain,
    gref: GrantRef,
    how: Use,
) -> Result<Pinned, i16> {
    let mut table = owner.grants.table.lock();
    table.begin(hv, cpu, owner);
    let active = table.active(gref).ok_or(GNTST_bad_gntref)?;
    let (used, written) = (active.in_use(), active.writers != 0);
    let full = active.readers == u32::MAX || active.writers == u32::MAX;
    if used && (active.domid != how.by || full || (how.map && !active.whole_page())) {
        return Err(GNTST_general_error);
    }
    if !used || (!how.readonly && !written) {
        table.mark(gref, how)?;
    }
    match hold(hv, cpu, owner, &mut table, gref, how) {
        Ok(pinned) => Ok(pinned),
        Err(status) => {
            if !written && !how.readonly {
                table.unmark(gref, GTF_writing);
            }
            if !used {
                table.unmark(gref, GTF_reading);
                if let Some(active) = table.active(gref) {
                    *active = Active::default();
                }
            }
            Err(status)
        }
    }
}

/// Takes what the entry grants, as far as earlier uses do not hold it, and counts the use.
fn hold(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    owner: &Domain,
    table: &mut Table,
    gref: GrantRef,
    how: Use,
) -> Result<Pinned, i16> {
    let granted = table.granted(gref).ok_or(GNTST_bad_gntref)?;
    let active = table.active(gref).ok_or(GNTST_bad_gntref)?;
    if !active.in_use() {
        match granted {
            Granted::Frame { gfn, start, length } => {
                let page = owner.page(hv.mem, Gfn(gfn)).ok_or(GNTST_bad_page)?;
                (active.page, active.start, active.length) = (Some(page), start, length);
            }
            // Looked at again after marking: it may have become one meanwhile.
            Granted::Through(..) if how.map => return Err(GNTST_general_error),
            Granted::Through(domid, gref) => active.through = Some((domid, gref)),
        }
        if how.map && !active.whole_page() {
            return Err(GNTST_general_error);
        }
        active.domid = how.by;
    }
    if !how.readonly
        && !active.typed
        && let Some(page) = &active.page
    {
        match page.get_type(PageType::Writable) {
            TypeGet::Ready => {}
            TypeGet::ReadyFlush => {
                cpu.flush_since(&owner.dirty_cpus.load(), page.info().stamp());
                page.type_validated();
            }
            TypeGet::Busy | TypeGet::Mismatch | TypeGet::Validate { .. } => {
                return Err(GNTST_general_error);
            }
        }
        active.typed = true;
    }
    *if how.readonly {
        &mut active.readers
    } else {
        &mut active.writers
    } += 1;
    Ok(Pinned {
        page: active.page.as_ref().map(Page::another),
        start: active.start,
        length: active.length,
        through: active.through,
    })
}

/// Ends a use. Whoever had the page mapped has flushed its TLBs.
pub fn unpin(owner: &Domain, gref: GrantRef, readonly: bool) {
    let mut table = owner.grants.table.lock();
    let Some(active) = table.active(gref) else {
        return;
    };
    let count = if readonly {
        &mut active.readers
    } else {
        &mut active.writers
    };
    *count = count.saturating_sub(1);
    let mut marks = 0;
    if active.writers == 0 && !readonly {
        if core::mem::take(&mut active.typed)
            && let Some(page) = &active.page
        {
            // Writable memory has nothing to put: this is done at once.
            let _ = page.put_type();
        }
        marks |= GTF_writing;
    }
    if !active.in_use() {
        *active = Active::default();
        marks |= GTF_reading;
    }
    if marks != 0 {
        table.unmark(gref, marks);
    }
}

impl Active {
    fn whole_page(&self) -> bool {
        self.through.is_none() && self.start == 0 && self.length as usize == machine::PAGE_SIZE
    }
}
