//! The table of all lines.
//!
//! Lines below [`Irqs::gsi_end`] are the I/O APICs' pins; the others are given to messages.

use super::devices::Devices;
use super::line::{Line, Source};
use super::pci::Windows;
use super::vectors::Vectors;
use crate::locks;
use alloc::boxed::Box;
use alloc::vec::Vec;
use machine::platform::Platform;
use machine::{Lock, ioapic};
use xen_abi::Errno;

/// Vectors from here on are the host's own: a pin that has one is not for domains.
const HOST_VECTORS: u8 = 0xf0;
/// Lines for messages.
const MSI_LINES: u32 = 1024;
/// Most lines in all: so many numbers can a domain have.
const MAX_LINES: u32 = 4096;
/// Interrupts of the ISA bus.
const ISA: u8 = 16;
/// MADT's word for "low" and for "level".
const MADT_LOW_OR_LEVEL: u16 = 3;

/// Routing of the host's interrupts.
pub struct Irqs {
    lines: Box<[Lock<Line>]>,
    gsi_end: u32,
    pub(super) vectors: Vectors,
    /// Held while the PCI configuration address port has a meaning.
    pub(crate) config: Lock<()>,
    /// What dom0 told of PCI devices.
    pub(super) devices: Lock<Devices>,
    /// Registers of MSI-X tables.
    pub(super) windows: Lock<Windows>,
}

impl Irqs {
    /// All pins as the firmware describes them, unbound. Errors: `ENOMEM`.
    pub fn new(platform: &Platform, cpus: u32) -> Result<Irqs, Errno> {
        let gsi_end = ioapic::gsi_end().min(MAX_LINES - MSI_LINES);
        let mut lines = Vec::new();
        let count = gsi_end.saturating_add(MSI_LINES);
        lines
            .try_reserve_exact(count as usize)
            .map_err(|_| Errno::ENOMEM)?;
        for gsi in 0..count {
            let line = if gsi < gsi_end {
                pin(platform, gsi)
            } else {
                Line::default()
            };
            lines.push(Lock::new(locks::IRQ, line));
        }
        Ok(Irqs {
            lines: lines.into_boxed_slice(),
            gsi_end,
            vectors: Vectors::new(cpus)?,
            config: Lock::new(locks::PCI, ()),
            devices: Lock::new(locks::IRQ, Devices::default()),
            windows: Lock::new(locks::IRQ, Windows::default()),
        })
    }

    /// One past the last global system interrupt.
    pub fn gsi_end(&self) -> u32 {
        self.gsi_end
    }

    /// Number of lines, and of each domain's numbers for them.
    pub fn count(&self) -> u32 {
        self.lines.len() as u32
    }

    /// A line.
    #[inline]
    pub(super) fn line(&self, number: u32) -> Option<&Lock<Line>> {
        self.lines.get(number as usize)
    }

    /// Sets a line aside for a message. Errors: `ENOSPC`.
    pub(super) fn take_message_line(&self) -> Result<u32, Errno> {
        for number in self.gsi_end..self.count() {
            let Some(lock) = self.line(number) else { break };
            let mut line = lock.lock();
            if matches!(line.source, Source::Free) {
                line.source = Source::Taken;
                return Ok(number);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// All lines of messages, with their numbers.
    pub(super) fn messages(&self) -> impl Iterator<Item = (u32, &Lock<Line>)> {
        let first = self.gsi_end;
        (first..).zip(self.lines.iter().skip(first as usize))
    }
}

/// A pin as MADT has it: ISA interrupts are edge-triggered and active high unless overridden,
/// all others level-triggered and active low until somebody who knows sets them up.
fn pin(platform: &Platform, gsi: u32) -> Line {
    let isa = (0..ISA).find(|&isa| platform.isa_gsi(isa).0 == gsi);
    let sci = gsi == u32::from(platform.power.sci);
    match isa {
        Some(isa) => {
            let flags = platform.isa_gsi(isa).1;
            let choose = |bits: u16| match bits & 3 {
                0 => sci,
                value => value == MADT_LOW_OR_LEVEL,
            };
            Line::gsi(gsi, choose(flags >> 2), choose(flags))
        }
        None => Line::gsi(gsi, true, true),
    }
}

/// Whether the hypervisor has a pin for itself, as the console has its serial line's.
pub fn is_hosts(gsi: u32) -> bool {
    ioapic::read_entry(gsi).is_some_and(|entry| entry.vector >= HOST_VECTORS && !entry.masked)
}
