//! A PV guest's mappings of granted pages: entries of its own page tables.
//!
//! An entry holds what it names, as every other does; the grant's use is counted apart.

use crate::cx::Cx;
use crate::fail::Fail;
use crate::mem::Write;
use crate::mem::pte::{A, D, P, Pte, RW, US};
use crate::mem::update_va::find_l1;
use core::sync::atomic::Ordering;
use machine::{Mfn, Page};
use xen_abi::Errno;
use xen_abi::grant_table::*;

/// The entry for a granted frame, mapped as `flags` say.
fn entry(mfn: Mfn, flags: u32) -> Pte {
    let write = if flags & GNTMAP_readonly == 0 { RW } else { 0 };
    let user = if flags & GNTMAP_application_map != 0 {
        US
    } else {
        0
    };
    // Software bits 9 to 11.
    let free = (flags >> 16 & 7) as u64;
    Pte(mfn.0 << 12 | P | A | D | write | user | free << 9)
}

/// A level 1 table of the caller's, and an index in it.
struct Slot {
    table: Page,
    index: usize,
}

impl Slot {
    /// By a virtual address in use now. Errors: `EINVAL` when no table covers it.
    fn of_va(cx: &Cx, va: u64) -> Result<Slot, Fail> {
        let root = cx.st.root.as_ref();
        let l1 = root.and_then(|root| find_l1(cx.hv.mem, root, va));
        let table = l1.and_then(|mfn| cx.hv.mem.get_page(mfn, cx.dom.owner()));
        let table = table.ok_or(Errno::EINVAL)?;
        Ok(Slot {
            table,
            index: (va >> 12) as usize & 511,
        })
    }

    /// By the entry's machine address. Errors: `EINVAL` when that is no entry of a table.
    fn of_entry(cx: &Cx, addr: u64) -> Result<Slot, Fail> {
        let table = cx.hv.mem.get_page(Mfn::of(addr), cx.dom.owner());
        let table = table
            .filter(|_| addr.is_multiple_of(8))
            .ok_or(Errno::EINVAL)?;
        Ok(Slot {
            table,
            index: (addr & 0xfff) as usize / 8,
        })
    }

    fn at(cx: &Cx, host_addr: u64, flags: u32) -> Result<Slot, Fail> {
        if flags & GNTMAP_contains_pte != 0 {
            Slot::of_entry(cx, host_addr)
        } else {
            Slot::of_va(cx, host_addr)
        }
    }

    fn read(&self) -> Pte {
        Pte(self
            .table
            .words()
            .get(self.index)
            .map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    fn write(&self, cx: &mut Cx, new: Pte, how: Write, owner: u32) -> Result<(), Fail> {
        cx.tables().set_l1(&self.table, self.index, new, how, owner)
    }
}

/// Maps `owner`'s frame. Errors: `EINVAL`; `Restart` with nothing done.
pub fn map(cx: &mut Cx, host_addr: u64, flags: u32, mfn: Mfn, owner: u32) -> Result<(), Fail> {
    let slot = Slot::at(cx, host_addr, flags)?;
    slot.write(cx, entry(mfn, flags), Write::Plain, owner)
}

/// Removes the mapping of `mfn`, made as `flags` say; the caller flushes. Errors: `EINVAL` when
/// that is not what is mapped there.
pub fn unmap(cx: &mut Cx, host_addr: u64, flags: u32, mfn: Mfn) -> Result<(), Fail> {
    let slot = Slot::at(cx, host_addr, flags)?;
    replace(cx, &slot, entry(mfn, flags), Pte(0))
}

/// Puts what the caller's `new_addr` maps in the place of the mapping of `mfn`, and nothing at
/// `new_addr`. Errors: as [`unmap`]; `EINVAL` when `new_addr` maps nothing of the caller's.
pub fn unmap_and_replace(
    cx: &mut Cx,
    host_addr: u64,
    new_addr: u64,
    flags: u32,
    mfn: Mfn,
) -> Result<(), Fail> {
    if flags & GNTMAP_contains_pte != 0 {
        return Err(Errno::EINVAL.into());
    }
    let from = Slot::of_va(cx, new_addr)?;
    let to = Slot::of_va(cx, host_addr)?;
    let owner = cx.dom.owner();
    let moved = from.read();
    replace(cx, &to, entry(mfn, flags), moved)?;
    from.write(cx, Pte(0), Write::Plain, owner)
}

/// Sets a slot that maps what `mapped` does to `new`. The same frame with other rights is another
/// grant's mapping, or another use of this one: were it taken for this, a writable entry could
/// outlast the use that it stands for, and with it what keeps the frame from becoming a page
/// table while TLBs still let it be written.
fn replace(cx: &mut Cx, slot: &Slot, mapped: Pte, new: Pte) -> Result<(), Fail> {
    let owner = cx.dom.owner();
    // The processor may set bits in between; the guest's other vCPUs may change the entry, and
    // have themselves to blame.
    for _ in 0..8 {
        let old = slot.read();
        if !old.present() || old.mfn() != mapped.mfn() || old.writable() != mapped.writable() {
            return Err(Errno::EINVAL.into());
        }
        match slot.write(cx, new, Write::IfStill(old), owner) {
            Err(Fail::Errno(Errno::EBUSY)) => {}
            other => return other,
        }
    }
    Err(Errno::EINVAL.into())
}
