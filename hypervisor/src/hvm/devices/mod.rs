//! The machine's devices as a hardware-virtualised control domain reaches them: by interrupt
//! controllers and PCI configuration space that look like the real ones.
//!
//! Memory of devices is mapped at its own address when it is first met ([`crate::mem::p2m`]);
//! what must not be reached directly is not mapped, and accesses to it come here ([`access`]): I/O
//! APICs, memory-mapped configuration space, tables of MSI-X. Configuration space also comes by
//! its ports ([`config`]).
//!
//! Lock: one for all (`DEVICES`). Hosts' lines and the physical map change while it is held; no
//! interrupt is sent.

mod access;
mod config;
mod function;
mod ioapic;
mod msi;
mod msix;

pub use access::{read, traps, write};
pub use config::{read as config_read, write as config_write};

use super::vlapic::Delivery;
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::irq;
use crate::locks;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use function::Device;
use ioapic::{Assertion, Interrupt, IoApic};
use machine::{Cpu, Lock};
use msi::Signal;
use xen_abi::Errno;

/// Most functions of PCI devices that the domain sees.
const MOST: usize = 4096;
/// The sender of interrupts from devices: no APIC has this id.
const NOBODY: u32 = u32::MAX;

/// The virtual side of the machine's devices.
pub struct Devices {
    state: Lock<State>,
}

struct State {
    io_apics: Vec<IoApic>,
    /// Whether there is a PCI bus: not without an IOMMU, since devices would reach the wrong
    /// memory.
    pci: bool,
    /// Functions that were met, by bus, device and function.
    functions: Vec<Device>,
    /// What the domain wants to be sent for each line of a message.
    signals: Vec<Signal>,
}

impl Devices {
    /// The controllers that the machine has, as after reset. Errors: `ENOMEM`.
    pub fn new(hv: &Hypervisor, pci: bool) -> Result<Devices, Errno> {
        let mut io_apics = Vec::new();
        for index in 0..machine::ioapic::count() {
            let Some((id, first, pins)) = machine::ioapic::info(index) else {
                continue;
            };
            let entries = &hv.platform.io_apics;
            let Some(entry) = entries.iter().find(|entry| entry.gsi_base == first) else {
                continue;
            };
            io_apics.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            io_apics.push(IoApic::new(entry.addr, id, first, pins)?);
        }
        let lines = hv.irqs.count().saturating_sub(hv.irqs.gsi_end()) as usize;
        let mut signals = Vec::new();
        signals
            .try_reserve_exact(lines)
            .map_err(|_| Errno::ENOMEM)?;
        signals.resize(lines, Signal::default());
        let state = State {
            io_apics,
            pci,
            functions: Vec::new(),
            signals,
        };
        Ok(Devices {
            state: Lock::new(locks::DEVICES, state),
        })
    }
}

/// The domain's, if it has any.
fn of(dom: &Domain) -> Option<&Devices> {
    dom.hvm.get()?.devices.get()
}

/// A line that the domain has came. Whether the domain is going to say that it has served it.
pub fn interrupt(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, line: u32) -> bool {
    let Some(devices) = of(dom) else {
        return false;
    };
    let (interrupt, awaited) = {
        let mut state = devices.state.lock();
        match line.checked_sub(hv.irqs.gsi_end()) {
            None => state.pin_came(line),
            Some(index) => {
                let signal = state.signals.get(index as usize);
                (signal.and_then(Signal::interrupt), false)
            }
        }
    };
    if let Some(interrupt) = interrupt {
        send(hv, cpu, dom, interrupt);
    }
    awaited
}

impl State {
    fn pin_came(&mut self, gsi: u32) -> (Option<Interrupt>, bool) {
        for io_apic in &mut self.io_apics {
            match io_apic.assert(gsi) {
                Assertion::NotMine => {}
                Assertion::Taken(interrupt) => return (interrupt, true),
                Assertion::Edge(interrupt) => return (interrupt, false),
            }
        }
        (None, false)
    }

    /// What line `number` is to send from now on.
    fn set_signal(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        (number, signal): (u32, Signal),
    ) {
        let index = number.checked_sub(hv.irqs.gsi_end());
        let slot = index.and_then(|index| self.signals.get_mut(index as usize));
        let Some(slot) = slot.filter(|slot| **slot != signal) else {
            return;
        };
        *slot = signal;
        follow(hv, cpu, dom, number, signal.interrupt());
    }
}

/// A local APIC of the domain's ended level-triggered `vector`.
pub fn end(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, vector: u8) {
    let Some(devices) = of(dom) else { return };
    // Each pin once, whatever comes of it meanwhile.
    let (mut index, mut pin) = (0usize, 0);
    loop {
        let found = {
            let mut state = devices.state.lock();
            let Some(io_apic) = state.io_apics.get_mut(index) else {
                return;
            };
            io_apic.end(vector, pin)
        };
        match found {
            Some((effect, next)) => {
                pin = next;
                carry_out(hv, cpu, dom, effect);
            }
            None => (index, pin) = (index.saturating_add(1), 0),
        }
    }
}

/// Has a line come to the CPU of the vCPU that it is for, the first of several.
fn follow(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, line: u32, interrupt: Option<Interrupt>) {
    let Some(interrupt) = interrupt else { return };
    let first = dom.all_vcpus().find(|vcpu| is_meant(vcpu, interrupt));
    if let Some(vcpu) = first {
        irq::pirq_moved(hv, cpu, dom, line, vcpu.id);
    }
}

/// Whether an interrupt is for a vCPU.
fn is_meant(vcpu: &Vcpu, interrupt: Interrupt) -> bool {
    let address = vcpu.posted.address(super::apic_id(vcpu.id));
    address.is_target(interrupt.command.target, NOBODY)
}

/// Does what a change of a pin leads to.
fn carry_out(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, effect: ioapic::Effect) {
    let gsi = effect.gsi;
    if let Some(open) = effect.open {
        match irq::open_pin(hv, cpu, dom, gsi, (open.level, open.active_low)) {
            Ok(()) => follow(hv, cpu, dom, gsi, open.interrupt),
            Err(errno) => {
                crate::log!(hv, Debug, "d{} has no interrupt {gsi}: {errno}", dom.id);
            }
        }
    }
    // One that is still to be served keeps the real pin masked.
    if effect.ended && effect.interrupt.is_none() {
        irq::end_pin(hv, cpu, dom, gsi);
    }
    if let Some(interrupt) = effect.interrupt {
        send(hv, cpu, dom, interrupt);
    }
}

/// Leaves an interrupt for those that it is for.
fn send(hv: &Hypervisor, cpu: &Cpu, dom: &Domain, interrupt: Interrupt) {
    let command = interrupt.command;
    for vcpu in dom.all_vcpus().filter(|vcpu| is_meant(vcpu, interrupt)) {
        match command.delivery {
            Delivery::Fixed(vector) | Delivery::Lowest(vector) if interrupt.level => {
                vcpu.posted.level_vector(vector);
            }
            Delivery::Fixed(vector) | Delivery::Lowest(vector) => vcpu.posted.vector(vector),
            Delivery::Nmi => vcpu.nmi_pending.store(true, Ordering::SeqCst),
            Delivery::Init | Delivery::Startup(_) => {}
        }
        hv.sched.notify(cpu, dom, vcpu);
        // One is enough; which has the lowest priority is not asked.
        if matches!(command.delivery, Delivery::Lowest(_)) {
            return;
        }
    }
}
