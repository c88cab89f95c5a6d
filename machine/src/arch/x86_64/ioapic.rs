//! I/O APICs: redirection entries by global system interrupt.
//!
//! Owns the register windows. Lock: one for all, held for one register access pair and never
//! while anything is waited for. Invariant: every entry is masked at boot; entries are whole
//! (the half with the mask bit is written last when unmasking, first when masking).

use arrayvec::ArrayVec;

use super::mmio::Mmio;
use crate::platform::Platform;

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

struct Controller {
    registers: Mmio,
    id: u8,
    gsi_base: u32,
    entries: u32,
}

const SELECT: u64 = 0;
const WINDOW: u64 = 0x10;
const MASK: u32 = 1 << 16;

static ALL: spin::Mutex<ArrayVec<Controller, 16>> = spin::Mutex::new(ArrayVec::new_const());

impl Controller {
    fn read(&self, register: u32) -> u32 {
        self.registers.write32(SELECT, register);
        self.registers.read32(WINDOW)
    }

    fn write(&self, register: u32, value: u32) {
        self.registers.write32(SELECT, register);
        self.registers.write32(WINDOW, value);
    }
}

/// Maps all I/O APICs and masks their entries.
pub fn init(platform: &Platform) {
    let mut all = ALL.lock();
    for entry in &platform.io_apics {
        let Some(registers) = Mmio::map(entry.addr, 0x20) else {
            continue;
        };
        let mut one = Controller {
            registers,
            id: entry.id,
            gsi_base: entry.gsi_base,
            entries: 0,
        };
        let version = one.read(1);
        if version == u32::MAX {
            continue;
        }
        one.entries = (version >> 16 & 0xff) + 1;
        for pin in 0..one.entries {
            one.write(0x10 + 2 * pin, MASK);
            one.write(0x11 + 2 * pin, 0);
        }
        let _ = all.try_push(one);
    }
}

/// Number of I/O APICs.
pub fn count() -> usize {
    ALL.lock().len()
}

/// Id, first global system interrupt and number of entries of one I/O APIC.
pub fn info(index: usize) -> Option<(u8, u32, u32)> {
    ALL.lock().get(index).map(|c| (c.id, c.gsi_base, c.entries))
}

/// One past the highest global system interrupt that an I/O APIC serves.
pub fn gsi_end() -> u32 {
    ALL.lock()
        .iter()
        .map(|c| c.gsi_base.saturating_add(c.entries))
        .max()
        .unwrap_or(0)
}

/// Reads a register by its index.
pub fn read(index: usize, register: u8) -> Option<u32> {
    ALL.lock().get(index).map(|c| c.read(u32::from(register)))
}

/// Calls `f` with the controller and the pin of an interrupt.
fn with<T>(gsi: u32, f: impl FnOnce(&Controller, u32) -> T) -> Option<T> {
    let all = ALL.lock();
    let serves = |c: &&Controller| {
        gsi.checked_sub(c.gsi_base)
            .is_some_and(|pin| pin < c.entries)
    };
    let controller = all.iter().find(serves)?;
    Some(f(controller, gsi - controller.gsi_base))
}

/// Writes an interrupt's entry; `false` when no I/O APIC serves it.
pub fn write_entry(gsi: u32, entry: RouteEntry) -> bool {
    let low = u32::from(entry.vector)
        | u32::from(entry.mode & 7) << 8
        | u32::from(entry.active_low) << 13
        | u32::from(entry.level) << 15
        | u32::from(entry.masked) << 16;
    let written = with(gsi, |c, pin| {
        let register = 0x10 + 2 * pin;
        c.write(register, c.read(register) | MASK);
        c.write(register + 1, u32::from(entry.destination) << 24);
        c.write(register, low);
    });
    written.is_some()
}

/// Reads an interrupt's entry.
pub fn read_entry(gsi: u32) -> Option<RouteEntry> {
    with(gsi, |c, pin| {
        let (low, high) = (c.read(0x10 + 2 * pin), c.read(0x11 + 2 * pin));
        RouteEntry {
            vector: low as u8,
            destination: (high >> 24) as u8,
            level: low & 1 << 15 != 0,
            active_low: low & 1 << 13 != 0,
            masked: low & MASK != 0,
            mode: (low >> 8 & 7) as u8,
        }
    })
}

/// Masks or unmasks an interrupt; `false` when no I/O APIC serves it.
pub fn mask(gsi: u32, masked: bool) -> bool {
    let done = with(gsi, |c, pin| {
        let register = 0x10 + 2 * pin;
        let low = c.read(register);
        c.write(register, if masked { low | MASK } else { low & !MASK });
    });
    done.is_some()
}
