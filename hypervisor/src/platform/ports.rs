//! I/O ports as domains reach them.
//!
//! A PV guest's IN and OUT trap; whoever emulates them asks [`guest_may`] first (the guest's
//! own rules) and then [`read`] or [`write`] (the hypervisor's). A port that the domain may
//! not use reads as all ones and takes writes. Address and data registers in pairs (PCI
//! configuration, CMOS) are kept apart for each domain.

use crate::cx::Cx;
use crate::domain::Domain;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use crate::hvm::devices;
use crate::irq::{Function, pci};
use crate::platform::pit;
use alloc::sync::Arc;
use machine::{Cpu, CpuApi};
use xen_abi::xen::VMASST_TYPE_architectural_iopl;

const CMOS_INDEX: u16 = 0x70;
const CMOS_DATA: u16 = 0x71;
/// Enable, bus, device, function and register.
const CONFIG_ADDRESS: u32 = 0x80ff_fffc;

/// Whether the guest itself lets what it runs use ports `port` to `port + bytes - 1`: by its
/// I/O privilege level, or by its bitmap.
pub fn guest_may(cx: &mut Cx, port: u16, bytes: u8) -> bool {
    let architectural = cx.dom.assist(VMASST_TYPE_architectural_iopl);
    let level = match (cx.st.kernel_mode, architectural) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 3,
    };
    if level <= cx.st.iopl {
        return true;
    }
    let first = u32::from(port);
    if first.saturating_add(u32::from(bytes)) > cx.st.io_bitmap_ports {
        return false;
    }
    let at = cx.st.io_bitmap.wrapping_add(u64::from(port / 8));
    let bitmap = GuestPtr::<u8>::new(at);
    let Ok(low) = cx.copy_in(bitmap) else {
        return false;
    };
    // The second byte is looked at only when the access reaches it.
    let bits = u32::from(port % 8).saturating_add(u32::from(bytes));
    let high = if bits > 8 {
        cx.copy_in(bitmap.add(1)).unwrap_or(0xff)
    } else {
        0
    };
    let word = u32::from(u16::from_le_bytes([low, high])) >> (port % 8);
    word & ((1 << bytes.min(4)) - 1) == 0
}

/// Reads 1, 2 or 4 bytes from `port` for a domain.
pub fn read(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, port: u16, bytes: u8) -> u32 {
    let value = match (port, bytes) {
        (pci::ADDRESS, 4) => dom.irqs.config_address(),
        (0xcfc..=0xcff, _) => match config(dom, port, bytes) {
            Some((address, bytes)) if dom.hvm.get().is_some() => {
                let (function, register) = place(address, port);
                devices::config_read(hv, cpu, dom, function, register, bytes)
            }
            Some((address, bytes)) => pci::read(hv, cpu, address, port, bytes),
            None => u32::MAX,
        },
        (CMOS_INDEX, 1) if dom.irqs.port_allowed(port, 1) => u32::from(dom.irqs.cmos_index()),
        (CMOS_DATA, 1) if dom.irqs.port_allowed(port, 1) => {
            let _held = hv.irqs.config.lock();
            cpu.port_out(CMOS_INDEX, 1, u32::from(dom.irqs.cmos_index() & 0x7f));
            cpu.port_in(CMOS_DATA, 1)
        }
        (pit::COUNTER | pit::COMMAND | pit::GATE, 1) if dom.privileged => pit::read(cpu, port),
        _ if dom.irqs.port_allowed(port, bytes) => cpu.port_in(port, bytes),
        _ => {
            let mut value = u32::MAX;
            for (i, at) in each(port, bytes) {
                if dom.irqs.port_allowed(at, 1) {
                    value &= !(0xff << (8 * i));
                    value |= (cpu.port_in(at, 1) & 0xff) << (8 * i);
                }
            }
            value
        }
    };
    value & mask(bytes)
}

/// Writes 1, 2 or 4 bytes to `port` for a domain.
pub fn write(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, port: u16, bytes: u8, value: u32) {
    let value = value & mask(bytes);
    match (port, bytes) {
        (pci::ADDRESS, 4) => dom.irqs.set_config_address(value),
        (0xcfc..=0xcff, _) => match config(dom, port, bytes) {
            Some((address, bytes)) if dom.hvm.get().is_some() => {
                devices::config_write(hv, cpu, dom, place(address, port), bytes, value);
            }
            Some((address, bytes)) => pci::write(hv, cpu, address, port, bytes, value),
            None => {}
        },
        (CMOS_INDEX, 1) if dom.irqs.port_allowed(port, 1) => dom.irqs.set_cmos_index(value as u8),
        (CMOS_DATA, 1) if dom.irqs.port_allowed(port, 1) => {
            let _held = hv.irqs.config.lock();
            cpu.port_out(CMOS_INDEX, 1, u32::from(dom.irqs.cmos_index() & 0x7f));
            cpu.port_out(CMOS_DATA, 1, value);
        }
        (pit::COUNTER | pit::COMMAND | pit::GATE, 1) if dom.privileged => {
            pit::write(hv, cpu, port, value);
        }
        _ if dom.irqs.port_allowed(port, bytes) => cpu.port_out(port, bytes, value),
        _ => {
            for (i, at) in each(port, bytes) {
                if dom.irqs.port_allowed(at, 1) {
                    cpu.port_out(at, 1, value >> (8 * i) & 0xff);
                }
            }
        }
    }
}

/// The configuration address and size of an access to the data ports; `None` when the domain
/// may not make it.
fn config(dom: &Domain, port: u16, bytes: u8) -> Option<(u32, u8)> {
    let address = dom.irqs.config_address();
    if !dom.privileged || address >> 31 == 0 {
        return None;
    }
    let room = 4u8.saturating_sub((port & 3) as u8);
    let bytes = match bytes.min(room) {
        3 => 2,
        fits => fits,
    };
    Some((address & CONFIG_ADDRESS, bytes))
}

/// The function and register that an address and a data port name.
fn place(address: u32, port: u16) -> (Function, u16) {
    let [register, devfn, bus, _] = address.to_le_bytes();
    let register = u16::from(register & !3) | port & 3;
    (Function { bus, devfn }, register)
}

/// Ports of an access one by one.
fn each(port: u16, bytes: u8) -> impl Iterator<Item = (u32, u16)> {
    (0..bytes.min(4)).map(move |i| (u32::from(i), port.wrapping_add(u16::from(i))))
}

fn mask(bytes: u8) -> u32 {
    match bytes {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    }
}
