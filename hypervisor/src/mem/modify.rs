//! Changing one entry of a validated table.

use super::linear::{Held, Lower};
use super::pte::{A, ADDR, CACHING, D, P, Pte, RW};
use super::tables::{TableResult, Tables};
use core::sync::atomic::{AtomicU64, Ordering};
use machine::frame::HOST_SLOTS;
use machine::{CpuApi, Page, PageType};
use xen_abi::Errno;

/// How an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// As given.
    Plain,
    /// Accessed and dirty bits that the processor sets meanwhile are kept.
    PreserveAd,
    /// Only if the entry still is this, as the guest's own compare-and-exchange would.
    IfStill(Pte),
}

/// Holds a table's lock.
struct TableLock<'a>(&'a Page);

impl<'a> TableLock<'a> {
    #[inline]
    fn take(page: &'a Page) -> Self {
        page.lock_table();
        TableLock(page)
    }
}

impl Drop for TableLock<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock_table();
    }
}

/// Writes `new` over `old`; `None` when the entry was changed otherwise meanwhile.
#[inline]
fn write_entry(slot: &AtomicU64, old: Pte, new: Pte, how: Write) -> Option<Pte> {
    match how {
        // Under the table's lock only the processor changes the entry, and only A and D.
        Write::Plain => Some(Pte(slot.swap(new.0, Ordering::AcqRel))),
        Write::PreserveAd => {
            let mut now = old.0;
            loop {
                let value = new.0 | now & (A | D);
                match slot.compare_exchange(now, value, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(was) => return Some(Pte(was)),
                    Err(other) => now = other,
                }
            }
        }
        Write::IfStill(expected) => slot
            .compare_exchange(expected.0, new.0, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(Pte),
    }
}

/// An entry of a level 1 table whose lock is held.
pub struct LockedSlot<'a> {
    slot: &'a AtomicU64,
    _lock: TableLock<'a>,
}

impl core::ops::Deref for LockedSlot<'_> {
    type Target = AtomicU64;

    #[inline(always)]
    fn deref(&self) -> &AtomicU64 {
        self.slot
    }
}

/// How far [`begin_l1`] came.
pub enum Begun<'a> {
    /// To the end.
    Ended(TableResult<()>),
    /// What is counted changes: [`Tables::replace_l1`] goes on, from the entry as it was.
    Counted(LockedSlot<'a>, Pte),
}

/// The part of [`Tables::set_l1`] that counts nothing: all of it where the entry names the same
/// frame with the same rights as before.
#[inline(always)]
pub fn begin_l1(table: &Page, index: usize, new: Pte, how: Write) -> Begun<'_> {
    let lock = TableLock::take(table);
    match table.words().get(index) {
        Some(slot) if table.info().is_validated(PageType::L1) => {
            let old = Pte(slot.load(Ordering::Relaxed));
            match write_same(slot, old, new, how) {
                Some(result) => Begun::Ended(result),
                None => Begun::Counted(LockedSlot { slot, _lock: lock }, old),
            }
        }
        _ => Begun::Ended(Err(Errno::EINVAL.into())),
    }
}

/// Writes an entry that names the same frame with the same rights and caching as before; `None`
/// for another.
#[inline(always)]
fn write_same(slot: &AtomicU64, old: Pte, new: Pte, how: Write) -> Option<TableResult<()>> {
    if !old.present() || (old.0 ^ new.0) & (ADDR | P | RW | CACHING) != 0 || !new.allowed(1) {
        return None;
    }
    Some(match write_entry(slot, old, new.adjusted(1), how) {
        Some(_) => Ok(()),
        None => Err(Errno::EBUSY.into()),
    })
}

impl Tables<'_> {
    /// Sets entry `index` of the level 1 table `table` to `new`; the frame that it names
    /// belongs to `owner`. Errors: `EINVAL` when the entry or the table is not valid;
    /// `EBUSY` when [`Write::IfStill`] does not hold.
    #[inline]
    pub fn set_l1(
        &mut self,
        table: &Page,
        index: usize,
        new: Pte,
        how: Write,
        owner: u32,
    ) -> TableResult<()> {
        match begin_l1(table, index, new, how) {
            Begun::Ended(result) => result,
            Begun::Counted(slot, old) => self.replace_l1(&slot, old, new, how, owner),
        }
    }

    /// As [`Tables::set_l1`] for several entries of one table, whose lock is taken once. Returns
    /// how many were set before the first that was refused, if one was.
    #[inline]
    pub fn set_l1_run(
        &mut self,
        table: &Page,
        entries: impl Iterator<Item = (usize, Pte, Write)>,
        owner: u32,
    ) -> (u32, TableResult<()>) {
        let _lock = TableLock::take(table);
        if !table.info().is_validated(PageType::L1) {
            return (0, Err(Errno::EINVAL.into()));
        }
        let mut made = 0;
        for (index, new, how) in entries {
            let Some(slot) = table.words().get(index) else {
                return (made, Err(Errno::EINVAL.into()));
            };
            if let Err(fail) = self.set_l1_locked(slot, new, how, owner) {
                return (made, Err(fail));
            }
            made += 1;
        }
        (made, Ok(()))
    }

    /// Sets an entry of a validated level 1 table, whose lock is held. References are taken and
    /// put without waiting for anybody who could wait for the lock: whoever does answers flushes.
    #[inline(always)]
    fn set_l1_locked(
        &mut self,
        slot: &AtomicU64,
        new: Pte,
        how: Write,
        owner: u32,
    ) -> TableResult<()> {
        let old = Pte(slot.load(Ordering::Relaxed));
        match write_same(slot, old, new, how) {
            Some(result) => result,
            None => self.replace_l1(slot, old, new, how, owner),
        }
    }

    /// Makes an entry, whose table's lock is held, name another frame, or none, or the same with
    /// other rights. Errors: as [`Tables::set_l1`].
    pub fn replace_l1(
        &mut self,
        slot: &AtomicU64,
        old: Pte,
        new: Pte,
        how: Write,
        owner: u32,
    ) -> TableResult<()> {
        self.get_l1e(new, owner)?;
        match write_entry(slot, old, new.adjusted(1), how) {
            Some(was) => {
                self.put_l1e(was);
                Ok(())
            }
            None => {
                self.put_l1e(new);
                Err(Errno::EBUSY.into())
            }
        }
    }

    /// Sets entry `index` of the table `table` of `level` 2 to 4. Errors as
    /// [`Tables::set_l1`]; `Restart` before anything was changed, or when the table that the
    /// entry named is not fully put (which the next operation goes on with).
    pub fn set_upper(
        &mut self,
        table: &Page,
        level: u8,
        index: usize,
        new: Pte,
        how: Write,
    ) -> TableResult<()> {
        let Some(kind) = PageType::table(level) else {
            return Err(Errno::EINVAL.into());
        };
        if level == 4 && HOST_SLOTS.contains(&index) {
            return Err(Errno::EINVAL.into());
        }
        let Some(slot) = table.words().get(index) else {
            return Err(Errno::EINVAL.into());
        };
        // The new table is validated before the lock is taken, which may be long.
        let old = Pte(slot.load(Ordering::Relaxed));
        let same = |tables: &Self, old: Pte| {
            old.present()
                && (old.0 ^ new.0) & (ADDR | P) == 0
                && new.allowed(level)
                && !(new.writable() && tables.is_linear(level, old))
        };
        let fresh = !same(self, old);
        let lower = if fresh {
            self.get_lower(new, level)?
        } else {
            Lower::Nothing
        };
        let lock = TableLock::take(table);
        if !table.info().is_validated(kind) {
            drop(lock);
            return self.refuse(lower, Errno::EINVAL);
        }
        let now = Pte(slot.load(Ordering::Relaxed));
        if !fresh && !same(self, now) {
            // It was changed just now by another vCPU: a race of the guest's own making.
            drop(lock);
            return Err(crate::fail::Fail::Restart);
        }
        let lower = match lower {
            Lower::Same(page) => {
                self.take_linear(table, level, page)?;
                Lower::Nothing
            }
            other => other,
        };
        let Some(was) = write_entry(slot, now, new.adjusted(level), how) else {
            if matches!(lower, Lower::Nothing) && fresh {
                let held = self.held_by(table, level, new);
                held.left(table);
                drop(lock);
                self.put_held_later(held);
            } else {
                drop(lock);
            }
            return self.refuse(lower, Errno::EBUSY);
        };
        if let Lower::Table(page) = lower {
            page.into_entry();
        }
        let held = if fresh {
            self.held_by(table, level, was)
        } else {
            Held::Nothing
        };
        held.left(table);
        drop(lock);
        if level == 4 {
            self.cpu.root_changed(&self.dom.dirty_cpus);
        }
        self.put_held_later(held);
        Ok(())
    }

    /// Gives back what was taken for an entry that is not written after all.
    fn refuse(&mut self, lower: Lower, errno: Errno) -> TableResult<()> {
        if let Lower::Table(page) = lower {
            self.put_table_later(page)?;
        }
        Err(errno.into())
    }

    /// Gives back what an entry held that is not there any more; what is left over waits for the
    /// next operation.
    fn put_held_later(&mut self, held: Held) {
        if let Err(rest) = self.put_held(held) {
            self.leave(rest);
        }
    }

    /// Gives a table's references back; what is left over waits for the next operation.
    pub fn put_table_later(&mut self, page: Page) -> TableResult<()> {
        // An interrupted table is kept in `old`: done as far as the caller is concerned.
        let _ = self.put_table(page);
        Ok(())
    }
}
