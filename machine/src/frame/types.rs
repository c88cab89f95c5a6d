//! The type word: what a frame is, and how many rely on it.
//!
//! States of a table type: *in flight* (counted, neither validated nor partial: one CPU is at
//! work on it), *partial* (counted once for the work done so far, which whoever comes next
//! takes up), *validated*. Writable and descriptor-free types are validated from the start.

use super::{Page, PageInfo};
use core::sync::atomic::Ordering;

/// What a frame can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PageType {
    /// Nothing yet, or only mapped read-only.
    None = 0,
    /// Page table of level 1 (its entries map 4 KiB pages).
    L1 = 1,
    /// Page table of level 2.
    L2 = 2,
    /// Page table of level 3.
    L3 = 3,
    /// Page table of level 4.
    L4 = 4,
    /// Descriptor table (GDT or LDT).
    SegDesc = 5,
    /// Memory that its owner may write.
    Writable = 7,
}

impl PageType {
    pub(super) fn from_bits(bits: u64) -> PageType {
        match bits >> TYPE_SHIFT {
            1 => PageType::L1,
            2 => PageType::L2,
            3 => PageType::L3,
            4 => PageType::L4,
            5 => PageType::SegDesc,
            7 => PageType::Writable,
            _ => PageType::None,
        }
    }

    /// The page-table type of level 1 to 4.
    pub fn table(level: u8) -> Option<PageType> {
        match level {
            1 => Some(PageType::L1),
            2 => Some(PageType::L2),
            3 => Some(PageType::L3),
            4 => Some(PageType::L4),
            _ => None,
        }
    }

    /// Level of a page-table type, zero for others.
    #[inline]
    pub fn level(self) -> u8 {
        if (self as u8) <= 4 { self as u8 } else { 0 }
    }

    fn needs_validation(self) -> bool {
        !matches!(self, PageType::Writable)
    }
}

const TYPE_SHIFT: u32 = 60;
const TYPE_MASK: u64 = 0xf << TYPE_SHIFT;
pub(super) const PINNED: u64 = 1 << 59;
pub(super) const VALIDATED: u64 = 1 << 58;
/// First bit of the type, the pin and the mark of validity.
const UPPER: u32 = 58;
pub(super) const PARTIAL: u64 = 1 << 57;
pub(super) const LOCKED: u64 = 1 << 56;
/// The upper six bits of a validated L4's type word, its pin left out.
#[cfg(target_os = "none")]
pub(crate) const VALIDATED_L4: u64 =
    (PageType::L4 as u64) << (TYPE_SHIFT - UPPER) | VALIDATED >> UPPER;
/// With PARTIAL: what is left is being put, and whoever left it so finishes it.
pub(super) const LEAVING: u64 = 1 << 55;
pub(super) const COUNT: u64 = (1 << 32) - 1;

/// Outcome of asking for a type reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TypeGet {
    /// Counted.
    Ready,
    /// Counted, and the caller has to check the contents, from entry `from` on, then call
    /// [`Page::type_validated`], [`Page::type_partial`] or, when nothing is held in it any
    /// more, [`Page::type_cleared`]. `flush` says that stale translations of what it was may exist; the
    /// stamp to flush by is read from now on and not before.
    Validate {
        /// The type the frame had before, when translations made then may still be cached.
        flush: bool,
        /// First entry that is not yet checked.
        from: u32,
    },
    /// Counted; the frame needs no check, but translations of its former type may be cached:
    /// the caller flushes by [`PageInfo::stamp`], read from now on and not before, and then
    /// calls [`Page::type_validated`]. Until then the frame is busy for all others.
    ReadyFlush,
    /// Another CPU is changing it: try again.
    Busy,
    /// The frame is in use as something else.
    Mismatch,
}

/// Outcome of giving a type reference back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TypePut {
    /// Done.
    Done,
    /// It was the last one of a table: the caller has to put what the first `upto` entries
    /// hold, then call [`Page::type_cleared`] or [`Page::type_leaving`].
    Devalidate {
        /// Entries that hold something.
        upto: u32,
    },
    /// Another CPU is changing it: try again.
    Busy,
}

/// A type word from which a reference was taken.
pub(super) struct Taken {
    pub word: u64,
    pub got: TypeGet,
    /// An interrupted validation is taken up: where it stands is in the stamp.
    pub taken_up: bool,
}

/// What a type word becomes when a reference to it as a `want` is taken. Errors: what the caller
/// is told instead. As [`given`], checked in all interleavings of steps by `interleave.rs`.
#[inline(always)]
pub(super) fn taken(old: u64, want: PageType) -> Result<Taken, TypeGet> {
    let want_bits = (want as u64) << TYPE_SHIFT;
    let same = old & TYPE_MASK == want_bits;
    let (word, got) = if old & COUNT == 0 {
        let changed = old & TYPE_MASK != 0 && !same;
        let keep = old & LOCKED;
        if want.needs_validation() {
            // `flush` also when it was this very type before: tables are re-read.
            (
                want_bits | keep | 1,
                TypeGet::Validate {
                    flush: changed,
                    from: 0,
                },
            )
        } else if changed {
            // Not validated: nobody else gets it before the caller has flushed.
            (want_bits | keep | 1, TypeGet::ReadyFlush)
        } else {
            (want_bits | VALIDATED | keep | 1, TypeGet::Ready)
        }
    } else if !same {
        return Err(TypeGet::Mismatch);
    } else if old & VALIDATED != 0 {
        if old & COUNT == COUNT {
            return Err(TypeGet::Mismatch);
        }
        (old + 1, TypeGet::Ready)
    } else if old & (PARTIAL | LEAVING) == PARTIAL {
        return Ok(Taken {
            word: old & !PARTIAL,
            got: TypeGet::Validate {
                flush: false,
                from: 0,
            },
            taken_up: true,
        });
    } else {
        return Err(TypeGet::Busy);
    };
    Ok(Taken {
        word,
        got,
        taken_up: false,
    })
}

/// A type word to which a reference was given back.
pub(super) struct Given {
    pub word: u64,
    pub result: TypePut,
    /// The TLB clock goes into the stamp before the word is changed.
    pub stamped: bool,
}

/// What a type word becomes when a reference to it is given back; `None` while another CPU is at
/// work on the table.
#[inline(always)]
pub(super) fn given(old: u64) -> Option<Given> {
    let simply = |word, stamped| Given {
        word,
        result: TypePut::Done,
        stamped,
    };
    if old & COUNT != 1 {
        return Some(simply(old - 1, false));
    }
    let kind = PageType::from_bits(old);
    if kind.level() == 0 {
        let keep = if kind == PageType::Writable {
            VALIDATED
        } else {
            0
        };
        return Some(simply((old - 1) & !VALIDATED | keep, true));
    }
    let (word, upto) = if old & VALIDATED != 0 {
        (old & !VALIDATED, 512)
    } else if old & PARTIAL != 0 {
        // The number is in the stamp.
        (old & !(PARTIAL | LEAVING), 0)
    } else {
        return None;
    };
    Some(Given {
        word,
        result: TypePut::Devalidate { upto },
        stamped: false,
    })
}

impl PageInfo {
    /// The frame's type and how many rely on it.
    #[inline]
    pub fn page_type(&self) -> (PageType, u32) {
        let word = self.typ.load(Ordering::Acquire);
        (PageType::from_bits(word), (word & COUNT) as u32)
    }

    /// How many of a table's first entries hold what they name, while its validation or the end
    /// of it is interrupted; and whether that is its end.
    pub fn partly(&self) -> Option<(u32, bool)> {
        let word = self.typ.load(Ordering::Acquire);
        (word & PARTIAL != 0).then(|| (self.stamp.load(Ordering::Relaxed), word & LEAVING != 0))
    }

    /// Whether the frame is a validated table of type `t` just now. A table that nobody relies on
    /// is not validated any more.
    #[inline(always)]
    pub fn is_validated(&self, t: PageType) -> bool {
        let word = self.typ.load(Ordering::Acquire);
        word >> UPPER & !(PINNED >> UPPER)
            == (t as u64) << (TYPE_SHIFT - UPPER) | VALIDATED >> UPPER
            && (t.level() != 0 || word & COUNT != 0)
    }

    /// Whether the guest pinned the frame's type.
    pub fn is_pinned(&self) -> bool {
        self.typ.load(Ordering::Relaxed) & PINNED != 0
    }

    /// Whether validation of the frame was interrupted.
    pub fn is_partial(&self) -> bool {
        self.typ.load(Ordering::Relaxed) & PARTIAL != 0
    }
}

impl Page {
    /// Asks for a reference to this frame as a `want`.
    #[inline]
    pub fn get_type(&self, want: PageType) -> TypeGet {
        crate::arch::imp::point();
        let typ = &self.info().typ;
        let mut old = typ.load(Ordering::Relaxed);
        loop {
            let Taken {
                word,
                got,
                taken_up,
            } = match taken(old, want) {
                Ok(taken) => taken,
                Err(not) => return not,
            };
            match typ.compare_exchange_weak(old, word, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if taken_up => {
                    // Only now is the number ours: the word may look the same as before while
                    // another CPU took the work up, went on and left it again.
                    let from = self.info().stamp.load(Ordering::Relaxed);
                    return TypeGet::Validate { flush: false, from };
                }
                Ok(_) => return got,
                Err(now) => old = now,
            }
        }
    }

    /// Ends a validation with success.
    pub fn type_validated(&self) {
        crate::arch::imp::point();
        self.info().typ.fetch_or(VALIDATED, Ordering::Release);
    }

    /// Interrupts a validation: the first `done` entries hold what they name. Whoever asks for
    /// the type next goes on.
    pub fn type_partial(&self, done: u32) {
        crate::arch::imp::point();
        self.info().stamp.store(done, Ordering::Relaxed);
        self.info().typ.fetch_or(PARTIAL, Ordering::Release);
    }

    /// Interrupts a devalidation: the first `left` entries still hold what they name. The
    /// caller keeps the type reference and calls [`Page::put_type`] again.
    pub fn type_leaving(&self, left: u32) {
        crate::arch::imp::point();
        self.info().stamp.store(left, Ordering::Relaxed);
        self.info()
            .typ
            .fetch_or(PARTIAL | LEAVING, Ordering::Release);
    }

    /// Ends a devalidation or a failed validation: no entry holds anything; the count goes.
    pub fn type_cleared(&self) {
        crate::arch::imp::point();
        let info = self.info();
        info.stamp.store(self.mem().tlb_clock(), Ordering::Relaxed);
        let _ = info
            .typ
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |old| {
                Some((old - 1) & !(PARTIAL | LEAVING | VALIDATED))
            });
    }

    /// Gives a type reference back.
    #[inline]
    pub fn put_type(&self) -> TypePut {
        crate::arch::imp::point();
        let info = self.info();
        let mut old = info.typ.load(Ordering::Relaxed);
        loop {
            debug_assert!(
                old & COUNT != 0 || crate::arch::imp::unwinding(),
                "type count below zero"
            );
            let Given {
                word,
                result,
                stamped,
            } = match given(old) {
                Some(given) => given,
                None => return TypePut::Busy,
            };
            if stamped {
                info.stamp.store(self.mem().tlb_clock(), Ordering::Relaxed);
            }
            match info
                .typ
                .compare_exchange_weak(old, word, Ordering::AcqRel, Ordering::Relaxed)
            {
                // As in `get_type`: the number is read once it is ours.
                Ok(_) if result == (TypePut::Devalidate { upto: 0 }) => {
                    return TypePut::Devalidate {
                        upto: info.stamp.load(Ordering::Relaxed),
                    };
                }
                Ok(_) => return result,
                Err(now) => old = now,
            }
        }
    }

    /// Marks the frame pinned; `false` when it was already. The caller's type reference (and
    /// general one) then belong to the pin.
    pub fn set_pinned(&self) -> bool {
        self.info().typ.fetch_or(PINNED, Ordering::AcqRel) & PINNED == 0
    }

    /// Ends the pin; `true` for the one caller that now has to put the pin's references.
    pub fn clear_pinned(&self) -> bool {
        self.info().typ.fetch_and(!PINNED, Ordering::AcqRel) & PINNED != 0
    }

    /// Tries to lock the entries of this table against other writers.
    #[inline]
    pub fn try_lock_table(&self) -> bool {
        crate::arch::imp::point();
        self.info().typ.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0
    }

    /// Locks the entries of this table; answers TLB flush requests while it waits.
    #[inline]
    pub fn lock_table(&self) {
        while !self.try_lock_table() {
            crate::arch::imp::relax();
        }
    }

    /// Ends [`Page::lock_table`].
    #[inline]
    pub fn unlock_table(&self) {
        crate::arch::imp::point();
        self.info().typ.fetch_and(!LOCKED, Ordering::Release);
    }
}
