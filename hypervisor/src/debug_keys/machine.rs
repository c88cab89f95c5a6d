//! Reports about the machine, and its end.

use crate::hv::Hypervisor;
use crate::say;
use machine::Cpu;

/// Free and used memory.
pub fn memory(hv: &Hypervisor, cpu: &mut Cpu) {
    say!(hv, "{} pages in all for guests and tables", hv.total_pages);
    heap(hv, cpu);
    for dom in super::domains::each(hv) {
        say!(
            hv,
            "domain {}: {} pages of {}",
            dom.id,
            dom.pages.total(),
            dom.pages.max()
        );
    }
}

/// The heap.
pub fn heap(hv: &Hypervisor, _cpu: &mut Cpu) {
    match hv.heap.try_lock() {
        Some(heap) => {
            let free = heap.free_frames();
            drop(heap);
            say!(hv, "{free} pages free ({} MiB)", free >> 8);
        }
        None => say!(hv, "the heap is in use"),
    }
}

/// Reboots.
pub fn reboot(hv: &Hypervisor, _cpu: &mut Cpu) {
    say!(hv, "rebooting machine");
    machine::power::reboot()
}

/// Crashes.
pub fn crash(_hv: &Hypervisor, _cpu: &mut Cpu) {
    panic!("crash asked for at the console")
}
