//! What the debug key shows of grant tables.

use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::say;

/// Most entries shown of a domain.
const SHOWN: usize = 256;

/// Shows a domain's grants that are in use. Only tries the table's lock.
pub fn dump(hv: &Hypervisor, dom: &Domain) {
    let Some(table) = dom.grants.table.try_lock() else {
        say!(hv, "domain {}: the grant table is in use", dom.id);
        return;
    };
    say!(
        hv,
        "domain {}: version {}, {} frames of {}, {} status frames",
        dom.id,
        table.version,
        table.frames(),
        table.max_frames,
        table.status_frames()
    );
    let used = table
        .all_active()
        .enumerate()
        .filter(|(_, active)| active.in_use());
    for (gref, active) in used.take(SHOWN) {
        say!(
            hv,
            "  {gref:5}: d{} reads {} writes {} mfn {:x?} bytes {}+{} {:?}",
            active.domid,
            active.readers,
            active.writers,
            active.page.as_ref().map(|page| page.mfn().0),
            active.start,
            active.length,
            active.through
        );
    }
}
