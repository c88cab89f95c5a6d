//! PCI configuration space: the devices' own, but for what makes interrupts by message.

use super::access::config_page;
use super::{State, of};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::irq::{self, Function};
use alloc::sync::Arc;
use machine::Cpu;

/// The command register, and one past the last base address register of any function.
const COMMAND: u16 = 0x04;
const BASES_END: u16 = 0x28;
/// Registers that the configuration ports reach.
const BY_PORTS: u16 = 0x100;

/// Whether an access lies in one aligned doubleword.
fn fits(register: u16, bytes: u8) -> bool {
    register.is_multiple_of(u16::from(bytes.max(1))) && matches!(bytes, 1 | 2 | 4)
}

/// Part of a doubleword: as many bits to the left, of so many.
fn part(register: u16, bytes: u8) -> (u32, u32) {
    let mask = match bytes {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    };
    (8 * u32::from(register & 3), mask)
}

fn raw_read(hv: &Hypervisor, cpu: &mut Cpu, at: (Function, u16), bytes: u8) -> u32 {
    let (function, register) = at;
    if let Ok(register) = u8::try_from(register) {
        return function.read(hv, cpu, register, bytes);
    }
    let page = config_page(hv, function);
    let read = page.map(|page| irq::pci::read_register(hv, page | u64::from(register), bytes));
    read.and_then(Result::ok).unwrap_or(u32::MAX)
}

fn raw_write(hv: &Hypervisor, cpu: &mut Cpu, at: (Function, u16), bytes: u8, value: u32) {
    let (function, register) = at;
    if let Ok(register) = u8::try_from(register) {
        return function.write(hv, cpu, register, bytes, value);
    }
    if let Some(page) = config_page(hv, function) {
        // Where no device can be, nothing is written.
        let _ = irq::pci::write_register(hv, page | u64::from(register), bytes, value);
    }
}

/// Reads 1, 2 or 4 bytes of a function's `register`. What is not there reads as all ones.
pub fn read(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    function: Function,
    register: u16,
    bytes: u8,
) -> u32 {
    let Some(devices) = of(dom).filter(|_| fits(register, bytes)) else {
        return u32::MAX;
    };
    let mut state = devices.state.lock();
    if !state.pci {
        return u32::MAX;
    }
    let Some(index) = state.known(hv, cpu, dom, function) else {
        return u32::MAX;
    };
    let base = register & !3;
    if !state.is_virtual(index, base) {
        return raw_read(hv, cpu, (function, register), bytes);
    }
    let raw = raw_read(hv, cpu, (function, base), 4);
    let (shift, mask) = part(register, bytes);
    state.shown(index, base, raw) >> shift & mask
}

/// Writes 1, 2 or 4 bytes of a function's register.
pub fn write(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    at: (Function, u16),
    bytes: u8,
    value: u32,
) {
    let (function, register) = at;
    let Some(devices) = of(dom).filter(|_| fits(register, bytes)) else {
        return;
    };
    let mut state = devices.state.lock();
    if !state.pci || is_hosts(hv, function) {
        return;
    }
    let Some(index) = state.known(hv, cpu, dom, function) else {
        return;
    };
    let base = register & !3;
    if state.is_virtual(index, base) {
        let raw = raw_read(hv, cpu, (function, base), 4);
        let (shift, mask) = part(register, bytes);
        let kept = state.shown(index, base, raw) & !(mask << shift);
        let value = kept | (value & mask) << shift;
        return state.change(hv, cpu, dom, index, base, value);
    }
    raw_write(hv, cpu, at, bytes, value);
    if (COMMAND..BASES_END).contains(&base) && base < BY_PORTS {
        state.table_moved(hv, cpu, dom, index);
    }
}

/// Whether a function is the hypervisor's own: an IOMMU, which may be looked at.
fn is_hosts(hv: &Hypervisor, function: Function) -> bool {
    let id = u16::from_be_bytes([function.bus, function.devfn]);
    let mut iommus = hv.platform.iommus.iter();
    iommus.any(|iommu| iommu.segment == 0 && iommu.device == id)
}

impl State {
    /// Whether the doubleword at `register` is not the device's own.
    fn is_virtual(&self, index: usize, register: u16) -> bool {
        let Some(device) = self.functions.get(index) else {
            return false;
        };
        let msi = device.msi.as_ref().is_some_and(|msi| msi.has(register));
        let msix = device.msix.as_ref().is_some_and(|msix| msix.has(register));
        msi || msix
    }

    /// What the domain sees of a doubleword that the device has as `raw`.
    fn shown(&self, index: usize, register: u16, raw: u32) -> u32 {
        let Some(device) = self.functions.get(index) else {
            return raw;
        };
        match (&device.msi, &device.msix) {
            (Some(msi), _) if msi.has(register) => msi.shown(register, raw),
            (_, Some(msix)) if msix.has(register) => msix.shown(raw),
            _ => raw,
        }
    }

    /// The domain made a virtual doubleword `value`.
    fn change(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Arc<Domain>,
        index: usize,
        register: u16,
        value: u32,
    ) {
        let Some(device) = self.functions.get(index) else {
            return;
        };
        if device.msi.as_ref().is_some_and(|msi| msi.has(register)) {
            self.change_msi(hv, cpu, dom, index, register, value);
        } else {
            self.change_msix(hv, cpu, dom, index, value);
        }
    }
}
