//! Interrupts by message: MSI and MSI-X, which the hypervisor programs for domains.
//!
//! The domain switches the capability on and off itself; address, data and mask bits are
//! written here. PCI Local Bus Specification 3.0, 6.8; Intel SDM volume 3, 11.11.

use super::pci::{self, Function};
use super::vectors::Slot;
use crate::hv::Hypervisor;
use machine::Cpu;
use machine::device::Registers;
use xen_abi::Errno;

/// Messages to this address are interrupts; the destination's APIC id is in bits 12 to 19.
const ADDRESS: u32 = 0xfee0_0000;

const CONTROL_WIDE: u32 = 1 << 7;
const CONTROL_MASKS: u32 = 1 << 8;
const TABLE_SIZE: u32 = 0x7ff;
/// Bytes of an entry of MSI-X' table.
const ENTRY: u64 = 16;

/// Where a device keeps one message.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In its configuration space, at this capability.
    Capability { at: u8, wide: bool, masks: bool },
    /// In its MSI-X table: window and offset in it.
    Table {
        entry: u16,
        window: Registers,
        offset: u64,
    },
}

impl core::fmt::Display for Message {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Function { bus, devfn } = self.function;
        let at = (devfn >> 3, devfn & 7);
        match self.place {
            Place::Capability { .. } => write!(f, "MSI of {bus:02x}:{:02x}.{}", at.0, at.1),
            Place::Table { entry, .. } => {
                write!(f, "MSI-X {entry} of {bus:02x}:{:02x}.{}", at.0, at.1)
            }
        }
    }
}

/// One message of a device.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    function: Function,
    place: Place,
}

impl Message {
    /// The only message of a function's MSI capability. Errors: `ENODEV` when it has none.
    pub fn msi(hv: &Hypervisor, cpu: &mut Cpu, function: Function) -> Result<Message, Errno> {
        let at = find(hv, cpu, function, pci::MSI)?;
        let control = function.read(hv, cpu, at.wrapping_add(2), 2);
        let place = Place::Capability {
            at,
            wide: control & CONTROL_WIDE != 0,
            masks: control & CONTROL_MASKS != 0,
        };
        Ok(Message { function, place })
    }

    /// Message `entry` of a function's MSI-X table. Errors: `ENODEV` when it has none; `EINVAL`
    /// past the table's end; `ENXIO` when its memory has no address or is switched off;
    /// `ENOMEM`.
    pub fn msix(
        hv: &Hypervisor,
        cpu: &mut Cpu,
        function: Function,
        entry: u16,
    ) -> Result<Message, Errno> {
        let at = find(hv, cpu, function, pci::MSIX)?;
        let last = function.read(hv, cpu, at.wrapping_add(2), 2) & TABLE_SIZE;
        if u32::from(entry) > last {
            return Err(Errno::EINVAL);
        }
        if !function.decodes_memory(hv, cpu) {
            return Err(Errno::ENXIO);
        }
        let table = function.read(hv, cpu, at.wrapping_add(4), 4);
        let base = function
            .region(hv, cpu, (table & 7) as u8)
            .ok_or(Errno::ENXIO)?;
        let pa = base
            .checked_add(u64::from(table & !7))
            .and_then(|pa| pa.checked_add(u64::from(entry).saturating_mul(ENTRY)))
            .ok_or(Errno::ENXIO)?;
        let window = hv.irqs.windows.lock().page(hv, pa)?;
        let place = Place::Table {
            entry,
            window,
            offset: pa & 4095,
        };
        Ok(Message { function, place })
    }

    /// Whether `other` is the same message.
    pub fn is(&self, other: &Message) -> bool {
        self.function == other.function
            && match (&self.place, &other.place) {
                (Place::Capability { .. }, Place::Capability { .. }) => true,
                (Place::Table { entry: a, .. }, Place::Table { entry: b, .. }) => a == b,
                _ => false,
            }
    }

    /// The function whose message it is.
    pub fn function(&self) -> Function {
        self.function
    }

    /// Writes the message, which interrupts at `slot`, and its mask.
    pub fn program(&self, hv: &Hypervisor, cpu: &mut Cpu, slot: Slot, masked: bool) {
        let address = ADDRESS | u32::from(slot.apic_id) << 12;
        let data = u32::from(slot.vector);
        match self.place {
            Place::Capability { at, wide, .. } => {
                // The device must not send half of each message.
                self.set_mask(hv, cpu, true);
                self.function.write(hv, cpu, at.wrapping_add(4), 4, address);
                let data_at = if wide { 12 } else { 8 };
                if wide {
                    self.function.write(hv, cpu, at.wrapping_add(8), 4, 0);
                }
                self.function
                    .write(hv, cpu, at.wrapping_add(data_at), 2, data);
                self.set_mask(hv, cpu, masked);
            }
            Place::Table { window, offset, .. } => {
                window.write(offset + 12, 1);
                window.write(offset, address);
                window.write(offset + 4, 0);
                window.write(offset + 8, data);
                window.write(offset + 12, u32::from(masked));
            }
        }
    }

    /// Masks or unmasks the message; a device without mask bits goes on sending.
    pub fn set_mask(&self, hv: &Hypervisor, cpu: &mut Cpu, masked: bool) {
        match self.place {
            Place::Capability {
                at,
                wide,
                masks: true,
            } => {
                let reg = at.wrapping_add(if wide { 16 } else { 12 });
                let old = self.function.read(hv, cpu, reg, 4);
                let new = old & !1 | u32::from(masked);
                if new != old {
                    self.function.write(hv, cpu, reg, 4, new);
                }
            }
            Place::Capability { .. } => {}
            Place::Table { window, offset, .. } => {
                window.write(offset + 12, u32::from(masked));
            }
        }
    }
}

fn find(hv: &Hypervisor, cpu: &mut Cpu, function: Function, id: u8) -> Result<u8, Errno> {
    if !function.exists(hv, cpu) {
        return Err(Errno::ENODEV);
    }
    // A capability ends below 0x100: what it holds can be added to without running over.
    function
        .capability(hv, cpu, id)
        .filter(|&at| at <= 0xe8)
        .ok_or(Errno::ENODEV)
}
