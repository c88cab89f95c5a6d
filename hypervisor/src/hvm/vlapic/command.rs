//! Interrupts between processors: the interrupt command register.

use super::{ESR_SEND_ILLEGAL, Effect, Vlapic};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// An interrupt of this vector.
    Fixed(u8),
    /// One for whoever of the targets has the lowest priority.
    Lowest(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// INIT.
    Init,
    /// SIPI: start at this page.
    Startup(u8),
}

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Itself.
    Me,
    /// All.
    All,
    /// All but itself.
    Others,
    /// One by its id; all ones is all.
    Physical(u32),
    /// A set by its logical address.
    Logical(u32),
}

/// An interrupt for other vCPUs, or for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// What.
    pub delivery: Delivery,
    /// For whom.
    pub target: Target,
}

impl Vlapic {
    /// What the command register says is sent.
    pub(super) fn send(&mut self) -> Effect {
        let low = self.icr as u32;
        let vector = low as u8;
        let high = (self.icr >> 32) as u32;
        let destination = if self.is_x2apic() { high } else { high >> 24 };
        let broadcast = if self.is_x2apic() { u32::MAX } else { 0xff };
        let delivery = match low >> 8 & 7 {
            0 | 1 if vector < 16 => {
                self.error(ESR_SEND_ILLEGAL);
                return Effect::default();
            }
            0 => Delivery::Fixed(vector),
            1 => Delivery::Lowest(vector),
            4 => Delivery::Nmi,
            // The deassertion of INIT means nothing on processors of today.
            5 if low >> 14 & 3 == 2 => return Effect::default(),
            5 => Delivery::Init,
            6 => Delivery::Startup(vector),
            _ => return Effect::default(),
        };
        let target = match (low >> 18 & 3, low >> 11 & 1) {
            (1, _) => Target::Me,
            (2, _) => Target::All,
            (3, _) => Target::Others,
            (_, 0) if destination == broadcast => Target::All,
            (_, 0) => Target::Physical(destination),
            _ => Target::Logical(destination),
        };
        Effect {
            command: Some(Command { delivery, target }),
            ..Effect::default()
        }
    }

    /// The SELF IPI register.
    pub(super) fn send_self(&mut self, vector: u8) -> Effect {
        if vector < 16 {
            self.error(ESR_SEND_ILLEGAL);
            return Effect::default();
        }
        Effect {
            command: Some(Command {
                delivery: Delivery::Fixed(vector),
                target: Target::Me,
            }),
            ..Effect::default()
        }
    }

    /// How it is addressed.
    pub fn address(&self) -> Address {
        Address {
            id: self.id,
            ldr: self.ldr,
            dfr: self.dfr,
            x2apic: self.is_x2apic(),
        }
    }
}

/// How a local APIC is addressed, as others may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its id.
    pub id: u32,
    /// Logical destination.
    pub ldr: u32,
    /// Destination format.
    pub dfr: u32,
    /// Its registers are MSRs.
    pub x2apic: bool,
}

impl Address {
    /// Whether this is one of those that a command of the APIC with id `from` is for.
    pub fn is_target(&self, target: Target, from: u32) -> bool {
        match target {
            Target::Me => self.id == from,
            Target::All => true,
            Target::Others => self.id != from,
            Target::Physical(id) => self.id == id,
            Target::Logical(address) => self.matches(address),
        }
    }

    fn matches(&self, address: u32) -> bool {
        if self.x2apic {
            return self.ldr >> 16 == address >> 16 && self.ldr & address & 0xffff != 0;
        }
        let own = self.ldr >> 24;
        match self.dfr >> 28 {
            // Flat: a bit each.
            0xf => own & address != 0,
            // Clusters of four.
            0 => own >> 4 == address >> 4 & 0xf && own & address & 0xf != 0,
            _ => false,
        }
    }
}
