//! The `update_va_mapping` hypercall: one entry of the page tables in use, by virtual address.

use super::flush;
use super::modify::{Begun, Write, begin_l1};
use super::pte::Pte;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use core::sync::atomic::Ordering;
use machine::{Mem, Mfn, Page, PageType};
use xen_abi::Errno;
use xen_abi::xen::DOMID_SELF;

/// The level 1 table that maps `va` under `root`, as it was a moment ago.
#[inline]
pub fn find_l1(mem: Mem, root: &Page, va: u64) -> Option<Mfn> {
    let index = |level: u32| (va >> (12 + 9 * level)) as usize & 511;
    // A root in use is a validated table as long as it is one.
    let l3 = Pte(root.words().get(index(3))?.load(Ordering::Relaxed));
    // The hypervisor's own tables, in its slots, are of no type.
    if !l3.present() {
        return None;
    }
    let l2 = Pte(mem.table_entry(l3.mfn(), PageType::L3, index(2))?);
    if !l2.present() {
        return None;
    }
    let l1 = Pte(mem.table_entry(l2.mfn(), PageType::L2, index(1))?);
    l1.present().then(|| l1.mfn())
}

/// Sets the entry that maps `va` to `val` and flushes as `flags` say. Errors: `EINVAL` when
/// no page table covers the address or the entry is not allowed.
pub fn call(cx: &mut Cx, [va, val, flags]: [u64; 3]) -> HyperResult {
    update(cx, va, Pte(val), flags, cx.dom.owner())
}

/// As [`call`], for an entry that names a frame of `owner`.
#[inline]
pub fn update(cx: &mut Cx, va: u64, pte: Pte, flags: u64, owner: u32) -> HyperResult {
    if !cx.st.old_tables.is_empty() {
        cx.tables().finish_old()?;
    }
    let root = cx.st.root.as_ref();
    let mem = cx.hv.mem;
    let l1 = root
        .and_then(|root| find_l1(mem, root, va))
        .ok_or(Fail::Errno(Errno::EINVAL))?;
    let table = mem
        .get_page(l1, cx.dom.owner())
        .ok_or(Fail::Errno(Errno::EINVAL))?;
    match begin_l1(&table, (va >> 12) as usize & 511, pte, Write::Plain) {
        Begun::Ended(result) => result?,
        Begun::Counted(slot, old) => {
            cx.tables()
                .replace_l1(&slot, old, pte, Write::Plain, owner)?;
        }
    }
    drop(table);
    flush::after_update(cx, va, flags)?;
    Ok(0)
}

/// `update_va_mapping_otherdomain`: as [`call`], for an entry that names a frame of domain
/// `domid`. Errors: `ESRCH`, `EPERM`.
pub fn other_domain(cx: &mut Cx, [va, val, flags, domid]: [u64; 4]) -> HyperResult {
    let id = domid as u16;
    if id == DOMID_SELF {
        return update(cx, va, Pte(val), flags, cx.dom.owner());
    }
    let owner = cx.foreign_owner(id)?;
    let mut pte = Pte(val);
    let mapped = cx.hv.domain(id).filter(|dom| dom.hvm.get().is_some());
    let mut _held = None;
    if let Some(dom) = mapped.filter(|_| pte.present()) {
        (pte, _held) = super::mmu_update::translated(&dom, pte)?;
    }
    update(cx, va, pte, flags, owner)
}
