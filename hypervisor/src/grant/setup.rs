//! The operations by which a domain sets its own table up.

use super::batch::{self, Batch};
use super::table::Table;
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::{Cpu, Page};
use xen_abi::compat::{Layout, Ulong};
use xen_abi::grant_table::*;
use xen_abi::{DomId, Errno};

/// The domain of an operation that only the control domain makes on others, as a status.
fn target(cx: &Cx, dom: DomId) -> Result<Arc<Domain>, i16> {
    cx.resolve(dom).map_err(|errno| match errno {
        Errno::EPERM => GNTST_permission_denied,
        _ => GNTST_bad_domain,
    })
}

/// `GNTTABOP_setup_table`.
pub fn setup_table_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::one(cx, batch, |cx, op: &mut GnttabSetupTable| {
        let to = GuestPtr::<Ulong>::new(op.frame_list);
        to.check()?;
        op.status = match setup_table(cx, op.dom, op.nr_frames) {
            Ok(frames) => give_frames(cx, to, &frames, Ulong),
            Err(status) => status,
        };
        Ok(())
    })
}

fn setup_table(cx: &mut Cx, dom: DomId, frames: u32) -> Result<Vec<u64>, i16> {
    let dom = target(cx, dom)?;
    let mut table = dom.grants.table.lock();
    table
        .grow(cx.hv, cx.cpu, &dom, frames)
        .map_err(|_| GNTST_general_error)?;
    list(&dom, frames, |i| table.frame(i))
}

/// Numbers of the first `n` of some frames: where the domain has put them, if it has a physical
/// map (all ones for nowhere), else the frames' own.
fn list<'a>(
    dom: &Domain,
    n: u32,
    frame: impl Fn(u32) -> Option<&'a Page>,
) -> Result<Vec<u64>, i16> {
    let mapped = dom.hvm.get().is_some();
    let mut list = Vec::new();
    list.try_reserve_exact(n as usize)
        .map_err(|_| GNTST_general_error)?;
    for i in 0..n {
        let page = frame(i).ok_or(GNTST_general_error)?;
        let mfn = page.mfn();
        list.push(match mapped {
            true => page.mem().m2p(mfn).unwrap_or(u64::MAX),
            false => mfn.0,
        });
    }
    Ok(list)
}

/// Writes frames to the guest's list, each as the `item` that the list is of.
fn give_frames<T: Layout>(
    cx: &mut Cx,
    to: GuestPtr<T>,
    frames: &[u64],
    item: impl Fn(u64) -> T,
) -> i16 {
    for (i, frame) in frames.iter().enumerate() {
        if cx.copy_out(cx.at(to, i as u64), &item(*frame)).is_err() {
            return GNTST_bad_virt_addr;
        }
    }
    GNTST_okay
}

/// `GNTTABOP_get_status_frames`.
pub fn status_frames_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::one(cx, batch, |cx, op: &mut GnttabGetStatusFrames| {
        let to = GuestPtr::<u64>::new(op.frame_list);
        to.check()?;
        let frames = target(cx, op.dom).and_then(|dom| {
            let table = dom.grants.table.lock();
            if table.version != 2 || op.nr_frames > table.status_frames() {
                return Err(GNTST_general_error);
            }
            list(&dom, op.nr_frames, |i| table.status_frame(i))
        });
        op.status = match frames {
            // Of 64 bits each, for 32-bit code too.
            Ok(frames) => give_frames(cx, to, &frames, |frame| frame),
            Err(status) => status,
        };
        Ok(())
    })
}

/// `GNTTABOP_query_size`.
pub fn query_size_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::one(cx, batch, |cx, op: &mut GnttabQuerySize| {
        op.status = match target(cx, op.dom) {
            Ok(dom) => {
                let mut table = dom.grants.table.lock();
                table.begin(cx.hv, cx.cpu, &dom);
                op.nr_frames = table.frames();
                op.max_nr_frames = table.max_frames;
                GNTST_okay
            }
            Err(status) => status,
        };
        Ok(())
    })
}

/// `GNTTABOP_get_version`.
pub fn get_version_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::one(cx, batch, |cx, op: &mut GnttabGetVersion| {
        op.version = cx.resolve(op.dom)?.grants.table.lock().version;
        Ok(())
    })
}

/// `GNTTABOP_set_version`.
pub fn set_version_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::one(cx, batch, |cx, op: &mut GnttabSetVersion| {
        let mut table = cx.dom.grants.table.lock();
        if !(1..=2).contains(&op.version) {
            return Err(Errno::EINVAL.into());
        }
        if op.version > table.max_version {
            return Err(Errno::ENOSYS.into());
        }
        table.begin(cx.hv, cx.cpu, cx.dom);
        if op.version != table.version {
            change_version(cx.hv, cx.cpu, cx.dom, &mut table, op.version)?;
        }
        op.version = table.version;
        Ok(())
    })
}

/// A reserved entry, in words that both versions can hold.
#[derive(Clone, Copy, Default)]
struct Reserved {
    flags: u16,
    domid: DomId,
    frame: u64,
}

/// Changes the format; entries beyond the reserved ones are gone. Errors: `EBUSY` while
/// entries are in use or the status words mapped; `EINVAL` for reserved ones that the new format cannot hold; `ENOMEM`.
fn change_version(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    table: &mut Table,
    version: u32,
) -> Result<(), Errno> {
    if table.all_active().any(|active| active.in_use()) {
        return Err(Errno::EBUSY);
    }
    if version == 2 {
        table.grow_status(hv, cpu, dom, table.frames())?;
    }
    let mut kept = [Reserved::default(); GNTTAB_NR_RESERVED_ENTRIES as usize];
    for (gref, slot) in kept.iter_mut().enumerate() {
        let Some((page, at)) = table.locate(gref as GrantRef) else {
            break;
        };
        let word = |offset| {
            page.u32_at(at + offset)
                .map_or(0, |word| word.load(Ordering::SeqCst))
        };
        let (flags, domid) = (word(0) as u16, (word(0) >> 16) as u16);
        let frame = if table.version == 1 {
            word(4).into()
        } else {
            word(8) as u64 | (word(12) as u64) << 32
        };
        let whole = flags & (GTF_type_mask | GTF_sub_page) == GTF_permit_access;
        match flags & GTF_type_mask {
            GTF_invalid => continue,
            _ if whole && (version == 2 || frame <= u32::MAX.into()) => {}
            _ if version == 2 => continue,
            _ => return Err(Errno::EINVAL),
        }
        *slot = Reserved {
            flags: flags & !(GTF_reading | GTF_writing),
            domid,
            frame,
        };
    }
    if version == 1 {
        table.drop_status(dom)?;
    }
    for i in 0..table.frames() {
        if let Some(page) = table.frame(i) {
            page.clear();
        }
    }
    table.version = version;
    for (gref, slot) in kept.iter().enumerate().filter(|(_, slot)| slot.flags != 0) {
        let Some((page, at)) = table.locate(gref as GrantRef) else {
            break;
        };
        if version == 1 {
            page.write(at + 4, &(slot.frame as u32).to_le_bytes());
        } else {
            page.write(at + 8, &slot.frame.to_le_bytes());
        }
        let header = slot.flags as u32 | (slot.domid as u32) << 16;
        if let Some(word) = page.u32_at(at) {
            word.store(header, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// `GNTTABOP_swap_grant_ref`.
pub fn swap_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::each(cx, batch, |cx, op: &mut GnttabSwapGrantRef| {
        let mut table = cx.dom.grants.table.lock();
        table.begin(cx.hv, cx.cpu, cx.dom);
        op.status = swap(&mut table, op.ref_a, op.ref_b);
        Ok(())
    })
}

fn swap(table: &mut Table, a: GrantRef, b: GrantRef) -> i16 {
    for gref in [a, b] {
        match table.active(gref) {
            None => return GNTST_bad_gntref,
            Some(active) if active.in_use() => return GNTST_eagain,
            Some(_) => {}
        }
    }
    if a != b {
        table.swap_entries(a, b);
    }
    GNTST_okay
}
