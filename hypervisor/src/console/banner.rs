//! What the log says first of the hypervisor; the boot code has said what it runs on.

use crate::hv::Hypervisor;
use crate::hypercall::version::{BUILD_DATE, CHANGESET, COMPILER, EXTRA_VERSION, VERSION};
use crate::say;

/// Says it.
pub fn banner(hv: &Hypervisor) {
    let (major, minor) = VERSION;
    say!(
        hv,
        "Xen version {major}.{minor}{EXTRA_VERSION} ({COMPILER}) {BUILD_DATE}"
    );
    say!(hv, "Latest ChangeSet: {CHANGESET}");
    let pages = hv.total_pages;
    say!(hv, "{} MiB for guests ({pages} pages)", pages >> 8);
    if hv.boot.modules_dropped != 0 {
        let dropped = hv.boot.modules_dropped;
        say!(hv, "{dropped} modules too many: only the first are used");
    }
}
