//! A guest's page that the hypervisor writes to for as long as it holds this token.
//!
//! Holds a general reference and a reference to the page as writable memory: while it lives,
//! the page can neither go to somebody else nor become a page table.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use core::ops::Deref;
use machine::{Cpu, CpuApi, Gfn, Page, PageType, TypeGet};
use xen_abi::Errno;

/// A guest's page, held as writable memory.
#[derive(Debug)]
pub struct WritablePage(Page);

impl WritablePage {
    /// Takes frame `gfn` of the domain. Errors: `EINVAL` when it is not the domain's or not
    /// ordinary memory.
    pub fn get(
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        gfn: u64,
    ) -> Result<WritablePage, Errno> {
        let page = dom.page(hv.mem, Gfn(gfn)).ok_or(Errno::EINVAL)?;
        WritablePage::get_page(cpu, dom, page)
    }

    /// Takes a page of the domain's. Errors: `EINVAL` when it is not ordinary memory.
    pub fn get_page(cpu: &mut Cpu, dom: &Domain, page: Page) -> Result<WritablePage, Errno> {
        // What the page was may still be in TLBs; stamped when it stopped being that.
        match page.get_type(PageType::Writable) {
            TypeGet::Ready => {}
            TypeGet::ReadyFlush => {
                cpu.flush_since(&dom.dirty_cpus.load(), page.info().stamp());
                page.type_validated();
            }
            TypeGet::Busy | TypeGet::Mismatch | TypeGet::Validate { .. } => {
                return Err(Errno::EINVAL);
            }
        }
        Ok(WritablePage(page))
    }
}

impl WritablePage {
    /// Takes a page that nobody else knows. `None` when it is in use as something else.
    pub fn hold(page: Page) -> Option<WritablePage> {
        match page.get_type(PageType::Writable) {
            TypeGet::Ready => Some(WritablePage(page)),
            TypeGet::ReadyFlush => {
                page.type_validated();
                Some(WritablePage(page))
            }
            _ => None,
        }
    }
}

impl WritablePage {
    /// Takes up a page together with the reference to its type that
    /// [`WritablePage::leave_type`] left behind.
    pub fn from_typed(page: Page) -> WritablePage {
        WritablePage(page)
    }

    /// Lets go of the page, but leaves the reference to its type to another holder of it.
    pub fn leave_type(self) {
        drop(Page::from_entry(self.0.mem(), self.0.mfn()));
        core::mem::forget(self);
    }
}

impl Deref for WritablePage {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        &self.0
    }
}

impl Drop for WritablePage {
    fn drop(&mut self) {
        // Writable memory has nothing to put: this is done at once.
        let _ = self.0.put_type();
    }
}
