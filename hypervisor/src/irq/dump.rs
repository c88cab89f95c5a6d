//! What the debug key shows of interrupts.

use super::line::Source;
use crate::hv::Hypervisor;
use crate::say;

/// Logs every line that is in use: where it comes from, where it goes, and whose it is.
pub fn dump(hv: &Hypervisor) {
    for number in 0..hv.irqs.count() {
        let Some(line) = hv.irqs.line(number) else {
            break;
        };
        let line = &*line.lock();
        if line.users == 0 {
            continue;
        }
        let kind = if line.level { "level" } else { "edge" };
        match &line.source {
            Source::Gsi(gsi) => say!(hv, "irq {number}: GSI {gsi}, {kind}, {line}"),
            Source::Msi(message) => say!(hv, "irq {number}: {message}, {line}"),
            Source::Free | Source::Taken => {}
        }
    }
}
