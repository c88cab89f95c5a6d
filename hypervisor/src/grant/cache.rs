//! `GNTTABOP_cache_flush`: writes caches back over memory that a device reads.

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use machine::{CpuApi, Mfn, PAGE_SIZE};
use xen_abi::Errno;
use xen_abi::grant_table::*;

/// Serves `count` requests. Errors: `EINVAL`, `EPERM` for a page that the caller neither owns
/// nor was granted, `EOPNOTSUPP` for what x86 does not do.
pub fn cache_flush_op(cx: &mut Cx, list: u64, count: u64) -> HyperResult {
    for i in 0..count {
        if i > 0 && cx.cpu.work_pending() {
            let at = GuestPtr::<GnttabCacheFlush>::new(list).add(i).addr();
            cx.set_args([GNTTABOP_cache_flush.into(), at, count - i]);
            return Err(crate::fail::Fail::Restart);
        }
        let op: GnttabCacheFlush = cx.copy_in(GuestPtr::new(list).add(i))?;
        flush(cx, &op)?;
    }
    Ok(0)
}

fn flush(cx: &mut Cx, op: &GnttabCacheFlush) -> Result<(), Errno> {
    let (offset, length) = (op.offset as usize, op.length as usize);
    const KNOWN: u32 = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL | GNTTAB_CACHE_SOURCE_GREF;
    let inside = offset < PAGE_SIZE && offset + length <= PAGE_SIZE;
    if !inside || op.op & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    if length == 0 || op.op == 0 {
        return Ok(());
    }
    if op.op & GNTTAB_CACHE_SOURCE_GREF != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let page = cx.hv.mem.get_any_page(Mfn::of(op.a)).ok_or(Errno::EPERM)?;
    let owner = page.info().owner();
    if owner != cx.dom.owner() {
        let owner = cx.hv.domains.any(owner).ok_or(Errno::EPERM)?;
        let table = owner.grants.table.lock();
        let granted = table.all_active().any(|active| {
            active.in_use()
                && active.domid == cx.dom.id
                && active
                    .page
                    .as_ref()
                    .is_some_and(|held| held.mfn() == page.mfn())
        });
        if !granted {
            return Err(Errno::EPERM);
        }
    }
    if op.op & GNTTAB_CACHE_CLEAN == 0 {
        // Caches are coherent: there is nothing that could only be thrown away.
        return Err(Errno::EOPNOTSUPP);
    }
    // Only devices that do not look into caches need that, and it stops all CPUs' work for long.
    if cx.dom.irqs.has_devices() {
        cx.cpu.wbinvd();
    }
    Ok(())
}
