//! Clocks of known frequency, to measure the others by: HPET, ACPI PM timer, PIT.

use arrayvec::ArrayVec;

use super::io::{inb, inl, outb};
use super::mmio::Mmio;
use crate::platform::{Platform, Register};
use crate::settings::ReferenceClock;

/// A running counter of known frequency.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// Registers, femtoseconds a tick.
    Hpet(Mmio, u64),
    /// Port, mask of the bits it has.
    PmTimer(u16, u64),
    /// Channel 2 of the interval timer, counting down from 0xffff over and over.
    Pit,
}

const HPET_PERIOD: u64 = 4;
const HPET_CONFIG: u64 = 0x10;
const HPET_COUNTER: u64 = 0xf0;
const PM_TIMER_HZ: u64 = 3_579_545;
const PIT_HZ: u64 = 1_193_182;

/// The references of this machine, the best first.
pub fn all(platform: &Platform) -> ArrayVec<Reference, 3> {
    let mut found = ArrayVec::new();
    if let Some(reference) = platform.hpet.and_then(hpet) {
        found.push(reference);
    }
    if let Some(Register::Port(port)) = platform.power.pm_timer {
        let mask = if platform.power.pm_timer_32bit {
            0xffff_ffff
        } else {
            0xff_ffff
        };
        found.push(Reference::PmTimer(port, mask));
    }
    // Gate on, speaker off; mode 2 runs for ever, and its counter can be latched.
    outb(0x61, inb(0x61) & !2 | 1);
    outb(0x43, 0xb4);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    found.push(Reference::Pit);
    found
}

fn hpet(addr: u64) -> Option<Reference> {
    let registers = Mmio::map(addr, 1024)?;
    let period = u64::from(registers.read32(HPET_PERIOD));
    // 100 ns is the longest period the specification allows.
    if !(1..=100_000_000).contains(&period) {
        return None;
    }
    registers.write32(HPET_CONFIG, registers.read32(HPET_CONFIG) | 1);
    Some(Reference::Hpet(registers, period))
}

impl Reference {
    /// Which it is.
    pub fn kind(&self) -> ReferenceClock {
        match self {
            Reference::Hpet(..) => ReferenceClock::Hpet,
            Reference::PmTimer(..) => ReferenceClock::Acpi,
            Reference::Pit => ReferenceClock::Pit,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Reference::Hpet(..) => "HPET",
            Reference::PmTimer(..) => "ACPI PM timer",
            Reference::Pit => "PIT",
        }
    }

    /// The counter now.
    pub fn read(&self) -> u64 {
        match *self {
            Reference::Hpet(registers, _) => u64::from(registers.read32(HPET_COUNTER)),
            Reference::PmTimer(port, mask) => u64::from(inl(port)) & mask,
            Reference::Pit => {
                outb(0x43, 0x80);
                let low = inb(0x42);
                u64::from(low) | u64::from(inb(0x42)) << 8
            }
        }
    }

    /// Nanoseconds from counter value `from` to `to`, at most one turn of the counter later.
    pub fn nanos(&self, from: u64, to: u64) -> u64 {
        match *self {
            Reference::Hpet(_, period) => {
                (to.wrapping_sub(from) & 0xffff_ffff).wrapping_mul(period) / 1_000_000
            }
            Reference::PmTimer(_, mask) => {
                (to.wrapping_sub(from) & mask) * 1_000_000_000 / PM_TIMER_HZ
            }
            Reference::Pit => (from.wrapping_sub(to) & 0xffff) * 1_000_000_000 / PIT_HZ,
        }
    }
}
