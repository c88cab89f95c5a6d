//! A new PV domain's first page tables, written as its kernel would write them; validation
//! comes afterwards and is the same as for any other.

use super::layout::Layout;
use super::memory::Frames;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::mem::pte::{A, D, P, RW, US};
use core::sync::atomic::Ordering::Relaxed;
use machine::Page;
use xen_abi::Errno;

/// What a present entry of a table or of memory has set.
const TABLE: u64 = P | RW | US | A;
const MEMORY: u64 = P | RW | US | A | D;

/// Hands out the frames set aside for tables, and writes entries.
pub struct Builder<'a> {
    hv: &'a Hypervisor,
    dom: &'a Domain,
    frames: &'a Frames,
    root: Page,
    next_pfn: u64,
    end_pfn: u64,
}

impl<'a> Builder<'a> {
    /// The root table is the first of the layout's table frames. Errors: `ENOMEM`.
    pub fn new(
        hv: &'a Hypervisor,
        dom: &'a Domain,
        frames: &'a Frames,
        layout: &Layout,
    ) -> Result<Builder<'a>, Errno> {
        let pfn = layout.pfn(layout.tables);
        let root = frames.page(hv, dom, pfn).ok_or(Errno::ENOMEM)?;
        root.clear();
        let end_pfn = pfn + layout.table_frames;
        Ok(Builder {
            hv,
            dom,
            frames,
            root,
            next_pfn: pfn + 1,
            end_pfn,
        })
    }

    /// Uses other frames for the tables from now on.
    pub fn use_frames(&mut self, pfn: u64, count: u64) {
        self.next_pfn = pfn;
        self.end_pfn = pfn + count;
    }

    fn new_table(&mut self) -> Result<Page, Errno> {
        if self.next_pfn >= self.end_pfn {
            return Err(Errno::ENOMEM);
        }
        let page = self
            .frames
            .page(self.hv, self.dom, self.next_pfn)
            .ok_or(Errno::ENOMEM)?;
        self.next_pfn += 1;
        page.clear();
        Ok(page)
    }

    fn level1(&mut self, va: u64) -> Result<Page, Errno> {
        let mut table = self.root.another();
        for level in (1..4).rev() {
            let index = (va >> (12 + 9 * level)) as usize & 511;
            let entry = table
                .words()
                .get(index)
                .map_or(0, |slot| slot.load(Relaxed));
            let below = if entry & P != 0 {
                let mfn = crate::mem::pte::Pte(entry).mfn();
                self.hv
                    .mem
                    .get_page(mfn, self.dom.owner())
                    .ok_or(Errno::EINVAL)?
            } else {
                let page = self.new_table()?;
                if let Some(slot) = table.words().get(index) {
                    slot.store(page.mfn().addr() | TABLE, Relaxed);
                }
                page
            };
            table = below;
        }
        Ok(table)
    }

    /// Maps the `count` frames from `pfn` on at `va`; those in `read_only` not writable.
    pub fn map(
        &mut self,
        va: u64,
        pfn: u64,
        count: u64,
        read_only: core::ops::Range<u64>,
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < count {
            let at = va + done * 4096;
            let table = self.level1(at)?;
            let first = (at >> 12) as usize & 511;
            for slot in table.words().iter().skip(first) {
                if done == count {
                    break;
                }
                let here = pfn + done;
                let mfn = self.frames.mfn(here).ok_or(Errno::EINVAL)?;
                let flags = if read_only.contains(&here) {
                    MEMORY & !RW
                } else {
                    MEMORY
                };
                slot.store(mfn.addr() | flags, Relaxed);
                done += 1;
            }
        }
        Ok(())
    }

    /// The root table.
    pub fn into_root(self) -> Page {
        self.root
    }
}
