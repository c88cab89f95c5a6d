//! Entries that name a table of their own level: a kernel reads its page tables through the
//! mapping that such an entry makes of them (NetBSD's do).
//!
//! They are read-only, and name a table that is validated already, which they never make valid.
//! One that names its own table holds nothing. One that names another holds it as any entry holds
//! what it names, and is counted at both ends (see `machine::frame`), so that no chain of them is
//! longer than one entry: the end of a table stays as deep as it was, and none keeps itself alive.
//!
//! Invariant: the count at the table that has the entry changes only while that table is being
//! validated or ended by this CPU, or is validated and locked.

use super::pte::Pte;
use super::tables::{TableResult, Tables};
use machine::{Page, PageType};
use xen_abi::Errno;

/// What an entry above level 1 is about to hold.
pub(super) enum Lower {
    /// Nothing: it is not present.
    Nothing,
    /// A table of the level below, whose type was taken.
    Table(Page),
    /// A table of the entry's own level, of which nothing but a general reference was taken; see
    /// [`Tables::take_linear`].
    Same(Page),
}

/// What an entry above level 1 held, taken over from it.
pub(super) enum Held {
    /// Nothing.
    Nothing,
    /// A table of the level below.
    Table(Page),
    /// Another table of the entry's own level.
    Linear(Page),
}

impl Held {
    /// The entry is not in `table` any more: the count there goes. See the module's invariant.
    pub(super) fn left(&self, table: &Page) {
        if let Held::Linear(_) = self {
            table.end_linear();
        }
    }
}

impl Tables<'_> {
    /// Whether an entry of a table of `level` that names `page` is one of these.
    pub(super) fn may_be_linear(&self, level: u8, pte: Pte, page: &Page) -> bool {
        self.hv.linear_tables && !pte.writable() && page.info().page_type().0.level() == level
    }

    /// Whether an entry that a table of `level` has is one of these.
    pub(super) fn is_linear(&self, level: u8, pte: Pte) -> bool {
        let named = self.hv.mem.frame(pte.mfn());
        named.is_some_and(|info| info.page_type().0.level() == level)
    }

    /// Takes what an entry of `table`, a table of `level`, holds that names `page`. Errors:
    /// `EINVAL` when that is not a validated table of the level, or would make a longer chain.
    #[cold]
    pub(super) fn take_linear(&self, table: &Page, level: u8, page: Page) -> TableResult<()> {
        if page.mfn() == table.mfn() {
            return Ok(());
        }
        let kind = PageType::table(level).ok_or(Errno::EINVAL)?;
        if !table.begin_linear() {
            return Err(Errno::EINVAL.into());
        }
        if !page.get_linear(kind) {
            table.end_linear();
            return Err(Errno::EINVAL.into());
        }
        page.into_entry();
        Ok(())
    }

    /// Takes over what an entry holds that `table`, a table of `level` 2 to 4, has or had.
    pub(super) fn held_by(&self, table: &Page, level: u8, pte: Pte) -> Held {
        if !pte.present() || pte.mfn() == table.mfn() {
            return Held::Nothing;
        }
        let linear = self.is_linear(level, pte);
        match Page::from_entry(self.hv.mem, pte.mfn()) {
            None => Held::Nothing,
            Some(page) if linear => Held::Linear(page),
            Some(page) => Held::Table(page),
        }
    }

    /// Gives back what an entry held. A table whose end was interrupted comes back.
    pub(super) fn put_held(&mut self, held: Held) -> Result<(), Page> {
        match held {
            Held::Nothing => Ok(()),
            Held::Table(page) => self.try_put_table(page),
            Held::Linear(page) => {
                page.leave_linear();
                self.try_put_table(page)
            }
        }
    }
}
