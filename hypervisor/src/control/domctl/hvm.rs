//! What the tools do to hardware-virtualised domains alone: their state as a stream of records,
//! the size of the pool that their tables come from.

use super::Call;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::hvm::save;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;

/// Bytes of a stream at most. Longer ones are a mistake.
const MOST: u32 = 8 << 20;

/// Errors: `ESRCH`; `EINVAL` for the caller's own domain and a PV guest.
fn target(cx: &Cx, call: &Call) -> Result<Arc<Domain>, Fail> {
    let dom = call.other_target(cx)?;
    dom.hvm.get().ok_or(Errno::EINVAL)?;
    Ok(dom)
}

/// `XEN_DOMCTL_gethvmcontext`: without a buffer, tells how large one has to be. Errors: those of
/// [`target`]; `ENOSPC` for one that is too small, `EFAULT`, `ENOMEM`.
pub fn context(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: DomctlHvmcontext = call.op.arm();
    let dom = target(cx, call)?;
    let most = save::most(&dom);
    let (room, buffer) = (arg.size, arg.buffer);
    arg.size = most;
    if buffer != 0 {
        if room < most {
            return Err(Errno::ENOSPC.into());
        }
        let stream = save::paused(cx, &dom, |cx| save::save(cx, &dom))?;
        cx.copy_out_bytes(GuestPtr::new(buffer), &stream)?;
        arg.size = stream.len() as u32;
    }
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_gethvmcontext_partial`: one record; without a buffer, its size. Errors: those of
/// [`target`] and [`save::save_one`]; `ENOSPC`, `EFAULT`.
pub fn context_part(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let mut arg: DomctlHvmcontextPartial = call.op.arm();
    let dom = target(cx, call)?;
    let (kind, instance) = (arg.r#type, arg.instance);
    let record = save::paused(cx, &dom, |cx| save::save_one(cx, &dom, kind, instance))?;
    let len = record.len() as u64;
    if arg.buffer != 0 {
        if arg.bufsz < len {
            return Err(Errno::ENOSPC.into());
        }
        cx.copy_out_bytes(GuestPtr::new(arg.buffer), &record)?;
    }
    arg.bufsz = len;
    call.op.set_arm(&arg);
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_sethvmcontext`. Errors: those of [`target`] and [`save::load`]; `EFAULT`, `ENOMEM`;
/// `E2BIG`.
pub fn set_context(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let arg: DomctlHvmcontext = call.op.arm();
    let dom = target(cx, call)?;
    if arg.size > MOST {
        return Err(Errno::E2BIG.into());
    }
    let mut stream: Vec<u8> = Vec::new();
    stream
        .try_reserve_exact(arg.size as usize)
        .map_err(|_| Errno::ENOMEM)?;
    stream.resize(arg.size as usize, 0);
    cx.copy_in_bytes(GuestPtr::new(arg.buffer), &mut stream)?;
    save::paused(cx, &dom, |cx| save::load(cx, &dom, &stream))?;
    Ok(0)
}

/// `XEN_DOMCTL_get_paging_mempool_size`, in bytes. Errors: `ESRCH`; `EOPNOTSUPP` for a PV guest.
pub fn pool_size(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let hvm = dom.hvm.get().ok_or(Errno::EOPNOTSUPP)?;
    let size = hvm.pool.load(Ordering::Relaxed);
    call.op.set_arm(&DomctlPagingMempool { size });
    call.changed = true;
    Ok(0)
}

/// `XEN_DOMCTL_set_paging_mempool_size`: tables are made of free memory when they are needed, up
/// to this size; those that are more already stay. Errors: `ESRCH`; `EOPNOTSUPP` for a PV guest; `EINVAL` for a part of a
/// page.
pub fn set_pool_size(cx: &mut Cx, call: &mut Call) -> HyperResult {
    let dom = call.target(cx)?;
    let hvm = dom.hvm.get().ok_or(Errno::EOPNOTSUPP)?;
    let DomctlPagingMempool { size } = call.op.arm();
    if !size.is_multiple_of(machine::PAGE_SIZE as u64) {
        return Err(Errno::EINVAL.into());
    }
    hvm.pool.store(size, Ordering::Relaxed);
    Ok(0)
}
