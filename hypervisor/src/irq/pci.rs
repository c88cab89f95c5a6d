//! PCI configuration space through the address and data ports, and what interrupts need of it.
//!
//! Lock: [`Irqs::config`](super::Irqs), held for one access pair.

use crate::hv::Hypervisor;
use alloc::vec::Vec;
use machine::device::Registers;
use machine::{Cpu, CpuApi};
use xen_abi::Errno;

/// The address port.
pub const ADDRESS: u16 = 0xcf8;
/// The first of the four data ports.
pub const DATA: u16 = 0xcfc;

const STATUS: u8 = 0x06;
const STATUS_CAPABILITIES: u32 = 1 << 4;
const CAPABILITIES: u8 = 0x34;
const COMMAND: u8 = 0x04;
const COMMAND_MEMORY: u32 = 1 << 1;
/// Capability id of MSI.
pub const MSI: u8 = 0x05;
/// Capability id of MSI-X.
pub const MSIX: u8 = 0x11;

/// A device's function, of segment 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its bus.
    pub bus: u8,
    /// Device and function.
    pub devfn: u8,
}

impl Function {
    /// The address port's value for register `reg`.
    fn address(self, reg: u8) -> u32 {
        1 << 31 | u32::from(self.bus) << 16 | u32::from(self.devfn) << 8 | u32::from(reg & !3)
    }

    /// Reads 1, 2 or 4 bytes at `reg`, which is aligned to them.
    pub fn read(self, hv: &Hypervisor, cpu: &mut Cpu, reg: u8, bytes: u8) -> u32 {
        read(hv, cpu, self.address(reg), DATA | u16::from(reg & 3), bytes)
    }

    /// Writes 1, 2 or 4 bytes at `reg`, which is aligned to them.
    pub fn write(self, hv: &Hypervisor, cpu: &mut Cpu, reg: u8, bytes: u8, value: u32) {
        let port = DATA | u16::from(reg & 3);
        write(hv, cpu, self.address(reg), port, bytes, value);
    }

    /// Whether there is such a function.
    pub fn exists(self, hv: &Hypervisor, cpu: &mut Cpu) -> bool {
        self.read(hv, cpu, 0, 2) != 0xffff
    }

    /// Where the capability `id` stands.
    pub fn capability(self, hv: &Hypervisor, cpu: &mut Cpu, id: u8) -> Option<u8> {
        if self.read(hv, cpu, STATUS, 2) & STATUS_CAPABILITIES == 0 {
            return None;
        }
        let mut at = self.read(hv, cpu, CAPABILITIES, 1) as u8 & !3;
        // So many fit; a longer list is a circle.
        for _ in 0..48 {
            if at < 0x40 {
                return None;
            }
            let word = self.read(hv, cpu, at, 2);
            if word as u8 == id {
                return Some(at);
            }
            at = (word >> 8) as u8 & !3;
        }
        None
    }

    /// Whether it answers at its memory addresses.
    pub fn decodes_memory(self, hv: &Hypervisor, cpu: &mut Cpu) -> bool {
        self.read(hv, cpu, COMMAND, 2) & COMMAND_MEMORY != 0
    }

    /// Machine address of its memory region `index` (0 to 5); `None` when it is none, or has
    /// no address.
    pub fn region(self, hv: &Hypervisor, cpu: &mut Cpu, index: u8) -> Option<u64> {
        let reg = 0x10u8.checked_add(index.checked_mul(4)?)?;
        if index > 5 {
            return None;
        }
        let low = self.read(hv, cpu, reg, 4);
        if low & 1 != 0 {
            return None;
        }
        let mut base = u64::from(low & !0xf);
        if low >> 1 & 3 == 2 && index < 5 {
            base |= u64::from(self.read(hv, cpu, reg.checked_add(4)?, 4)) << 32;
        }
        (base != 0).then_some(base)
    }
}

/// Reads from a data port with the address port set to `address`.
pub fn read(hv: &Hypervisor, cpu: &mut Cpu, address: u32, port: u16, bytes: u8) -> u32 {
    let _held = hv.irqs.config.lock();
    cpu.port_out(ADDRESS, 4, address);
    cpu.port_in(port, bytes)
}

/// Writes to a data port with the address port set to `address`.
pub fn write(hv: &Hypervisor, cpu: &mut Cpu, address: u32, port: u16, bytes: u8, value: u32) {
    let _held = hv.irqs.config.lock();
    cpu.port_out(ADDRESS, 4, address);
    cpu.port_out(port, bytes, value);
}

/// Most pages of registers mapped: windows are never given back.
const MAX_WINDOWS: usize = 512;

/// Pages of device registers that were mapped, by machine address.
#[derive(Default)]
pub struct Windows {
    pages: Vec<(u64, Registers)>,
}

impl Windows {
    /// The window on the page at `pa`. Errors: `ENOMEM`; `ENXIO` where no device can be.
    pub fn page(&mut self, hv: &Hypervisor, pa: u64) -> Result<Registers, Errno> {
        let pa = pa & !4095;
        if let Some((_, window)) = self.pages.iter().find(|(page, _)| *page == pa) {
            return Ok(*window);
        }
        let ours = hv.platform.io_apics.iter().map(|io_apic| io_apic.addr);
        let mut ours = ours.chain(hv.platform.hpet).map(|addr| addr & !4095);
        if (0xfee0_0000..0xfef0_0000).contains(&pa) || ours.any(|page| page == pa) {
            return Err(Errno::ENXIO);
        }
        if self.pages.len() >= MAX_WINDOWS {
            return Err(Errno::ENOMEM);
        }
        self.pages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let window = Registers::map(pa, 4096).ok_or(Errno::ENXIO)?;
        self.pages.push((pa, window));
        Ok(window)
    }
}

/// Reads 1, 2 or 4 aligned bytes of a device's registers at machine address `pa`. Errors: as
/// [`Windows::page`].
pub fn read_register(hv: &Hypervisor, pa: u64, bytes: u8) -> Result<u32, Errno> {
    let window = hv.irqs.windows.lock().page(hv, pa)?;
    Ok(window.read_part(pa & 0xfff, bytes))
}

/// Writes 1, 2 or 4 aligned bytes there. Errors: as [`Windows::page`].
pub fn write_register(hv: &Hypervisor, pa: u64, bytes: u8, value: u32) -> Result<(), Errno> {
    let window = hv.irqs.windows.lock().page(hv, pa)?;
    window.write_part(pa & 0xfff, bytes, value);
    Ok(())
}

/// Reads the aligned 32-bit word at machine address `pa`, which is not memory of domains.
/// Errors: as [`Windows::page`].
pub fn device_word(hv: &Hypervisor, pa: u64) -> Result<u32, Errno> {
    let window = hv.irqs.windows.lock().page(hv, pa)?;
    Ok(window.read(pa & 0xffc))
}
