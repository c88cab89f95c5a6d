//! What is left of a domain's grants when it goes away.

use super::pin::unpin;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use machine::{Cpu, CpuApi};
use xen_abi::grant_table::*;

/// Takes the table's own pages off the domain, which is dying: they go with its record, or
/// when whoever still has them mapped lets go.
pub fn disown_frames(dom: &Domain) {
    dom.grants.table.lock().disown_frames();
}

/// Ends all uses that a domain makes of others' grants. Its vCPUs do not run any more, its page
/// tables are gone and no TLB knows them. `false` when it stopped to make room for other work:
/// call again.
pub fn release_mappings(hv: &Hypervisor, cpu: &Cpu, dom: &Domain) -> bool {
    let mut handle = 0;
    loop {
        let parts = GNTMAP_host_map | GNTMAP_device_map;
        let mut tracks = dom.grants.tracks.lock();
        // Handles that map nothing any more are stepped over fast.
        while handle < tracks.len() && tracks.get(handle).is_none() {
            handle += 1;
        }
        let Some((mapping, taken)) = tracks.take(handle, parts) else {
            return true;
        };
        tracks.finish(handle, 0);
        drop(tracks);
        if let Some(owner) = hv.domains.any(mapping.domid.into()) {
            for _ in 0..taken.count_ones() {
                unpin(&owner, mapping.gref, mapping.flags & GNTMAP_readonly != 0);
            }
        }
        handle += 1;
        if handle % 64 == 0 && cpu.work_pending() {
            return false;
        }
    }
}
