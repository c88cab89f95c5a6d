//! Descriptor tables of PV guests: only frames whose every descriptor was checked are loaded,
//! and such a frame is not writable as long as it is one.

use crate::cx::Cx;
use crate::domain::VcpuState;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::mem::Tables;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::pv::GDT_PAGES;
use machine::{CpuApi, Mfn, Page, PageType, TypeGet};
use xen_abi::Errno;

/// Descriptors in a page.
const PER_PAGE: u32 = 512;
/// Most descriptors in an LDT.
pub const MAX_LDT: u32 = 8192;

const PRESENT: u64 = 1 << 47;
const DPL: u64 = 3 << 45;
const CODE_OR_DATA: u64 = 1 << 44;
const TYPE: u64 = 0xf << 40;

/// The descriptor as it may stand in a table: code and data are of ring 3 always. `None` for
/// one that may not: gates and system segments.
pub fn checked(desc: u64) -> Option<u64> {
    if desc & CODE_OR_DATA != 0 {
        return Some(desc | DPL);
    }
    // Not present: it faults when used. Type 0 too; it is the upper half of nothing.
    (desc & PRESENT == 0 || desc & TYPE == 0).then_some(desc)
}

impl Tables<'_> {
    /// Takes a reference to a frame as descriptor table. Errors: `EINVAL`.
    pub fn get_descriptors(&mut self, page: &Page) -> Result<(), Fail> {
        match page.get_type(PageType::SegDesc) {
            TypeGet::Ready | TypeGet::ReadyFlush => return Ok(()),
            TypeGet::Busy => return Err(Fail::Restart),
            TypeGet::Mismatch => return Err(Errno::EINVAL.into()),
            TypeGet::Validate { flush, .. } => {
                if flush {
                    self.flush_since(page.info().stamp());
                }
            }
        }
        for slot in page.words() {
            let old = slot.load(Ordering::Relaxed);
            match checked(old) {
                Some(new) => {
                    if new != old {
                        slot.store(new, Ordering::Relaxed);
                    }
                }
                None => {
                    page.type_cleared();
                    return Err(Errno::EINVAL.into());
                }
            }
        }
        page.type_validated();
        Ok(())
    }
}

/// Gives a descriptor table's references back.
pub fn put_descriptors(page: Page) {
    let _ = page.put_type();
}

/// Takes the frames of a GDT of `entries` descriptors. Errors: `EINVAL`.
pub fn take_gdt(tables: &mut Tables, frames: &[u64]) -> Result<[Option<Page>; GDT_PAGES], Fail> {
    let mut taken = [const { None }; GDT_PAGES];
    for (slot, &mfn) in taken.iter_mut().zip(frames) {
        let owner = tables.dom.owner();
        let page = tables
            .hv
            .mem
            .get_page(Mfn(mfn), owner)
            .ok_or(Fail::Errno(Errno::EINVAL));
        match page.and_then(|page| tables.get_descriptors(&page).map(|()| page)) {
            Ok(page) => *slot = Some(page),
            Err(fail) => {
                drop_gdt(&mut taken);
                return Err(fail);
            }
        }
    }
    Ok(taken)
}

/// Gives all frames of a GDT back.
pub fn drop_gdt(gdt: &mut [Option<Page>; GDT_PAGES]) {
    gdt.iter_mut()
        .filter_map(Option::take)
        .for_each(put_descriptors);
}

/// Gives all frames of an LDT back.
pub fn drop_ldt(st: &mut VcpuState) {
    st.pv.ldt.drain(..).for_each(put_descriptors);
    st.pv.ldt_entries = 0;
}

/// Gives a vCPU's descriptor tables back, for good.
pub fn release_descriptors(st: &mut VcpuState) {
    drop_gdt(&mut st.pv.gdt);
    drop_ldt(st);
}

/// `set_gdt`: the frames of the calling vCPU's GDT. Errors: `EINVAL`, `EFAULT`.
pub fn set_gdt(cx: &mut Cx, [frames, entries]: [u64; 2]) -> HyperResult {
    let entries = entries as u32;
    if entries > GDT_PAGES as u32 * PER_PAGE {
        return Err(Errno::EINVAL.into());
    }
    let count = entries.div_ceil(PER_PAGE) as usize;
    let mut mfns = [0u64; GDT_PAGES];
    for (i, mfn) in mfns.iter_mut().take(count).enumerate() {
        *mfn = cx.copy_in(GuestPtr::<u64>::new(frames).add(i as u64))?;
    }
    let taken = take_gdt(&mut cx.tables(), mfns.get(..count).unwrap_or_default())?;
    for (slot, frame) in taken.iter().enumerate() {
        cx.cpu.set_gdt_frame(slot, frame.as_ref());
    }
    let mut old = core::mem::replace(&mut cx.st.pv.gdt, taken);
    drop_gdt(&mut old);
    Ok(0)
}

/// `update_descriptor`: writes one descriptor at a machine address. Errors: `EINVAL`.
pub fn update_descriptor(cx: &mut Cx, [addr, desc]: [u64; 2]) -> HyperResult {
    if addr & 7 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let desc = checked(desc).ok_or(Errno::EINVAL)?;
    let page = cx
        .hv
        .mem
        .get_page(Mfn::of(addr), cx.dom.owner())
        .ok_or(Errno::EINVAL)?;
    let (kind, _) = page.info().page_type();
    if kind == PageType::SegDesc {
        cx.tables().get_descriptors(&page)?;
    } else {
        cx.tables().get_for_write(&page)?;
    }
    if let Some(slot) = page.u64_at((addr & 0xff8) as usize) {
        slot.store(desc, Ordering::Release);
    }
    let _ = page.put_type();
    Ok(0)
}

/// `MMUEXT_SET_LDT`: `entries` descriptors at linear address `base`. The table ends at the
/// first page that is not mapped or not a descriptor table. Errors: `EINVAL`.
pub fn set_ldt(cx: &mut Cx, base: u64, entries: u32) -> Result<(), Fail> {
    if entries > MAX_LDT
        || base & 0xfff != 0 && entries != 0
        || !machine::cpu::guest_va_ok(base, entries as usize * 8)
    {
        return Err(Errno::EINVAL.into());
    }
    if entries == 0 && cx.st.pv.ldt_entries == 0 {
        return Ok(());
    }
    let root = cx.st.root.as_ref().map(Page::another);
    let frames = take_ldt(&mut cx.tables(), root.as_ref(), base, entries)?;
    cx.cpu.set_ldt(&frames, entries);
    drop_ldt(cx.st);
    cx.st.ldt_base = base;
    cx.st.pv.ldt = frames;
    cx.st.pv.ldt_entries = entries;
    Ok(())
}

/// Takes the frames of an LDT of `entries` descriptors (at most [`MAX_LDT`]) at `base` under
/// `root`, up to the first that cannot be one. Errors: `ENOMEM`; `Restart`.
pub fn take_ldt(
    tables: &mut Tables,
    root: Option<&Page>,
    base: u64,
    entries: u32,
) -> Result<Vec<Page>, Fail> {
    let mut frames = Vec::new();
    let pages = entries.min(MAX_LDT).div_ceil(PER_PAGE);
    frames
        .try_reserve_exact(pages as usize)
        .map_err(|_| Errno::ENOMEM)?;
    for i in 0..pages as u64 {
        let page = root.and_then(|root| ldt_page(tables, root, base.wrapping_add(i * 4096)));
        let Some(page) = page else { break };
        match tables.get_descriptors(&page) {
            Ok(()) => frames.push(page),
            Err(Fail::Restart) => {
                frames.drain(..).for_each(put_descriptors);
                return Err(Fail::Restart);
            }
            Err(_) => break,
        }
    }
    Ok(frames)
}

fn ldt_page(tables: &Tables, root: &Page, va: u64) -> Option<Page> {
    let mem = tables.hv.mem;
    let l1 = crate::mem::update_va::find_l1(mem, root, va)?;
    let pte = mem.table_entry(l1, PageType::L1, (va >> 12) as usize & 511)?;
    let pte = crate::mem::pte::Pte(pte);
    pte.present()
        .then(|| mem.get_page(pte.mfn(), tables.dom.owner()))
        .flatten()
}
