//! Page-type validation: what makes a guest's frame a page table, and what ends that.
//!
//! Invariant: each present entry of a validated table holds what it names. At level 1 a
//! general reference to the frame and, if writable, a `Writable` type reference; above, a
//! general reference to the lower table and a type reference to it. Entries that map memory
//! which is not RAM hold nothing; nor do those that name their own table, and those that name
//! another one of its level are [`super::linear`]'s. An entry changes only under its table's lock while the table
//! is validated.
//!
//! Validation and its end run over at most 512 entries between two looks at other work; what
//! is left over stays in the type word (see `machine::frame`).

use super::linear::{Held, Lower};
use super::pte::{CACHING, P, Pte};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::Fail;
use crate::hv::Hypervisor;
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::frame::HOST_SLOTS;
use machine::{Cpu, CpuApi, Mfn, Page, PageType, TypeGet, TypePut};
use xen_abi::Errno;
use xen_abi::xen::DOMID_XEN;

/// Result of page-table work.
pub type TableResult<T> = Result<T, Fail>;

/// Tables whose end was interrupted: one for each level at most. Each token stands for a
/// general and a type reference.
pub type OldTables = ArrayVec<Page, 4>;

/// Page-table work on behalf of one domain.
pub struct Tables<'a> {
    /// Everything shared.
    pub hv: &'a Hypervisor,
    /// The CPU this runs on.
    pub cpu: &'a mut Cpu,
    /// The domain whose tables these are.
    pub dom: &'a Domain,
    /// Where tables are left whose end was interrupted; must be empty at the start of each
    /// operation (see [`Tables::finish_old`]).
    pub old: &'a mut OldTables,
}

impl Cx<'_> {
    /// Page-table work on the calling domain.
    #[inline]
    pub fn tables(&mut self) -> Tables<'_> {
        Tables {
            hv: self.hv,
            cpu: self.cpu,
            dom: self.dom,
            old: &mut self.st.old_tables,
        }
    }
}

/// What an entry of level 1 names.
enum Target {
    /// Memory that is not RAM: nothing is counted.
    Io,
    /// A frame, with a general reference taken.
    Ram(Page),
}

impl Tables<'_> {
    /// Works off a table left by an earlier operation. `Restart` when there is still more.
    #[inline]
    pub fn finish_old(&mut self) -> TableResult<()> {
        while let Some(page) = self.old.pop() {
            self.put_table(page)?;
        }
        Ok(())
    }

    /// Takes the references of an entry of level 1. `owner` owns the frame it names (the
    /// domain itself, but for the control domain's mappings of others' memory).
    /// Errors: `EINVAL` for flags that are not allowed, among them any but the usual caching in a
    /// domain without devices, `EBUSY` for a frame of somebody else's or
    /// one that cannot be written as what it is, `EPERM` for I/O memory that is not permitted.
    #[inline]
    pub fn get_l1e(&mut self, pte: Pte, owner: u32) -> TableResult<()> {
        if !pte.present() {
            return Ok(());
        }
        if !pte.allowed(1) || pte.0 & CACHING != 0 && !self.dom.irqs.has_devices() {
            return Err(Errno::EINVAL.into());
        }
        let page = match self.target(pte.mfn(), owner, pte.writable())? {
            Target::Io => return Ok(()),
            Target::Ram(page) => page,
        };
        if pte.writable() {
            self.get_writable(&page)?;
        }
        page.into_entry();
        Ok(())
    }

    #[inline]
    fn target(&self, mfn: Mfn, owner: u32, writable: bool) -> TableResult<Target> {
        if let Some(page) = self.hv.mem.get_page(mfn, owner) {
            return Ok(Target::Ram(page));
        }
        self.io_target(mfn, owner, writable)
    }

    #[cold]
    fn io_target(&self, mfn: Mfn, owner: u32, writable: bool) -> TableResult<Target> {
        if owner == u32::from(DOMID_XEN) {
            // Only the machine-to-phys table, and only to read it. It is never freed.
            let shown = !writable && self.hv.mem.is_m2p_frame(mfn);
            return if shown {
                Ok(Target::Io)
            } else {
                Err(Errno::EBUSY.into())
            };
        }
        let bits = self.cpu.cpuid(0x8000_0008, 0)[0] & 0xff;
        if self.hv.is_ram(mfn) {
            return Err(Errno::EBUSY.into());
        }
        let beyond = mfn.addr() >> bits.clamp(32, 52) != 0;
        if beyond || !self.dom.irqs.iomem_allowed(mfn.0) {
            return Err(Errno::EPERM.into());
        }
        Ok(Target::Io)
    }

    /// Takes a `Writable` type reference. Errors: `EBUSY` when the frame is something else.
    #[inline]
    pub fn get_writable(&mut self, page: &Page) -> TableResult<()> {
        match page.get_type(PageType::Writable) {
            TypeGet::Ready => Ok(()),
            TypeGet::ReadyFlush | TypeGet::Validate { .. } => {
                // It was a table: nobody may walk it any more before it can be written.
                self.flush_since(page.info().stamp());
                self.flush_owner(page);
                page.type_validated();
                Ok(())
            }
            TypeGet::Busy => Err(Fail::Restart),
            TypeGet::Mismatch => Err(Errno::EBUSY.into()),
        }
    }

    /// As [`Tables::get_writable`] for a write made on the guest's behalf, where a frame that is
    /// something else is `EINVAL`.
    pub fn get_for_write(&mut self, page: &Page) -> TableResult<()> {
        self.get_writable(page).map_err(|fail| match fail {
            Fail::Restart => fail,
            _ => Errno::EINVAL.into(),
        })
    }

    /// Flushes the CPUs that may know the domain's translations from before `stamp`.
    pub fn flush_since(&mut self, stamp: u32) {
        let mut mask = self.dom.dirty_cpus.load();
        // The control domain may have had the frame mapped too.
        if !self.dom.privileged
            && let Some(control) = self.hv.domain(0)
        {
            mask = mask.union(&control.dirty_cpus.load());
        }
        self.cpu.flush_since(&mask, stamp);
    }

    /// Flushes the CPUs that another domain, whose frame `page` is, may have walked it on.
    #[cold]
    fn flush_owner(&mut self, page: &Page) {
        let owner = page.info().owner();
        if owner != self.dom.owner()
            && let Some(dom) = self.hv.domains.any(owner)
        {
            let stamp = page.info().stamp();
            self.cpu.flush_since(&dom.dirty_cpus.load(), stamp);
        }
    }

    /// Gives the references of an entry of level 1 back.
    #[inline]
    pub fn put_l1e(&mut self, pte: Pte) {
        if !pte.present() {
            return;
        }
        let mem = self.hv.mem;
        // Only RAM is counted, and counted RAM has a count.
        if mem.frame(pte.mfn()).is_none_or(|info| info.count() == 0) {
            return;
        }
        let Some(page) = Page::from_entry(mem, pte.mfn()) else {
            return;
        };
        if pte.writable() {
            // Never the last use of a table: a writable frame is none.
            let _ = page.put_type();
        }
    }

    /// Takes the references of an entry of `level` 2 to 4. Errors: `EINVAL`; `Restart` when the
    /// table below is not finished.
    pub(super) fn get_lower(&mut self, pte: Pte, level: u8) -> TableResult<Lower> {
        if !pte.present() {
            return Ok(Lower::Nothing);
        }
        if !pte.allowed(level) {
            return Err(Errno::EINVAL.into());
        }
        let Some(page) = self.hv.mem.get_page(pte.mfn(), self.dom.owner()) else {
            return Err(Errno::EINVAL.into());
        };
        match self.get_table(&page, level - 1) {
            Ok(()) => Ok(Lower::Table(page)),
            Err(Fail::Errno(_)) if self.may_be_linear(level, pte, &page) => Ok(Lower::Same(page)),
            Err(fail) => Err(fail),
        }
    }

    /// Takes the references of an entry of `table`, which is being validated.
    fn get_entry(&mut self, table: &Page, pte: Pte, level: u8) -> TableResult<()> {
        if level == 1 {
            return self.get_l1e(pte, self.dom.owner());
        }
        match self.get_lower(pte, level)? {
            Lower::Nothing => {}
            Lower::Table(page) => {
                page.into_entry();
            }
            Lower::Same(page) => self.take_linear(table, level, page)?,
        }
        Ok(())
    }

    /// Takes a type reference to `page` as a table of `level`, checking it if need be.
    /// Errors: `EINVAL` when it is something else or not a valid table, and for a domain with a
    /// physical map, by which it may write all of its memory.
    pub fn get_table(&mut self, page: &Page, level: u8) -> TableResult<()> {
        let want = PageType::table(level).filter(|_| self.dom.hvm.get().is_none());
        let Some(want) = want else {
            return Err(Errno::EINVAL.into());
        };
        match page.get_type(want) {
            TypeGet::Ready | TypeGet::ReadyFlush => Ok(()),
            TypeGet::Validate { flush, from } => {
                if flush {
                    self.flush_since(page.info().stamp());
                }
                // What was interrupted held the frame in place; now the caller does again.
                let held = (from != 0)
                    .then(|| Page::from_entry(self.hv.mem, page.mfn()))
                    .flatten();
                let result = self.validate(page, level, from);
                drop(held);
                result
            }
            // Another CPU is at it; the guest asks again, and interrupts come in between.
            TypeGet::Busy => Err(Fail::Restart),
            TypeGet::Mismatch => Err(Errno::EINVAL.into()),
        }
    }

    fn validate(&mut self, page: &Page, level: u8, from: u32) -> TableResult<()> {
        let words = page.words();
        let mut next = from as usize;
        while let Some((i, slot)) = present_from(words, next) {
            next = i + 1;
            if level == 4 && HOST_SLOTS.contains(&i) {
                continue;
            }
            let old = Pte(slot.load(Ordering::Relaxed));
            if let Err(fail) = self.get_entry(page, old, level) {
                return Err(self.validation_failed(page, level, i as u32, fail));
            }
            let new = old.adjusted(level);
            if new != old {
                slot.store(new.0, Ordering::Relaxed);
            }
            if level > 1 && self.cpu.work_pending() {
                return Err(self.interrupted(page, i as u32 + 1));
            }
        }
        if level == 4 {
            self.hv.mem.install_host_slots(page);
        }
        page.type_validated();
        Ok(())
    }

    #[cold]
    fn validation_failed(&mut self, page: &Page, level: u8, done: u32, fail: Fail) -> Fail {
        if fail == Fail::Restart {
            // Interrupted below: this table goes on where it stands.
            return self.interrupted(page, done);
        }
        if let Err(rest) = self.devalidate(page.another(), level, done) {
            // The rest is put before the next operation; this one has failed all the same.
            self.leave(rest);
        }
        fail
    }

    /// Leaves a table whose first `done` entries hold what they name. It keeps a general
    /// reference of its own, so that it is still there when somebody goes on with it.
    fn interrupted(&mut self, page: &Page, done: u32) -> Fail {
        if done == 0 {
            page.type_cleared();
        } else {
            page.another().into_entry();
            page.type_partial(done);
        }
        Fail::Restart
    }

    /// Gives a general and a type reference to a table back. `Restart` when its end was
    /// interrupted: the rest is then in `old`.
    pub fn put_table(&mut self, page: Page) -> TableResult<()> {
        match self.try_put_table(page) {
            Ok(()) => Ok(()),
            Err(rest) => {
                self.leave(rest);
                Err(Fail::Restart)
            }
        }
    }

    /// Undoes a validation of `page` that was interrupted and is not to be taken up again.
    /// Whoever works on tables of a domain that is dying calls this on what he left, too.
    pub fn abandon(&mut self, page: &Page) -> TableResult<()> {
        let (kind, _) = page.info().page_type();
        if !page.info().is_partial() {
            return Ok(());
        }
        match page.get_type(kind) {
            TypeGet::Validate { from, .. } => {
                // What was done so far has a general reference of its own.
                let held = (from != 0)
                    .then(|| Page::from_entry(self.hv.mem, page.mfn()))
                    .flatten();
                let held = held.unwrap_or_else(|| page.another());
                self.devalidate(held, kind.level(), from).map_err(|rest| {
                    self.leave(rest);
                    Fail::Restart
                })
            }
            TypeGet::Ready | TypeGet::ReadyFlush => self.put_table(page.another()),
            // At work on it, or leaving it: who that is finishes.
            TypeGet::Busy | TypeGet::Mismatch => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, rest: Page) {
        // One for each level at most, because a level fails or is interrupted only once.
        if let Err(full) = self.old.try_push(rest) {
            full.element().into_entry();
            debug_assert!(false, "more interrupted tables than levels");
        }
    }

    /// As [`Tables::put_table`], but an interrupted table comes back.
    pub(super) fn try_put_table(&mut self, page: Page) -> Result<(), Page> {
        loop {
            match page.put_type() {
                TypePut::Done => return Ok(()),
                TypePut::Devalidate { upto } => {
                    let (kind, _) = page.info().page_type();
                    return self.devalidate(page, kind.level(), upto);
                }
                // In flight elsewhere, and who does that never waits for us.
                TypePut::Busy => machine::relax(),
            }
        }
    }

    /// Puts what the first `upto` entries hold, last first. An interrupted table comes back;
    /// its lower ones stay with the entries that name them, and are met again.
    fn devalidate(&mut self, page: Page, level: u8, upto: u32) -> Result<(), Page> {
        // Whoever changes an entry does so under this lock and looks at the type first: after
        // this, nobody does any more.
        page.lock_table();
        page.unlock_table();
        let mut end = upto as usize;
        while let Some((i, slot)) = present_below(page.words(), end) {
            end = i;
            if level == 4 && HOST_SLOTS.contains(&i) {
                continue;
            }
            let pte = Pte(slot.load(Ordering::Relaxed));
            if level == 1 {
                self.put_l1e(pte);
                continue;
            }
            let held = self.held_by(&page, level, pte);
            let linear = matches!(held, Held::Linear(_));
            if let Err(rest) = self.put_held(held) {
                // The entry has it still.
                if linear {
                    rest.keep_linear();
                }
                rest.into_entry();
                page.type_leaving(i as u32 + 1);
                return Err(page);
            }
            if linear {
                page.end_linear();
            }
            if self.cpu.work_pending() {
                page.type_leaving(i as u32);
                return Err(page);
            }
        }
        page.type_cleared();
        Ok(())
    }
}

/// Entries looked at together: most tables are mostly empty.
const GROUP: usize = 8;

fn any_present(group: &[AtomicU64]) -> bool {
    group
        .iter()
        .fold(0, |all, slot| all | slot.load(Ordering::Relaxed))
        & P
        != 0
}

fn is_present(slot: &AtomicU64) -> bool {
    slot.load(Ordering::Relaxed) & P != 0
}

/// The first present entry at or after `from`.
#[inline]
fn present_from(words: &[AtomicU64; 512], from: usize) -> Option<(usize, &AtomicU64)> {
    let mut at = from;
    while at < words.len() {
        if at.is_multiple_of(GROUP) {
            let group = words.get(at..at + GROUP)?;
            if !any_present(group) {
                at += GROUP;
                continue;
            }
        }
        let slot = words.get(at)?;
        if is_present(slot) {
            return Some((at, slot));
        }
        at += 1;
    }
    None
}

/// The last present entry below `end`.
#[inline]
fn present_below(words: &[AtomicU64; 512], end: usize) -> Option<(usize, &AtomicU64)> {
    let mut end = end.min(words.len());
    while end > 0 {
        if end.is_multiple_of(GROUP) {
            let group = words.get(end - GROUP..end)?;
            if !any_present(group) {
                end -= GROUP;
                continue;
            }
        }
        end -= 1;
        let slot = words.get(end)?;
        if is_present(slot) {
            return Some((end, slot));
        }
    }
    None
}
