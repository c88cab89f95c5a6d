//! Reports about the machine, and its end.

use crate::hv::Hypervisor;
use crate::say;
use machine::{Cpu, CpuApi};

/// Free and used memory.
pub fn memory(hv: &Hypervisor, cpu: &mut Cpu) {
    say!(hv, "{} pages in all for guests", hv.total_pages);
    heap(hv, cpu);
    for dom in super::domains::each(hv) {
        let pages = &dom.pages;
        say!(
            hv,
            "domain {}: {} pages of {}",
            dom.id,
            pages.total(),
            pages.max()
        );
    }
}

/// The heap.
pub fn heap(hv: &Hypervisor, _cpu: &mut Cpu) {
    let free = hv.heap.try_lock().map(|heap| heap.free_frames());
    match free {
        Some(free) => say!(hv, "{free} pages free ({} MiB)", free >> 8),
        None => say!(hv, "the heap is in use"),
    }
    let own = machine::host_heap::bytes();
    let unused = machine::host_heap::free_bytes();
    say!(
        hv,
        "the hypervisor's own data has {} KiB, {} KiB of them not in use",
        own >> 10,
        unused >> 10
    );
}

/// Interrupts, by line or message.
pub fn interrupts(hv: &Hypervisor, _cpu: &mut Cpu) {
    crate::irq::dump(hv);
}

/// Entries of the I/O APICs.
pub fn ioapics(hv: &Hypervisor, _cpu: &mut Cpu) {
    for gsi in 0..machine::ioapic::gsi_end() {
        if let Some(entry) = machine::ioapic::read_entry(gsi) {
            say!(hv, "GSI {gsi}: {entry:x?}");
        }
    }
}

/// Most accesses that are told of at once: as many as an IOMMU keeps.
const FAULTS: u32 = 256;

/// Accesses to memory that devices were not allowed.
pub fn device_faults(hv: &Hypervisor, _cpu: &mut Cpu) {
    if !machine::iommu::is_there() {
        return say!(hv, "no IOMMU that is known");
    }
    for _ in 0..FAULTS {
        let Some(fault) = machine::iommu::take_fault() else {
            return;
        };
        let [bus, devfn] = fault.device.to_be_bytes();
        say!(
            hv,
            "{bus:02x}:{:02x}.{} at {:#x}, event {}",
            devfn >> 3,
            devfn & 7,
            fault.address,
            fault.code
        );
    }
}

/// Timers.
pub fn timers(hv: &Hypervisor, cpu: &mut Cpu) {
    let now = cpu.now();
    for cpu in 0..hv.cpus {
        match hv.clocks.timers.first_due(cpu) {
            Some(due) => say!(
                hv,
                "CPU {cpu}: next in {} ns",
                due as i128 - i128::from(now)
            ),
            None => say!(hv, "CPU {cpu}: none"),
        }
    }
}

/// Clocks.
pub fn clocks(hv: &Hypervisor, cpu: &mut Cpu) {
    let (seconds, nanos) = crate::time::wall_now(hv, cpu);
    let (_, _, khz) = cpu.tsc_scale();
    say!(
        hv,
        "system time {} ns, TSC {:#x} at {khz} kHz, wall clock {seconds}.{nanos:09}",
        cpu.now(),
        cpu.tsc()
    );
}

/// The log.
pub fn log_again(hv: &Hypervisor, _cpu: &mut Cpu) {
    hv.console.show_log();
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
