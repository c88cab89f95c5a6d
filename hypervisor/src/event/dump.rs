//! What the debug key shows of event channels.

use super::channel::Binding;
use super::port_pending;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::say;

/// Most ports shown of a domain.
const SHOWN: usize = 1024;

/// Shows a domain's ports that are bound to something. Takes no lock.
pub fn dump(hv: &Hypervisor, dom: &Domain) {
    let form = if dom.events.is_fifo() {
        "FIFO"
    } else {
        "two-level"
    };
    say!(hv, "domain {}: {form}, port, vCPU, pending", dom.id);
    let mut shown = 0;
    let mut next = dom.events.table.next(0);
    while let Some(port) = next {
        next = dom.events.table.next(port);
        let Some(channel) = dom.events.table.get(port) else {
            continue;
        };
        let word = channel.get();
        let binding = word.binding();
        if matches!(binding, Binding::Free | Binding::Reserved) {
            continue;
        }
        let pending = port_pending(dom, port).unwrap_or(false);
        say!(
            hv,
            "  {port:5} v{} {} {binding:?}",
            word.vcpu(),
            u8::from(pending)
        );
        shown += 1;
        if shown == SHOWN {
            say!(hv, "  and more");
            return;
        }
    }
}
