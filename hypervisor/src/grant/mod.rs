//! Grant tables: how a domain lets others use its pages.
//!
//! A domain writes entries into pages that it shares with the hypervisor ([`table`],
//! [`entry`]). Whoever uses one marks it and holds its page ([`pin`]): for a copy ([`copy`]),
//! or as a mapping that has a handle in the mapping domain ([`map`], [`track`]) and is an entry
//! of that domain's page tables ([`host_map`]) or of its physical map ([`p2m_map`]).
//!
//! Two locks for each domain, of its table and of its handles; no CPU holds two of them.

#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

mod batch;
mod cache;
mod copy;
mod dump;
mod entry;
mod host_map;
mod map;
mod p2m_map;
mod pin;
mod setup;
mod table;
mod teardown;
mod track;

#[cfg(test)]
mod tests;

pub use dump::dump;
pub use table::MAX_FRAMES;
pub use teardown::{disown_frames, release_mappings};
pub use track::MAX_FRAMES as MAX_TRACK_FRAMES;

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::HyperResult;
use crate::hv::Hypervisor;
use crate::locks;
use batch::Batch;
use machine::{Cpu, Lock, Page};
use table::Table;
use track::Tracks;
use xen_abi::Errno;
use xen_abi::grant_table::*;

/// A domain's grant table and what it has mapped of others'.
pub struct GrantState {
    pub(crate) table: Lock<Table>,
    pub(crate) tracks: Lock<Tracks>,
}

impl GrantState {
    /// An empty table. Errors: `ENOMEM`.
    pub fn new() -> Result<GrantState, Errno> {
        Ok(GrantState {
            table: Lock::new(locks::GRANT, Table::default()),
            tracks: Lock::new(locks::GRANT, Tracks::default()),
        })
    }

    /// Sets a new domain's limits: pages of entries, frames of handles, entry format.
    pub fn set_limits(&self, frames: u32, track_frames: u32, version: u32) {
        let mut table = self.table.lock();
        table.max_frames = frames;
        table.max_version = version;
        drop(table);
        self.tracks.lock().set_max_frames(track_frames);
    }
}

/// The `grant_table_op` hypercall.
pub fn call(cx: &mut Cx, [cmd, addr, count]: [u64; 3]) -> HyperResult {
    // The count is an `unsigned int`, of which half is kept for the hypervisor's own use.
    let count = count as u32;
    if count as i32 <= -1 {
        return Err(Errno::EINVAL.into());
    }
    let batch = Batch {
        cmd,
        addr,
        count: count.into(),
    };
    match cmd as u32 {
        GNTTABOP_map_grant_ref => {
            cx.tables().finish_old()?;
            map::map_op(cx, batch)
        }
        GNTTABOP_unmap_grant_ref => {
            cx.tables().finish_old()?;
            map::unmap_op(cx, batch)
        }
        GNTTABOP_unmap_and_replace => {
            cx.tables().finish_old()?;
            map::unmap_and_replace_op(cx, batch)
        }
        GNTTABOP_copy => copy::copy_op(cx, batch),
        GNTTABOP_setup_table => setup::setup_table_op(cx, batch),
        GNTTABOP_query_size => setup::query_size_op(cx, batch),
        GNTTABOP_set_version => setup::set_version_op(cx, batch),
        GNTTABOP_get_version => setup::get_version_op(cx, batch),
        GNTTABOP_get_status_frames => setup::status_frames_op(cx, batch),
        GNTTABOP_swap_grant_ref => setup::swap_op(cx, batch),
        GNTTABOP_transfer => copy::transfer_op(cx, batch),
        GNTTABOP_cache_flush => cache::cache_flush_op(cx, addr, batch.count),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Whether somebody still uses a grant of the domain's.
pub fn in_use(dom: &Domain) -> bool {
    dom.grants.table.lock().in_use()
}

/// How many pages [`frame`] can have: of entries or, with `status`, of status words, which
/// only version 2 has.
pub fn max_frames(dom: &Domain, status: bool) -> u32 {
    let table = dom.grants.table.lock();
    match status {
        false => table.max_frames,
        true if table.version == 2 => {
            let entries = u64::from(table.max_frames) * u64::from(table::V2_PER_PAGE);
            entries.div_ceil(u64::from(table::STATUS_PER_PAGE)) as u32
        }
        true => 0,
    }
}

/// Page `index` of a domain's entries or, with `status`, of its status words, for
/// `XENMAPSPACE_grant_table` and `XENMEM_resource_grant_table`. The table grows as far.
/// Errors: `EINVAL` beyond the limit, or for status words of a version 1 table; `ENOMEM`.
pub fn frame(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    index: u32,
    status: bool,
) -> Result<Page, Errno> {
    let mut table = dom.grants.table.lock();
    let needed = index.checked_add(1).ok_or(Errno::EINVAL)?;
    if !status {
        table.grow(hv, cpu, dom, needed)?;
        return table.frame(index).map(Page::another).ok_or(Errno::EINVAL);
    }
    if table.version != 2 {
        return Err(Errno::EINVAL);
    }
    let entries = needed.saturating_mul(table::STATUS_PER_PAGE / table::V2_PER_PAGE);
    let frames = entries.saturating_sub(table::STATUS_PER_PAGE / table::V2_PER_PAGE - 1);
    table.grow(hv, cpu, dom, frames)?;
    table
        .status_frame(index)
        .map(Page::another)
        .ok_or(Errno::EINVAL)
}
