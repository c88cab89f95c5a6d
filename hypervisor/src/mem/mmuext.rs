//! The `mmuext_op` hypercall: pinning, root tables, flushes.

use super::flush::vcpu_mask;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use core::sync::atomic::Ordering;
use machine::{CpuApi, Flush, Mfn, Page};
use xen_abi::Errno;
use xen_abi::mmu::*;
use xen_abi::xen::DOMID_SELF;

const PREEMPTED: u32 = 1 << 31;

/// Carries out `count` operations; how many were done is added up at `done`.
/// Errors: `EINVAL`, `EFAULT`, `ENOSYS`, `EPERM`.
pub fn call(cx: &mut Cx, [ops, count, done, foreign]: [u64; 4]) -> HyperResult {
    let mut count = count as u32;
    let done_at = GuestPtr::<u32>::new(done);
    let mut before = 0;
    if count & PREEMPTED != 0 {
        count &= !PREEMPTED;
        if !done_at.is_null() {
            before = cx.copy_in(done_at)?;
        }
    }
    let ops = GuestPtr::<MmuextOp>::new(ops);
    ops.check()?;
    let owner = owner(cx, foreign as u16)?;
    let mut made = 0;
    let mut result = Ok(());
    while made < count {
        result = if made > 0 && cx.cpu.work_pending() {
            Err(Fail::Restart)
        } else {
            cx.tables().finish_old().and_then(|()| {
                let op = cx.copy_in(cx.at(ops, made as u64))?;
                one(cx, &op, owner)
            })
        };
        if result.is_err() {
            break;
        }
        made += 1;
    }
    if result.is_ok() {
        // Another vCPU may want what is left over: it is not left to this one's next call.
        result = cx.tables().finish_old();
    }
    if !done_at.is_null() {
        cx.copy_out(done_at, &before.wrapping_add(made))?;
    }
    if let Err(Fail::Restart) = result {
        let left = (count - made) | PREEMPTED;
        cx.set_args([cx.at(ops, made as u64).addr(), left as u64, done, foreign]);
    }
    result.map(|()| 0)
}

fn owner(cx: &Cx, foreign: u16) -> Result<u32, Fail> {
    if foreign == DOMID_SELF {
        return Ok(cx.dom.owner());
    }
    Ok(cx.foreign_owner(foreign)?)
}

fn one(cx: &mut Cx, op: &MmuextOp, owner: u32) -> Result<(), Fail> {
    let own = owner == cx.dom.owner();
    // Who has a physical map has no tables of this kind, but may look after others' ones.
    if cx.dom.hvm.get().is_some() && (own || !is_pin(op.cmd)) {
        return Err(Errno::EPERM.into());
    }
    match op.cmd {
        MMUEXT_PIN_L1_TABLE => pin(cx, op.arg1, owner, 1),
        MMUEXT_PIN_L2_TABLE => pin(cx, op.arg1, owner, 2),
        MMUEXT_PIN_L3_TABLE => pin(cx, op.arg1, owner, 3),
        MMUEXT_PIN_L4_TABLE => pin(cx, op.arg1, owner, 4),
        MMUEXT_UNPIN_TABLE => unpin(cx, op.arg1, owner),
        // What follows concerns the calling vCPU and its own domain only.
        _ if !own => Err(Errno::EPERM.into()),
        MMUEXT_NEW_BASEPTR => new_root(cx, op.arg1),
        MMUEXT_NEW_USER_BASEPTR => new_user_root(cx, op.arg1),
        MMUEXT_TLB_FLUSH_LOCAL => {
            cx.cpu.flush_local(Flush::All);
            Ok(())
        }
        MMUEXT_INVLPG_LOCAL => {
            cx.cpu.flush_local(Flush::Page(op.arg1));
            Ok(())
        }
        MMUEXT_TLB_FLUSH_MULTI => {
            let mask = vcpu_mask(cx, GuestPtr::new(op.arg2)).map_err(|_| Errno::EINVAL)?;
            cx.cpu.flush(&mask, Flush::All);
            Ok(())
        }
        MMUEXT_INVLPG_MULTI => {
            let mask = vcpu_mask(cx, GuestPtr::new(op.arg2)).map_err(|_| Errno::EINVAL)?;
            cx.cpu.flush(&mask, Flush::Page(op.arg1));
            Ok(())
        }
        MMUEXT_TLB_FLUSH_ALL => {
            let mask = cx.dom.dirty_cpus.load();
            cx.cpu.flush(&mask, Flush::All);
            Ok(())
        }
        MMUEXT_INVLPG_ALL => {
            let mask = cx.dom.dirty_cpus.load();
            cx.cpu.flush(&mask, Flush::Page(op.arg1));
            Ok(())
        }
        MMUEXT_FLUSH_CACHE | MMUEXT_FLUSH_CACHE_GLOBAL => flush_cache(cx),
        MMUEXT_SET_LDT => crate::pv::descriptors::set_ldt(cx, op.arg1, op.arg2 as u32),
        MMUEXT_CLEAR_PAGE => clear_page(cx, op.arg1),
        MMUEXT_COPY_PAGE => copy_page(cx, op.arg1, op.arg2),
        MMUEXT_MARK_SUPER | MMUEXT_UNMARK_SUPER => Err(Errno::EOPNOTSUPP.into()),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn is_pin(cmd: u32) -> bool {
    matches!(
        cmd,
        MMUEXT_PIN_L1_TABLE
            | MMUEXT_PIN_L2_TABLE
            | MMUEXT_PIN_L3_TABLE
            | MMUEXT_PIN_L4_TABLE
            | MMUEXT_UNPIN_TABLE
    )
}

fn page(cx: &Cx, mfn: u64, owner: u32) -> Result<Page, Fail> {
    cx.hv
        .mem
        .get_page(Mfn(mfn), owner)
        .ok_or(Fail::Errno(Errno::EINVAL))
}

fn pin(cx: &mut Cx, mfn: u64, owner: u32, level: u8) -> Result<(), Fail> {
    let page = page(cx, mfn, owner)?;
    if owner != cx.dom.owner() {
        return pin_foreign(cx, page, owner, level);
    }
    cx.tables().get_table(&page, level)?;
    finish_pin(cx, page)
}

fn finish_pin(cx: &mut Cx, page: Page) -> Result<(), Fail> {
    if !page.set_pinned() {
        // Pinned already: this reference is one too many.
        cx.tables().put_table_later(page)?;
        return Err(Errno::EINVAL.into());
    }
    page.into_entry();
    Ok(())
}

/// The control domain pins a table of another domain (when it restores a saved one).
fn pin_foreign(cx: &mut Cx, page: Page, owner: u32, level: u8) -> Result<(), Fail> {
    let dom = cx.hv.domain(owner as u16).ok_or(Errno::ESRCH)?;
    let mut tables = super::tables::Tables {
        hv: cx.hv,
        cpu: cx.cpu,
        dom: &dom,
        old: &mut cx.st.old_tables,
    };
    if let Err(fail) = tables.get_table(&page, level) {
        // Nobody takes it up again when the domain goes away.
        if dom.dying.load(Ordering::SeqCst) {
            let _ = tables.abandon(&page);
            return Err(Errno::ESRCH.into());
        }
        return Err(fail);
    }
    let mfn = page.mfn();
    if !page.set_pinned() {
        tables.put_table_later(page)?;
        return Err(Errno::EINVAL.into());
    }
    page.into_entry();
    // Its end may have passed this frame already: whoever ends the pin has its references.
    if dom.dying.load(Ordering::SeqCst)
        && let Some(page) = tables.hv.mem.get_page(mfn, owner)
        && page.clear_pinned()
        && let Some(pinned) = Page::from_entry(tables.hv.mem, mfn)
    {
        tables.put_table_later(pinned)?;
        return Err(Errno::ESRCH.into());
    }
    Ok(())
}

fn unpin(cx: &mut Cx, mfn: u64, owner: u32) -> Result<(), Fail> {
    let page = page(cx, mfn, owner)?;
    if !page.clear_pinned() {
        return Err(Errno::EINVAL.into());
    }
    // The pin's own references; the one taken just now goes with `page`.
    match Page::from_entry(cx.hv.mem, page.mfn()) {
        Some(pinned) => cx.tables().put_table_later(pinned),
        None => Ok(()),
    }
}

/// `MMUEXT_NEW_BASEPTR`: the root table of the guest's kernel. Errors: `EINVAL`.
pub fn new_root(cx: &mut Cx, mfn: u64) -> Result<(), Fail> {
    // The users' pages are global, which a load of the root alone does not hide.
    if cx.st.root.as_ref().is_some_and(|root| root.mfn().0 == mfn) {
        cx.cpu.flush_local(Flush::All);
        return Ok(());
    }
    let page = page(cx, mfn, cx.dom.owner())?;
    cx.tables().get_table(&page, 4)?;
    cx.hv.mem.show_m2p(&page, true);
    if cx.st.kernel_mode && !cx.cpu.set_root(&page) {
        return Err(Errno::EINVAL.into());
    }
    cx.cpu.flush_local(Flush::All);
    crate::pv::shortcut::drop(cx);
    match cx.st.root.replace(page) {
        Some(old) => cx.tables().put_table_later(old),
        None => Ok(()),
    }
}

fn new_user_root(cx: &mut Cx, mfn: u64) -> Result<(), Fail> {
    if cx
        .st
        .user_root
        .as_ref()
        .is_some_and(|root| root.mfn().0 == mfn)
    {
        return Ok(());
    }
    let new = if mfn == 0 {
        None
    } else {
        let page = page(cx, mfn, cx.dom.owner())?;
        cx.tables().get_table(&page, 4)?;
        // The guest's users have no business with it.
        cx.hv.mem.show_m2p(&page, false);
        Some(page)
    };
    crate::pv::shortcut::drop(cx);
    match core::mem::replace(&mut cx.st.user_root, new) {
        Some(old) => cx.tables().put_table_later(old),
        None => Ok(()),
    }
}

fn flush_cache(cx: &mut Cx) -> Result<(), Fail> {
    if !cx.dom.irqs.has_devices() {
        return Err(Errno::EACCES.into());
    }
    cx.cpu.wbinvd();
    Ok(())
}

fn clear_page(cx: &mut Cx, mfn: u64) -> Result<(), Fail> {
    let page = page(cx, mfn, cx.dom.owner())?;
    cx.tables().get_for_write(&page)?;
    page.clear();
    let _ = page.put_type();
    Ok(())
}

fn copy_page(cx: &mut Cx, to: u64, from: u64) -> Result<(), Fail> {
    let from = page(cx, from, cx.dom.owner())?;
    let to = page(cx, to, cx.dom.owner())?;
    cx.tables().get_for_write(&to)?;
    to.copy_from(&from);
    let _ = to.put_type();
    Ok(())
}
