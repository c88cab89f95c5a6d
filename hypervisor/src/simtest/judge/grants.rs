//! Grants: each use of an entry belongs to a handle of the domain that uses it.

use super::super::world::World;
use super::all_of;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use xen_abi::grant_table::*;

/// Checks them.
pub fn check(world: &World) -> Result<(), String> {
    let domains = world.domains();
    // By owner, reference and user: uses that read, uses that write.
    let mut uses: BTreeMap<(u16, u32, u16), (u32, u32)> = BTreeMap::new();
    for dom in &domains {
        let tracks = dom.grants.tracks.lock();
        for mapping in (0..tracks.len()).filter_map(|handle| tracks.get(handle)) {
            let parts = mapping.flags & (GNTMAP_host_map | GNTMAP_device_map);
            let (readers, writers) = uses
                .entry((mapping.domid, mapping.gref, dom.id))
                .or_default();
            if mapping.flags & GNTMAP_readonly != 0 {
                *readers += parts.count_ones();
            } else {
                *writers += parts.count_ones();
            }
        }
    }
    let mut wrong = Vec::new();
    for dom in &domains {
        let table = dom.grants.table.lock();
        for (gref, active) in (0..).zip(table.all_active()) {
            let here = uses.remove(&(dom.id, gref, active.domid));
            if here.unwrap_or_default() != (active.readers, active.writers) {
                wrong.push(format!(
                    "grant {gref} of domain {} is used {} and {} times by {}, whose handles say {here:?}",
                    dom.id, active.readers, active.writers, active.domid
                ));
            }
            if active.in_use() && active.page.is_none() && active.through.is_none() {
                wrong.push(format!(
                    "grant {gref} of domain {} is used without a page",
                    dom.id
                ));
            }
            if !active.in_use() && active.page.is_some() {
                wrong.push(format!(
                    "grant {gref} of domain {} holds a page unused",
                    dom.id
                ));
            }
        }
    }
    for ((owner, gref, by), count) in uses {
        wrong.push(format!(
            "domain {by} has {count:?} handles of grant {gref} of {owner}, which is not in use"
        ));
    }
    all_of(wrong)
}
