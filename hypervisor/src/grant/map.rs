//! `GNTTABOP_map_grant_ref`, `GNTTABOP_unmap_grant_ref` and `GNTTABOP_unmap_and_replace`.

use super::batch::{self, Batch};
use super::entry::Use;
use super::host_map;
use super::p2m_map;
use super::pin::{pin, unpin};
use super::track::Mapping;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use machine::{CpuApi, Flush, Mfn, Page};
use xen_abi::Errno;
use xen_abi::grant_table::*;

/// Maps `count` grants.
pub fn map_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::each(cx, batch, |cx, op: &mut GnttabMapGrantRef| {
        op.status = match map(cx, op) {
            Ok((handle, mfn)) => {
                op.handle = handle;
                op.dev_bus_addr = mfn.addr();
                GNTST_okay
            }
            Err(Stop::Status(status)) => status,
            Err(Stop::Restart) => return Err(Fail::Restart),
        };
        Ok(())
    })
}

/// Why one of a batch was not done.
enum Stop {
    /// The status that says so.
    Status(i16),
    /// It has to be done again.
    Restart,
}

impl From<i16> for Stop {
    fn from(status: i16) -> Stop {
        Stop::Status(status)
    }
}

/// A failure of the page tables' as a grant operation's.
fn table_failure(fail: Fail) -> Stop {
    match fail {
        Fail::Restart => Stop::Restart,
        _ => Stop::Status(GNTST_general_error),
    }
}

fn map(cx: &mut Cx, op: &GnttabMapGrantRef) -> Result<(GrantHandle, Mfn), Stop> {
    if op.flags & (GNTMAP_host_map | GNTMAP_device_map) == 0 {
        return Err(GNTST_bad_gntref.into());
    }
    let owner = if op.dom == cx.dom.id {
        Some(cx.dom.clone())
    } else {
        cx.hv.domains.get(op.dom)
    };
    let owner = owner.ok_or(GNTST_bad_domain)?;
    if !cx.hv.xsm.use_grant(cx.dom, &owner) {
        return Err(GNTST_permission_denied.into());
    }
    let handle = cx
        .dom
        .grants
        .tracks
        .lock()
        .allocate()
        .ok_or(GNTST_no_space)?;
    let how = Use {
        by: cx.dom.id,
        readonly: op.flags & GNTMAP_readonly != 0,
        map: true,
    };
    let done = map_pinned(cx, op, &owner, how);
    let mapping = Mapping {
        domid: op.dom,
        gref: op.r#ref,
        ..Mapping::default()
    };
    let mut tracks = cx.dom.grants.tracks.lock();
    match done {
        Ok(mfn) => {
            tracks.set(
                handle,
                Mapping {
                    flags: op.flags,
                    ..mapping
                },
            );
            Ok((handle, mfn))
        }
        Err(stop) => {
            tracks.set(handle, mapping);
            Err(stop)
        }
    }
}

/// Uses the grant and maps it; undone when that fails.
fn map_pinned(
    cx: &mut Cx,
    op: &GnttabMapGrantRef,
    owner: &Arc<Domain>,
    how: Use,
) -> Result<Mfn, Stop> {
    let pinned = pin(cx.hv, cx.cpu, owner, op.r#ref, how)?;
    let Some(page) = pinned.page else {
        unpin(owner, op.r#ref, how.readonly);
        return Err(GNTST_general_error.into());
    };
    let mfn = page.mfn();
    if op.flags & GNTMAP_host_map != 0
        && let Err(fail) = map_for_cpus(cx, op, &page, owner.owner())
    {
        unpin(owner, op.r#ref, how.readonly);
        return Err(table_failure(fail));
    }
    // A part for the CPUs and a part for devices are ended each by itself.
    if op.flags & GNTMAP_host_map != 0 && op.flags & GNTMAP_device_map != 0 {
        let second = pin(cx.hv, cx.cpu, owner, op.r#ref, how);
        if let Err(status) = second {
            let _ = unmap_for_cpus(cx, op.host_addr, None, op.flags, mfn);
            cx.cpu.flush(&cx.dom.dirty_cpus.load(), Flush::All);
            unpin(owner, op.r#ref, how.readonly);
            return Err(status.into());
        }
    }
    Ok(mfn)
}

/// Maps a pinned page in the caller's page tables or its physical map.
fn map_for_cpus(cx: &mut Cx, op: &GnttabMapGrantRef, page: &Page, owner: u32) -> Result<(), Fail> {
    if cx.dom.hvm.get().is_some() {
        return p2m_map::map(cx, op.host_addr, op.flags, page);
    }
    host_map::map(cx, op.host_addr, op.flags, page.mfn(), owner)
}

/// Removes the mapping of `mfn`, for which the caller flushes; what a PV guest maps at `new_addr`
/// takes its place.
fn unmap_for_cpus(
    cx: &mut Cx,
    host_addr: u64,
    new_addr: Option<u64>,
    flags: u32,
    mfn: Mfn,
) -> Result<(), Fail> {
    let new_addr = new_addr.filter(|addr| *addr != 0);
    match (cx.dom.hvm.get().is_some(), new_addr) {
        (true, None) => p2m_map::unmap(cx, host_addr, flags, mfn),
        (true, Some(_)) => Err(Errno::EINVAL.into()),
        (false, None) => host_map::unmap(cx, host_addr, flags, mfn),
        (false, Some(new)) => host_map::unmap_and_replace(cx, host_addr, new, flags, mfn),
    }
}

/// What is to be removed, and what is put in its place.
struct Removal {
    host_addr: u64,
    dev_bus_addr: u64,
    handle: GrantHandle,
    new_addr: Option<u64>,
}

/// A mapping that is removed from the page tables, but may still be in TLBs.
struct Stale {
    owner: Arc<Domain>,
    gref: GrantRef,
    readonly: bool,
    uses: u32,
    flush: bool,
}

/// Mappings that wait for one flush.
type StaleList = ArrayVec<Stale, 32>;

/// Removes `count` mappings.
pub fn unmap_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    unmap_all(cx, batch, |op: &GnttabUnmapGrantRef| Removal {
        host_addr: op.host_addr,
        dev_bus_addr: op.dev_bus_addr,
        handle: op.handle,
        new_addr: None,
    })
}

/// Replaces `count` mappings.
pub fn unmap_and_replace_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    unmap_all(cx, batch, |op: &GnttabUnmapAndReplace| Removal {
        host_addr: op.host_addr,
        dev_bus_addr: 0,
        handle: op.handle,
        new_addr: Some(op.new_addr),
    })
}

fn unmap_all<T: batch::Op>(
    cx: &mut Cx,
    batch: Batch,
    removal: impl Fn(&T) -> Removal,
) -> HyperResult {
    let mut stale = StaleList::new();
    let result = batch::each(cx, batch, |cx, op: &mut T| {
        if stale.is_full() {
            settle(cx, &mut stale);
        }
        let status = match unmap(cx, &removal(op), &mut stale) {
            Ok(()) => GNTST_okay,
            Err(Stop::Status(status)) => status,
            Err(Stop::Restart) => return Err(Fail::Restart),
        };
        op.set_status(status);
        Ok(())
    });
    settle(cx, &mut stale);
    result
}

/// Flushes, after which the grants' uses end.
fn settle(cx: &mut Cx, stale: &mut StaleList) {
    if stale.iter().any(|one| one.flush) {
        cx.cpu.flush(&cx.dom.dirty_cpus.load(), Flush::All);
    }
    for one in stale.drain(..) {
        for _ in 0..one.uses {
            unpin(&one.owner, one.gref, one.readonly);
        }
    }
}

fn unmap(cx: &mut Cx, op: &Removal, stale: &mut StaleList) -> Result<(), Stop> {
    let mut parts = 0;
    if op.host_addr != 0 {
        parts |= GNTMAP_host_map;
    }
    if op.dev_bus_addr != 0 {
        parts |= GNTMAP_device_map;
    }
    let taken = cx.dom.grants.tracks.lock().take(op.handle, parts);
    let (mapping, taken) = taken.ok_or(GNTST_bad_handle)?;
    let done = remove(cx, op, &mapping, taken, stale);
    let back = if done.is_ok() { 0 } else { taken };
    cx.dom.grants.tracks.lock().finish(op.handle, back);
    done
}

/// Removes the `parts` of a mapping that are there.
fn remove(
    cx: &mut Cx,
    op: &Removal,
    mapping: &Mapping,
    parts: u32,
    stale: &mut StaleList,
) -> Result<(), Stop> {
    // The owner may be going away: it stays until nothing of it is mapped any more.
    let owner = cx
        .hv
        .domains
        .any(mapping.domid.into())
        .ok_or(GNTST_bad_domain)?;
    let mfn = {
        let mut table = owner.grants.table.lock();
        let active = table.active(mapping.gref).ok_or(GNTST_bad_gntref)?;
        active.page.as_ref().ok_or(GNTST_general_error)?.mfn()
    };
    if op.dev_bus_addr != 0 && op.dev_bus_addr != mfn.addr() {
        return Err(GNTST_general_error.into());
    }
    let host = parts & GNTMAP_host_map != 0;
    if host {
        unmap_for_cpus(cx, op.host_addr, op.new_addr, mapping.flags, mfn).map_err(table_failure)?;
    }
    // There is room: the caller sees to that.
    let _ = stale.try_push(Stale {
        owner,
        gref: mapping.gref,
        readonly: mapping.flags & GNTMAP_readonly != 0,
        uses: parts.count_ones(),
        flush: host,
    });
    Ok(())
}
