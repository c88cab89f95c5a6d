//! A hardware-virtualised guest's mappings of granted pages: entries of its physical map.
//!
//! An entry holds its frame; that the frame stays what it is, the grant's use sees to
//! ([`super::pin`]), for as long as its handle lives. So there is never an entry more than there
//! are handles of the same frame with the same rights: entries come with a handle, nobody but
//! the end of a handle takes one out, and that takes one that has the handle's frame and rights.
//!
//! The hypervisor's own copies through such an entry hold nothing but the frame. They wait for
//! nobody in between, so a flush, which every CPU of the domain answers, ends them too.

use crate::cx::Cx;
use crate::fail::Fail;
use crate::mem::p2m::{self, Pending};
use machine::nested::{Found, Kind, Leaf};
use machine::{Gfn, Mfn, Page};
use xen_abi::Errno;
use xen_abi::grant_table::*;

fn frame_of(host_addr: u64) -> Gfn {
    Gfn(host_addr >> 12)
}

/// Maps `page` at guest-physical `host_addr`; memory that was there goes. Errors: `EINVAL` for
/// flags that say anything but whether it may be written, and where a device, a grant or
/// another domain's frame is; `ENOMEM`; `ESRCH`.
pub fn map(cx: &mut Cx, host_addr: u64, flags: u32, page: &Page) -> Result<(), Fail> {
    if flags & !GNTMAP_readonly != GNTMAP_host_map {
        return Err(Errno::EINVAL.into());
    }
    let leaf = Leaf::Grant {
        page: page.another(),
        writable: flags & GNTMAP_readonly == 0,
    };
    let memory = |found: Option<Found>| match found.map(|found| found.kind) {
        None | Some(Kind::Ram) => Ok(()),
        _ => Err(Errno::EINVAL),
    };
    let gfn = frame_of(host_addr);
    let stale = p2m::change(cx.hv, cx.cpu, cx.dom, gfn, leaf, memory)?;
    let mut pending = Pending::default();
    if let Some(old) = pending.add(cx.cpu, cx.dom, stale) {
        p2m::displaced(cx.hv, cx.dom, &old);
    }
    pending.settle(cx.cpu);
    Ok(())
}

/// Removes the mapping of `mfn` with the rights of `flags`; the caller flushes. Errors: `EINVAL`
/// when that is not what is mapped there.
pub fn unmap(cx: &mut Cx, host_addr: u64, flags: u32, mfn: Mfn) -> Result<(), Fail> {
    let writable = flags & GNTMAP_readonly == 0;
    let this = |found: Option<Found>| match found {
        Some(found)
            if found.kind == Kind::Grant && found.mfn == mfn && found.writable == writable =>
        {
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    };
    let gfn = frame_of(host_addr);
    let stale = p2m::change(cx.hv, cx.cpu, cx.dom, gfn, Leaf::None, this)?;
    // The grant's use holds the frame still.
    drop(stale.page);
    Ok(())
}
