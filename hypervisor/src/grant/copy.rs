//! `GNTTABOP_copy`: copies bytes between pages that are named by grant or, the caller's own,
//! by number. And `GNTTABOP_transfer`, which is refused.

use super::batch::{self, Batch};
use super::entry::Use;
use super::pin::{pin, unpin};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::event::WritablePage;
use crate::fail::HyperResult;
use alloc::sync::Arc;
use machine::{Gfn, PAGE_SIZE, Page};
use xen_abi::DomId;
use xen_abi::grant_table::*;
use xen_abi::xen::DOMID_SELF;

/// Copies `count` times.
pub fn copy_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::each(cx, batch, |cx, op: &mut GnttabCopy| {
        op.status = copy(cx, op).err().unwrap_or(GNTST_okay);
        Ok(())
    })
}

/// A use of a grant for the time of a copy.
struct Used {
    owner: Arc<Domain>,
    gref: GrantRef,
    readonly: bool,
}

impl Drop for Used {
    fn drop(&mut self) {
        unpin(&self.owner, self.gref, self.readonly);
    }
}

/// One side of a copy: bytes `start` to `end` of a page may be touched.
struct Side {
    page: Page,
    start: usize,
    end: usize,
    /// Held for writing, for a page of the caller's own.
    _own: Option<WritablePage>,
    _through: Option<Used>,
    _used: Option<Used>,
}

fn copy(cx: &mut Cx, op: &GnttabCopy) -> Result<(), i16> {
    let source = side(cx, &op.source, op.flags & GNTCOPY_source_gref != 0, true)?;
    let dest = side(cx, &op.dest, op.flags & GNTCOPY_dest_gref != 0, false)?;
    let (len, from, to) = (
        op.len as usize,
        op.source.offset as usize,
        op.dest.offset as usize,
    );
    if from + len > PAGE_SIZE || to + len > PAGE_SIZE {
        return Err(GNTST_bad_copy_arg);
    }
    let inside = |side: &Side, at: usize| at >= side.start && at + len <= side.end;
    if !inside(&source, from) || !inside(&dest, to) {
        return Err(GNTST_general_error);
    }
    let mut buffer = [0; 512];
    let mut done = 0;
    while done < len {
        let n = (len - done).min(buffer.len());
        let Some(part) = buffer.get_mut(..n) else {
            return Err(GNTST_general_error);
        };
        if !source.page.read(from + done, part) || !dest.page.write(to + done, part) {
            return Err(GNTST_general_error);
        }
        done += n;
    }
    Ok(())
}

/// Takes one side of a copy. Errors: a `GNTST_*` status.
fn side(cx: &mut Cx, ptr: &GnttabCopyPtr, by_grant: bool, readonly: bool) -> Result<Side, i16> {
    if !by_grant {
        // Only the caller's own pages can be named by number.
        if ptr.domid != DOMID_SELF {
            cx.resolve_any(ptr.domid).map_err(|_| GNTST_bad_domain)?;
            return Err(GNTST_permission_denied);
        }
        let page = cx.dom.page(cx.hv.mem, Gfn(ptr.u)).ok_or(GNTST_bad_page)?;
        let own = if readonly {
            None
        } else {
            let own = WritablePage::get(cx.hv, cx.cpu, cx.dom, ptr.u);
            Some(own.map_err(|_| GNTST_general_error)?)
        };
        return Ok(Side {
            page,
            start: 0,
            end: PAGE_SIZE,
            _own: own,
            _through: None,
            _used: None,
        });
    }
    let owner = cx.resolve_any(ptr.domid).map_err(|_| GNTST_bad_domain)?;
    if !cx.hv.xsm.use_grant(cx.dom, &owner) {
        return Err(GNTST_permission_denied);
    }
    let gref = ptr.u as u32;
    granted(cx, owner, gref, cx.dom.id, readonly, true)
}

/// Uses `owner`'s grant to `by` for a copy; the one it stands for, when it is transitive.
fn granted(
    cx: &mut Cx,
    owner: Arc<Domain>,
    gref: GrantRef,
    by: DomId,
    readonly: bool,
    may_go_on: bool,
) -> Result<Side, i16> {
    let pinned = pin(
        cx.hv,
        cx.cpu,
        &owner,
        gref,
        Use {
            by,
            readonly,
            map: false,
        },
    )?;
    let id = owner.id;
    let used = Used {
        owner,
        gref,
        readonly,
    };
    if let Some((domid, gref)) = pinned.through {
        if !may_go_on || domid == id {
            return Err(GNTST_general_error);
        }
        let next = cx.resolve_any(domid).map_err(|_| GNTST_general_error)?;
        let side = granted(cx, next, gref, id, readonly, false)?;
        return Ok(Side {
            _through: Some(used),
            ..side
        });
    }
    let start = pinned.start as usize;
    Ok(Side {
        page: pinned.page.ok_or(GNTST_general_error)?,
        start,
        end: start + pinned.length as usize,
        _own: None,
        _through: None,
        _used: Some(used),
    })
}

/// Refuses to give frames to other domains: the status leaves them with the caller.
pub fn transfer_op(cx: &mut Cx, batch: Batch) -> HyperResult {
    batch::each(cx, batch, |_, op: &mut GnttabTransfer| {
        op.status = GNTST_bad_page;
        Ok(())
    })
}
