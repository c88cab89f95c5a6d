//! Tables that name tables of their own level ("linear" or recursive page tables), which are read
//! through the mapping that this makes.
//!
//! Two counts in the type word of a counted frame: of the entries in it that name other tables of its
//! level, and of the entries in other such tables that name it. Invariant: never are both above
//! zero once whoever raised them is done, so no chain of such entries is longer than one, and
//! none is a ring that would keep itself alive. An entry that names its own table is not counted.

use super::Page;
use super::types::{COUNT, PageType, VALIDATED};
use core::sync::atomic::Ordering;

const OUT_SHIFT: u32 = 32;
const IN_SHIFT: u32 = 42;
const OUT_MOST: u64 = (1 << (IN_SHIFT - OUT_SHIFT)) - 1;
const IN_MOST: u64 = (1 << 12) - 1;
const OUT: u64 = OUT_MOST << OUT_SHIFT;
const IN: u64 = IN_MOST << IN_SHIFT;

impl Page {
    /// Takes a type reference to this frame if it is a validated `want` that others rely on, and
    /// counts an entry of another table of its level that names it. `false`, and nothing done,
    /// when it is not, names others itself, or is named too often.
    pub fn get_linear(&self, want: PageType) -> bool {
        crate::arch::imp::point();
        let taken = self
            .info()
            .typ
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |old| {
                let count = old & COUNT;
                let fits = PageType::from_bits(old) == want
                    && old & VALIDATED != 0
                    && old & OUT == 0
                    && !matches!(count, 0 | COUNT)
                    && old & IN != IN;
                fits.then(|| old + 1 + (1 << IN_SHIFT))
            });
        taken.is_ok()
    }

    /// The reference to this frame that [`Page::get_linear`] took is about to be put as any other
    /// to its type.
    pub fn leave_linear(&self) {
        self.info().typ.fetch_sub(1 << IN_SHIFT, Ordering::AcqRel);
    }

    /// Takes [`Page::leave_linear`] back: the reference was not put to the end.
    pub fn keep_linear(&self) {
        self.info().typ.fetch_add(1 << IN_SHIFT, Ordering::AcqRel);
    }

    /// Counts an entry of this table, which is in use or being validated, that names another of
    /// its level. `false`, and nothing done, when it is named by such entries itself.
    pub fn begin_linear(&self) -> bool {
        crate::arch::imp::point();
        let counted = self
            .info()
            .typ
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |old| {
                (old & IN == 0 && old & OUT != OUT).then(|| old + (1 << OUT_SHIFT))
            });
        counted.is_ok()
    }

    /// Undoes one [`Page::begin_linear`].
    pub fn end_linear(&self) {
        self.info().typ.fetch_sub(1 << OUT_SHIFT, Ordering::AcqRel);
    }
}
