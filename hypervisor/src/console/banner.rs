//! The first lines of the log: who this is and what it runs on.

use crate::hv::Hypervisor;
use crate::hypercall::version::{BUILD_DATE, CHANGESET, COMPILER, EXTRA_VERSION, VERSION};
use crate::say;

/// Prints them.
pub fn banner(hv: &Hypervisor) {
    let (major, minor) = VERSION;
    say!(
        hv,
        "Xenios {}: Xen's interface, version {major}.{minor}{EXTRA_VERSION}",
        env!("CARGO_PKG_VERSION")
    );
    say!(hv, "Built by {COMPILER} from {CHANGESET} {BUILD_DATE}");
    say!(hv, "Bootloader: {}", hv.boot.loader);
    say!(hv, "Command line: {}", hv.command_line);
    let ram = hv.boot.memory.ram_bytes();
    say!(
        hv,
        "System RAM: {} MiB ({} kB), {} MiB for guests",
        ram >> 20,
        ram >> 10,
        hv.total_pages >> 8
    );
    for range in hv.boot.memory.ranges() {
        crate::log!(
            hv,
            Info,
            " [{:012x}, {:012x}] {:?}",
            range.base,
            range.end().saturating_sub(1),
            range.kind
        );
    }
    say!(hv, "CPUs: {}", hv.cpus);
    if hv.boot.modules_dropped != 0 {
        say!(
            hv,
            "{} modules too many: only the first are used",
            hv.boot.modules_dropped
        );
    }
}
