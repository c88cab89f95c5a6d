//! Entries of a grant table: words in a page that the domain writes at any time.
//!
//! Each word is read once and by an atomic operation. In version 1 the marks of use stand in
//! the entry's flags, which are changed together with the domain id that they were checked
//! with; in version 2 in the status words, and the entry is looked at again after marking.

use super::table::{STATUS_PER_PAGE, Table};
use core::sync::atomic::{AtomicU32, Ordering};
use xen_abi::DomId;
use xen_abi::grant_table::*;

/// What an entry grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// Bytes `start` to `start + length` of a frame.
    Frame {
        /// The domain's frame number.
        gfn: u64,
        /// First byte.
        start: u16,
        /// Number of bytes.
        length: u16,
    },
    /// What that domain's entry grants.
    Through(DomId, GrantRef),
}

/// For what an entry is being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Who uses it.
    pub by: DomId,
    /// Whether it is only read.
    pub readonly: bool,
    /// Whether it is mapped, for which it must grant a whole page.
    pub map: bool,
}

const PAGE: u16 = machine::PAGE_SIZE as u16;

impl Table {
    fn header(&self, gref: GrantRef) -> Option<&AtomicU32> {
        let (page, at) = self.locate(gref)?;
        page.u32_at(at)
    }

    fn status_word(&self, gref: GrantRef) -> Option<(&AtomicU32, u32)> {
        let page = self.status_frame(gref / STATUS_PER_PAGE)?;
        let at = (gref % STATUS_PER_PAGE) as usize * 2;
        Some((page.u32_at(at & !3)?, (at as u32 & 2) * 8))
    }

    /// Marks an entry used as `how` says, if it grants that. Errors: `GNTST_general_error`.
    pub fn mark(&self, gref: GrantRef, how: Use) -> Result<(), i16> {
        let marks = if how.readonly {
            GTF_reading
        } else {
            GTF_reading | GTF_writing
        };
        let header = self.header(gref).ok_or(GNTST_bad_gntref)?;
        if self.version == 1 {
            // A domain that keeps changing the entry has itself to blame.
            for _ in 0..8 {
                let seen = header.load(Ordering::Acquire);
                allowed(seen, how, false)?;
                let marked = seen | marks as u32;
                if header
                    .compare_exchange(seen, marked, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
                {
                    return Ok(());
                }
            }
            return Err(GNTST_general_error);
        }
        allowed(header.load(Ordering::Acquire), how, true)?;
        let (status, shift) = self.status_word(gref).ok_or(GNTST_general_error)?;
        let before = status.fetch_or((marks as u32) << shift, Ordering::SeqCst) >> shift;
        // The domain ends a grant by clearing the flags and then looking at the status.
        allowed(header.load(Ordering::SeqCst), how, true).inspect_err(|_| {
            let added = marks & !(before as u16);
            status.fetch_and(!((added as u32) << shift), Ordering::SeqCst);
        })
    }

    /// Takes marks of use off an entry.
    pub fn unmark(&self, gref: GrantRef, marks: u16) {
        if self.version == 1 {
            if let Some(header) = self.header(gref) {
                header.fetch_and(!(marks as u32), Ordering::SeqCst);
            }
        } else if let Some((status, shift)) = self.status_word(gref) {
            status.fetch_and(!((marks as u32) << shift), Ordering::SeqCst);
        }
    }

    /// What an entry grants, read after it was marked.
    pub fn granted(&self, gref: GrantRef) -> Option<Granted> {
        let (page, at) = self.locate(gref)?;
        if self.version == 1 {
            let gfn = page.u32_at(at + 4)?.load(Ordering::Acquire).into();
            return Some(Granted::Frame {
                gfn,
                start: 0,
                length: PAGE,
            });
        }
        let flags = page.u32_at(at)?.load(Ordering::Acquire) as u16;
        let middle = page.u32_at(at + 4)?.load(Ordering::Acquire);
        let last = page.u64_at(at + 8)?.load(Ordering::Acquire);
        Some(match flags & GTF_type_mask {
            GTF_transitive => Granted::Through(middle as u16, last as u32),
            _ if flags & GTF_sub_page != 0 => Granted::Frame {
                gfn: last,
                start: middle as u16,
                length: (middle >> 16) as u16,
            },
            _ => Granted::Frame {
                gfn: last,
                start: 0,
                length: PAGE,
            },
        })
    }

    /// Exchanges the contents of two entries.
    pub fn swap_entries(&self, a: GrantRef, b: GrantRef) -> Option<()> {
        let ((page_a, at_a), (page_b, at_b)) = (self.locate(a)?, self.locate(b)?);
        let words = if self.version == 1 { 1 } else { 2 };
        for word in 0..words {
            let (a, b) = (
                page_a.u64_at(at_a + word * 8)?,
                page_b.u64_at(at_b + word * 8)?,
            );
            let old = a.load(Ordering::Acquire);
            a.store(b.swap(old, Ordering::AcqRel), Ordering::Release);
        }
        Some(())
    }
}

/// Whether an entry with this first word grants the use. Errors: `GNTST_general_error`.
fn allowed(header: u32, how: Use, v2: bool) -> Result<(), i16> {
    let (flags, domid) = (header as u16, (header >> 16) as u16);
    let kind = flags & GTF_type_mask;
    let fits = if how.map {
        kind == GTF_permit_access && flags & GTF_sub_page == 0
    } else {
        kind == GTF_permit_access || v2 && kind == GTF_transitive
    };
    let writes = how.readonly || flags & GTF_readonly == 0;
    if fits && writes && domid == how.by {
        Ok(())
    } else {
        Err(GNTST_general_error)
    }
}
