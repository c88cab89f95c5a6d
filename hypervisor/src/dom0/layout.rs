//! Where everything stands in a new PV domain's first address space.
//!
//! From the virtual base up: the kernel where its headers say, then (page-aligned) the initrd
//! unless the kernel takes it by frame number, the frame list unless the kernel has a place of
//! its own for it, the start-of-day page, the page tables, the first stack. The mapping ends on
//! a 4 MiB boundary at least 512 KiB further on. What is not mapped there (initrd, frame list)
//! follows in the domain's frames.

use crate::loader::{Notes, Placement};

const PAGE: u64 = 4096;
/// Bytes that one level 1 table maps.
const L1_SPAN: u64 = 2 << 20;
const L2_SPAN: u64 = 1 << 30;
const L3_SPAN: u64 = 512 << 30;

/// The layout; addresses are virtual, `_pfn` are frames of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Virtual address of frame 0.
    pub base: u64,
    /// First frame and bytes of the initrd; no bytes without one.
    pub initrd_pfn: u64,
    /// Its length.
    pub initrd_len: u64,
    /// Whether the initrd is mapped.
    pub initrd_mapped: bool,
    /// Virtual address of the frame list.
    pub p2m: u64,
    /// Its first frame.
    pub p2m_pfn: u64,
    /// Frames of the list.
    pub p2m_frames: u64,
    /// Frames of the page tables that map the list at a place of its own.
    pub p2m_table_frames: u64,
    /// The start-of-day page.
    pub start_info: u64,
    /// The page tables.
    pub tables: u64,
    /// Frames of them.
    pub table_frames: u64,
    /// The first stack's page.
    pub stack: u64,
    /// End of the mapping.
    pub end: u64,
    /// One past the last frame that is in use.
    pub used_pfns: u64,
}

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

/// Tables of one level that cover `start` to `end`, when each covers `span`.
fn tables_of(start: u64, end: u64, span: u64) -> u64 {
    if end <= start {
        0
    } else {
        (end - 1) / span - start / span + 1
    }
}

/// Tables of levels 1 to 3 for a range.
fn table_frames(start: u64, end: u64) -> u64 {
    tables_of(start, end, L1_SPAN) + tables_of(start, end, L2_SPAN) + tables_of(start, end, L3_SPAN)
}

impl Layout {
    /// Lays out a kernel, an initrd of `initrd_len` bytes and a domain of `nr_pages`. `None`
    /// when addresses run over or the domain is too small.
    pub fn new(place: &Placement, notes: &Notes, initrd_len: u64, nr_pages: u64) -> Option<Layout> {
        let base = place.base & !(PAGE - 1);
        let mut at = place.end.checked_next_multiple_of(PAGE)?;
        let pfn = |va: u64| (va - base) / PAGE;
        let initrd_mapped = !notes.mod_start_pfn;
        let mut initrd_pfn = pfn(at);
        if initrd_mapped {
            at = at.checked_add(pages(initrd_len) * PAGE)?;
        }
        let p2m_frames = pages(nr_pages.checked_mul(8)?);
        let mut p2m_pfn = pfn(at);
        let p2m = match notes.init_p2m {
            Some(va) => va & !(PAGE - 1),
            None => {
                let va = at;
                at = at.checked_add(p2m_frames * PAGE)?;
                va
            }
        };
        let start_info = at;
        let tables = at.checked_add(PAGE)?;
        // The tables map themselves: their number settles within a few rounds.
        let mut table_count = 1;
        let (stack, end) = loop {
            let stack = tables.checked_add(table_count * PAGE)?;
            let end = stack
                .checked_add(PAGE + (512 << 10))?
                .checked_next_multiple_of(4 << 20);
            // A kernel at the top of the address space may end exactly at its end.
            let end = end?;
            let need = 1 + table_frames(base, end);
            if need <= table_count {
                break (stack, end);
            }
            table_count = need;
        };
        let mut used = pfn(end);
        if !initrd_mapped {
            // Not into the mapped spare part: the kernel takes that for its own.
            initrd_pfn = used;
            used += pages(initrd_len);
        }
        let mut p2m_table_frames = 0;
        if notes.init_p2m.is_some() {
            p2m_pfn = used;
            p2m_table_frames = table_frames(p2m, p2m.checked_add(p2m_frames * PAGE)?);
            used += p2m_frames + p2m_table_frames;
        }
        (used <= nr_pages).then_some(Layout {
            base,
            initrd_pfn,
            initrd_len,
            initrd_mapped,
            p2m,
            p2m_pfn,
            p2m_frames,
            p2m_table_frames,
            start_info,
            tables,
            table_frames: table_count,
            stack,
            end,
            used_pfns: used,
        })
    }

    /// The frame mapped at `va`.
    pub fn pfn(&self, va: u64) -> u64 {
        (va - self.base) / PAGE
    }
}
