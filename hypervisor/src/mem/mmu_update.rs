//! The `mmu_update` hypercall: a batch of page-table entries, by machine address.

use super::modify::Write;
use super::pte::{ADDR, Pte};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::{CpuApi, Gfn, Mfn, Page, PageType};
use xen_abi::Errno;
use xen_abi::mmu::*;
use xen_abi::xen::DOMID_SELF;
use zerocopy::IntoBytes;

/// Set in `count` when the call goes on after an interruption.
const PREEMPTED: u32 = 1 << 31;
/// Updates copied from the guest at a time.
const BATCH: usize = 16;

/// Whose frames the entries name and whose tables they are.
struct Owners {
    frames: u32,
    tables: u32,
    /// The frames' owner, when entries name them as its physical map has them.
    mapped: Option<Arc<Domain>>,
}

/// Applies `count` updates; how many were done is added up at `done`. Errors: `EINVAL`,
/// `EFAULT`, `EPERM` and `ESRCH` for other domains, `ENOSYS` for an unknown command.
pub fn call(cx: &mut Cx, [updates, count, done, foreign]: [u64; 4]) -> HyperResult {
    let mut count = count as u32;
    GuestPtr::<MmuUpdate>::new(updates).check()?;
    let done_at = GuestPtr::<u32>::new(done);
    let mut before = 0;
    if count & PREEMPTED != 0 {
        count &= !PREEMPTED;
        if !done_at.is_null() {
            before = cx.copy_in(done_at)?;
        }
    }
    if !cx.st.old_tables.is_empty() {
        // The registers are as they were: an interrupted call starts again from there.
        cx.tables().finish_old()?;
    }
    let owners = owners(cx, foreign as u32)?;
    let mut made = 0;
    let mut result = apply(cx, GuestPtr::new(updates), count, &owners, &mut made);
    if result.is_ok() && !cx.st.old_tables.is_empty() {
        // Another vCPU may want what is left over: it is not left to this one's next call.
        result = cx.tables().finish_old();
    }
    if !done_at.is_null() {
        cx.copy_out(done_at, &before.wrapping_add(made))?;
    }
    match result {
        Err(Fail::Restart) => {
            let left = (count - made) | PREEMPTED;
            let at = GuestPtr::<MmuUpdate>::new(updates).add(made as u64).addr();
            cx.set_args([at, left as u64, done, foreign]);
            Err(Fail::Restart)
        }
        Err(fail) => Err(fail),
        Ok(()) => Ok(0),
    }
}

/// Reads the `foreigndom` argument: frames' owner in the low half, tables' owner plus one in
/// the high half, zero for the caller.
#[inline]
fn owners(cx: &Cx, foreign: u32) -> Result<Owners, Fail> {
    let own = cx.dom.owner();
    let (frames, tables) = (foreign as u16, (foreign >> 16) as u16);
    let mut owners = Owners {
        frames: own,
        tables: own,
        mapped: None,
    };
    if tables != 0 && tables - 1 != cx.dom.id && tables - 1 != DOMID_SELF {
        let dom = cx.hv.domain(tables - 1).ok_or(Errno::ESRCH)?;
        cx.dom.require_privilege()?;
        // It has none that a PV guest could use.
        if dom.hvm.get().is_some() {
            return Err(Errno::EINVAL.into());
        }
        owners.tables = dom.owner();
    }
    if frames != DOMID_SELF {
        owners.frames = cx.foreign_owner(frames)?;
        owners.mapped = cx.hv.domain(frames).filter(|dom| dom.hvm.get().is_some());
    }
    Ok(owners)
}

fn apply(
    cx: &mut Cx,
    updates: GuestPtr<MmuUpdate>,
    count: u32,
    owners: &Owners,
    made: &mut u32,
) -> Result<(), Fail> {
    let mut table: Option<Page> = None;
    let mut batch = [MmuUpdate::default(); BATCH];
    while *made < count {
        if *made > 0 && cx.cpu.work_pending() {
            return Err(Fail::Restart);
        }
        let n = ((count - *made) as usize).min(BATCH);
        let from = updates.add(*made as u64);
        if let (1, [first, ..]) = (n, &mut batch) {
            *first = cx.copy_in(from)?;
        } else if let Some(part) = batch.get_mut(..n) {
            cx.copy_in_bytes(from.cast(), part.as_mut_bytes())?;
        }
        let mut rest = batch.get(..n).unwrap_or_default();
        while let Some(update) = rest.first() {
            let run = same_table(rest);
            let l1 = match (run.len(), &owners.mapped) {
                (0, _) | (_, Some(_)) => None,
                _ => find(cx, update, owners, &mut table)
                    .filter(|page| page.info().page_type().0 == PageType::L1),
            };
            let done = match l1 {
                Some(page) => {
                    let entries = run
                        .iter()
                        .map(|u| (index(u), Pte(u.val), how(u.ptr & MMU_UPDATE_CMD_MASK)));
                    let (done, result) = cx.tables().set_l1_run(page, entries, owners.frames);
                    *made += done;
                    result?;
                    run.len()
                }
                None => {
                    one(cx, update, owners, &mut table)?;
                    *made += 1;
                    1
                }
            };
            rest = rest.get(done..).unwrap_or_default();
        }
    }
    Ok(())
}

/// The updates at the start of `list` that are of entries of one frame.
#[inline(always)]
fn same_table(list: &[MmuUpdate]) -> &[MmuUpdate] {
    let plain = |update: &MmuUpdate| update.ptr & 4 == 0 && update.ptr & 3 != MMU_MACHPHYS_UPDATE;
    let first = list.first().map_or(0, |update| update.ptr);
    let len = list
        .iter()
        .take_while(|update| plain(update) && (update.ptr ^ first) >> 12 == 0)
        .count();
    list.get(..len).unwrap_or_default()
}

/// The frame that an update's entry is in, kept in `cached` for the next.
#[inline]
fn find<'a>(
    cx: &Cx,
    update: &MmuUpdate,
    owners: &Owners,
    cached: &'a mut Option<Page>,
) -> Option<&'a Page> {
    let mfn = Mfn::of(update.ptr);
    if cached.as_ref().is_none_or(|page| page.mfn() != mfn) {
        *cached = cx.hv.mem.get_page(mfn, owners.tables);
    }
    cached.as_ref()
}

#[inline(always)]
fn index(update: &MmuUpdate) -> usize {
    (update.ptr & 0xff8) as usize / 8
}

/// How a command writes.
#[inline(always)]
fn how(command: u64) -> Write {
    match command {
        MMU_PT_UPDATE_PRESERVE_AD => Write::PreserveAd,
        _ => Write::Plain,
    }
}

#[inline]
fn one(
    cx: &mut Cx,
    update: &MmuUpdate,
    owners: &Owners,
    cached: &mut Option<Page>,
) -> Result<(), Fail> {
    let how = match update.ptr & MMU_UPDATE_CMD_MASK {
        MMU_MACHPHYS_UPDATE => return machphys(cx, update, owners),
        command => how(command),
    };
    let Some(table) = find(cx, update, owners, cached) else {
        return Err(Errno::EINVAL.into());
    };
    if update.ptr & 4 != 0 {
        return Err(Errno::ENOSYS.into());
    }
    let index = index(update);
    let (kind, _) = table.info().page_type();
    match kind {
        PageType::L1 => {
            let (pte, _held) = named(update, owners)?;
            cx.tables().set_l1(table, index, pte, how, owners.frames)
        }
        PageType::L2 | PageType::L3 | PageType::L4 if owners.tables != cx.dom.owner() => {
            set_foreign(cx, table, index, Pte(update.val), how, owners.tables)
        }
        PageType::L2 | PageType::L3 | PageType::L4 => {
            let mut tables = cx.tables();
            tables.finish_old()?;
            tables.set_upper(table, kind.level(), index, Pte(update.val), how)
        }
        _ => plain(cx, table, index, update.val),
    }
}

/// The entry of level 1 that an update asks for: a frame of a domain with a physical map is named
/// by its place there, unless the command says otherwise. The page is held until the entry holds
/// it. Errors: `EINVAL` where the domain has no memory of its own.
#[inline]
fn named(update: &MmuUpdate, owners: &Owners) -> Result<(Pte, Option<Page>), Fail> {
    let pte = Pte(update.val);
    let by_number = update.ptr & MMU_UPDATE_CMD_MASK == MMU_PT_UPDATE_NO_TRANSLATE;
    let Some(dom) = owners
        .mapped
        .as_ref()
        .filter(|_| pte.present() && !by_number)
    else {
        return Ok((pte, None));
    };
    translated(dom, pte)
}

/// An entry that names a frame of `dom` by its place in the physical map, with that frame's number
/// instead; the page is held. Errors: `EINVAL`.
#[cold]
pub fn translated(dom: &Domain, pte: Pte) -> Result<(Pte, Option<Page>), Fail> {
    let hvm = dom.hvm.get().ok_or(Errno::EINVAL)?;
    let page = hvm.nested.own_page(Gfn(pte.mfn().0));
    let page = page.filter(|page| page.info().owner() == dom.owner());
    let page = page.ok_or(Errno::EINVAL)?;
    Ok((Pte(pte.0 & !ADDR | page.mfn().addr()), Some(page)))
}

/// Sets an entry of a table above level 1 of domain `owner`: what it names is that domain's.
#[cold]
fn set_foreign(
    cx: &mut Cx,
    table: &Page,
    index: usize,
    new: Pte,
    how: Write,
    owner: u32,
) -> Result<(), Fail> {
    let dom = u16::try_from(owner).ok().and_then(|id| cx.hv.domain(id));
    let dom = dom.ok_or(Errno::ESRCH)?;
    let (kind, _) = table.info().page_type();
    let mut tables = super::Tables {
        hv: cx.hv,
        cpu: cx.cpu,
        dom: &dom,
        old: &mut cx.st.old_tables,
    };
    tables.finish_old()?;
    let result = tables.set_upper(table, kind.level(), index, new, how);
    if result.is_err()
        && dom.dying.load(Ordering::SeqCst)
        && let Some(lower) = tables.hv.mem.get_page(new.mfn(), owner)
    {
        // Nobody takes an interrupted validation up again when the domain goes away.
        let _ = tables.abandon(&lower);
        return Err(Errno::ESRCH.into());
    }
    result
}

/// An update of a frame that is no page table is a write like any other.
#[cold]
fn plain(cx: &mut Cx, page: &Page, index: usize, value: u64) -> Result<(), Fail> {
    cx.tables().get_for_write(page)?;
    if let Some(slot) = page.words().get(index) {
        slot.store(value, Ordering::Relaxed);
    }
    let _ = page.put_type();
    Ok(())
}

fn machphys(cx: &mut Cx, update: &MmuUpdate, owners: &Owners) -> Result<(), Fail> {
    let mfn = Mfn::of(update.ptr);
    // Held until it is done: else the frame could be another domain's by then.
    let page = cx.hv.mem.get_page(mfn, owners.frames);
    let page = page.ok_or(Errno::EINVAL)?;
    cx.hv.mem.set_m2p(page.mfn(), update.val);
    Ok(())
}
