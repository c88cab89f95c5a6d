//! What was taken out of a physical map, until CPUs have flushed.

use crate::domain::Domain;
use crate::event::WritablePage;
use arrayvec::ArrayVec;
use machine::nested::Stale;
use machine::{Cpu, CpuApi, CpuMask, Flush, Page};

/// Changes of physical maps that wait for one flush. Whoever makes one ends it by
/// [`Pending::settle`] before the guest goes on.
///
/// Frames may go back to the heap before: whoever gets them next flushes by their stamp. What
/// may not go before is the type of another domain's frame, which could become a page table.
#[derive(Default)]
pub struct Pending {
    /// Where translations of what was there may be.
    cpus: CpuMask,
    typed: ArrayVec<WritablePage, 32>,
}

impl Pending {
    /// Takes over what an entry of the domain's map held; the page is given out, unless its
    /// type has to wait.
    #[must_use]
    pub fn add(&mut self, cpu: &mut Cpu, dom: &Domain, stale: Stale) -> Option<Page> {
        if stale.was_mapped {
            // Read after the change: a CPU that comes later sees it.
            self.cpus = self.cpus.union(&dom.dirty_cpus.load());
        }
        let page = stale.page?;
        if !stale.typed {
            return Some(page);
        }
        if self.typed.is_full() {
            self.settle(cpu);
        }
        // There is room now.
        let _ = self.typed.try_push(WritablePage::from_typed(page));
        None
    }

    /// Flushes, if anything was mapped.
    pub fn settle(&mut self, cpu: &mut Cpu) {
        let cpus = core::mem::take(&mut self.cpus);
        if !cpus.is_empty() {
            cpu.flush(&cpus, Flush::All);
        }
        self.typed.clear();
    }
}
