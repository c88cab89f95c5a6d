//! One I/O APIC with 24 pins, of the thread's current machine; all entries masked at first.

use super::mem::{current, lock};
use crate::platform::Platform;

/// Its pins.
const PINS: u32 = 24;
/// Its id.
pub(super) const ID: u8 = 2;

/// A redirection entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// Vector on the CPU.
    pub vector: u8,
    /// APIC id of the CPU (below 255).
    pub destination: u8,
    /// Level rather than edge.
    pub level: bool,
    /// Active low rather than high.
    pub active_low: bool,
    /// Masked.
    pub masked: bool,
    /// Delivery mode: 0 fixed, 4 NMI, 7 ExtINT.
    pub mode: u8,
}

const MASKED: RouteEntry = RouteEntry {
    vector: 0,
    destination: 0,
    level: false,
    active_low: false,
    masked: true,
    mode: 0,
};

/// Nothing to do.
pub fn init(_platform: &Platform) {}

/// Number of I/O APICs.
pub fn count() -> usize {
    1
}

/// Id, first global system interrupt and number of entries of one I/O APIC.
pub fn info(index: usize) -> Option<(u8, u32, u32)> {
    (index == 0).then_some((ID, 0, PINS))
}

/// One past the highest global system interrupt that an I/O APIC serves.
pub fn gsi_end() -> u32 {
    PINS
}

/// Reads a register by its index.
pub fn read(index: usize, register: u8) -> Option<u32> {
    if index != 0 {
        return None;
    }
    Some(match register {
        0 | 2 => u32::from(ID) << 24,
        1 => (PINS - 1) << 16 | 0x20,
        _ => {
            let entry = read_entry(u32::from(register.checked_sub(0x10)?) / 2)?;
            match register % 2 {
                0 => {
                    u32::from(entry.vector)
                        | u32::from(entry.mode & 7) << 8
                        | u32::from(entry.active_low) << 13
                        | u32::from(entry.level) << 15
                        | u32::from(entry.masked) << 16
                }
                _ => u32::from(entry.destination) << 24,
            }
        }
    })
}

/// Writes an interrupt's entry; `false` when no I/O APIC serves it.
pub fn write_entry(gsi: u32, entry: RouteEntry) -> bool {
    if let Some(machine) = current().filter(|_| gsi < PINS) {
        lock(&machine.devices).routes.insert(gsi, entry);
    }
    gsi < PINS
}

/// Reads an interrupt's entry.
pub fn read_entry(gsi: u32) -> Option<RouteEntry> {
    let machine = current().filter(|_| gsi < PINS)?;
    Some(
        lock(&machine.devices)
            .routes
            .get(&gsi)
            .copied()
            .unwrap_or(MASKED),
    )
}

/// Masks or unmasks an interrupt; `false` when no I/O APIC serves it.
pub fn mask(gsi: u32, masked: bool) -> bool {
    read_entry(gsi).is_some_and(|entry| write_entry(gsi, RouteEntry { masked, ..entry }))
}
