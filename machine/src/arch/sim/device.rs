//! APIC ids (the CPU's own number) and registers of devices: words that keep what is written.

use super::mem::{current, lock};

/// The APIC id of a CPU. `None` for a CPU that is not there.
pub fn apic_id(cpu: u32) -> Option<u32> {
    current()
        .filter(|machine| (cpu as usize) < machine.cpus.len())
        .map(|_| cpu)
}

/// A window on a device's registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    pa: u64,
    len: u64,
}

impl Registers {
    /// As on metal; the simulated machine's RAM starts at 0.
    pub fn map(pa: u64, len: u64) -> Option<Registers> {
        let is_ram = current().is_some_and(|machine| machine.ram(pa >> 12).is_some());
        (!is_ram && pa >= 1 << 20).then_some(Registers { pa, len })
    }

    /// Reads the 32-bit register at byte `offset`; beyond the window all ones.
    pub fn read(&self, offset: u64) -> u32 {
        let machine = current().filter(|_| offset + 4 <= self.len);
        machine.map_or(u32::MAX, |machine| {
            let devices = lock(&machine.devices);
            devices
                .registers
                .get(&(self.pa + offset))
                .copied()
                .unwrap_or(0)
        })
    }

    /// Reads 1, 2 or 4 bytes at `offset`, which is aligned to them.
    pub fn read_part(&self, offset: u64, bytes: u8) -> u32 {
        let (shift, mask) = part(offset, bytes);
        self.read(offset & !3) >> shift & mask
    }

    /// Writes 1, 2 or 4 bytes at `offset`, which is aligned to them.
    pub fn write_part(&self, offset: u64, bytes: u8, value: u32) {
        let (shift, mask) = part(offset, bytes);
        let kept = self.read(offset & !3) & !(mask << shift);
        self.write(offset & !3, kept | (value & mask) << shift);
    }

    /// Writes the 32-bit register at byte `offset`; beyond the window nothing happens.
    pub fn write(&self, offset: u64, value: u32) {
        if let Some(machine) = current().filter(|_| offset + 4 <= self.len) {
            lock(&machine.devices)
                .registers
                .insert(self.pa + offset, value);
        }
    }
}

/// Where `bytes` bytes at `offset` are in their word.
fn part(offset: u64, bytes: u8) -> (u32, u32) {
    let mask = match bytes {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    };
    (8 * (offset & 3) as u32, mask)
}
