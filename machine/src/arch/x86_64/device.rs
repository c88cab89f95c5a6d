//! What the policy needs to route devices' interrupts: APIC ids, and windows on registers.

use super::mmio::Mmio;
use super::{apic, start};
use crate::boot::MemoryKind;

/// The APIC id of a CPU, as redirection entries and messages name it. `None` for a CPU that
/// was not started.
pub fn apic_id(cpu: u32) -> Option<u32> {
    apic::id_of(cpu)
}

/// A window on a device's registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers(Mmio);

impl Registers {
    /// Maps `len` bytes at machine address `pa`, for good. `None` when there is memory rather
    /// than a device, below 1 MiB, or when the room for windows is used up.
    pub fn map(pa: u64, len: u64) -> Option<Registers> {
        let end = pa.checked_add(len)?.checked_next_multiple_of(4096)?;
        let start = pa & !4095;
        let memory = start::memory_map().ranges().iter();
        let mut kept = memory.filter(|range| range.kind != MemoryKind::Reserved);
        if start < 1 << 20 || kept.any(|range| range.base < end && start < range.end()) {
            return None;
        }
        Mmio::map(pa, len).map(Registers)
    }

    /// Reads the 32-bit register at byte `offset`; beyond the window all ones.
    pub fn read(&self, offset: u64) -> u32 {
        self.0.read32(offset)
    }

    /// Reads 1, 2 or 4 bytes at `offset`, which is aligned to them; else all ones.
    pub fn read_part(&self, offset: u64, bytes: u8) -> u32 {
        match bytes {
            1 => self.0.read8(offset).into(),
            2 => self.0.read16(offset).into(),
            _ => self.0.read32(offset),
        }
    }

    /// Writes 1, 2 or 4 bytes at `offset`, which is aligned to them; else nothing.
    pub fn write_part(&self, offset: u64, bytes: u8, value: u32) {
        match bytes {
            1 => self.0.write8(offset, value as u8),
            2 => self.0.write16(offset, value as u16),
            _ => self.0.write32(offset, value),
        }
    }

    /// Writes the 32-bit register at byte `offset`; beyond the window nothing happens.
    pub fn write(&self, offset: u64, value: u32) {
        self.0.write32(offset, value);
    }
}
