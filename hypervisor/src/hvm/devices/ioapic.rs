//! A virtual I/O APIC that stands for a real one: a state machine that knows no hypervisor
//! (Intel's 82093AA data sheet).
//!
//! Version 0x11, which has no register for the end of an interrupt: that comes from local APICs,
//! or by an entry that is made edge-triggered for a moment. A pin's interrupt comes by
//! [`IoApic::assert`]; what goes to local APICs, and which pins' interrupts have ended, is
//! returned for the caller to pass on. No lock: its owner has one.

use crate::hvm::vlapic::{Command, Delivery, Target};
use alloc::vec::Vec;
use xen_abi::Errno;

/// Register that the window shows.
const SELECT: u64 = 0;
const WINDOW: u64 = 0x10;
const VERSION: u32 = 0x11;
/// First register of the pins' entries: two each.
const ENTRIES: u8 = 0x10;

const LOGICAL: u64 = 1 << 11;
const ACTIVE_LOW: u64 = 1 << 13;
const IN_SERVICE: u64 = 1 << 14;
const LEVEL: u64 = 1 << 15;
const MASKED: u64 = 1 << 16;
/// What can be written of an entry: vector, mode, polarity, trigger, mask, destination.
const WRITABLE: u64 = 0xff00_0000_0001_afff;

/// An interrupt for local APICs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// What, and for whom.
    pub command: Command,
    /// Its end is told.
    pub level: bool,
}

impl Interrupt {
    /// Of a delivery mode as entries and messages have it. `None` for what is not passed on:
    /// system management, INIT, the old controllers' interrupts, and vectors that are none.
    pub fn new(mode: u8, vector: u8, logical: bool, to: u8, level: bool) -> Option<Interrupt> {
        let delivery = match mode {
            0 | 1 if vector < 16 => return None,
            0 => Delivery::Fixed(vector),
            1 => Delivery::Lowest(vector),
            4 => Delivery::Nmi,
            _ => return None,
        };
        let target = match (logical, to) {
            (true, to) => Target::Logical(to.into()),
            (false, u8::MAX) => Target::All,
            (false, to) => Target::Physical(to.into()),
        };
        Some(Interrupt {
            command: Command { delivery, target },
            level,
        })
    }
}

/// What a write leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The global system interrupt of the pin that was written.
    pub gsi: u32,
    /// How the pin is to be driven, if it may interrupt.
    pub open: Option<Open>,
    /// The pin's interrupt has ended.
    pub ended: bool,
    /// An interrupt that had waited.
    pub interrupt: Option<Interrupt>,
}

/// A pin that may interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Level-triggered.
    pub level: bool,
    /// Active low.
    pub active_low: bool,
    /// The interrupt that comes of it.
    pub interrupt: Option<Interrupt>,
}

#[derive(Clone, Copy, Debug)]
struct Pin {
    entry: u64,
    /// A level-triggered interrupt came while the pin was masked.
    waits: bool,
}

/// An I/O APIC.
#[derive(Debug)]
pub struct IoApic {
    addr: u64,
    id: u8,
    gsi_base: u32,
    select: u8,
    pins: Vec<Pin>,
}

impl IoApic {
    /// After reset, with registers at `addr`, for interrupts from `gsi_base` on. Errors:
    /// `ENOMEM`.
    pub fn new(addr: u64, id: u8, gsi_base: u32, pins: u32) -> Result<IoApic, Errno> {
        let count = pins.min(120) as usize;
        let mut pins = Vec::new();
        pins.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        let masked = Pin {
            entry: MASKED,
            waits: false,
        };
        pins.resize(count, masked);
        Ok(IoApic {
            addr,
            id,
            gsi_base,
            select: 0,
            pins,
        })
    }

    /// Whether its registers are in the page of `gpa`.
    pub fn is_at(&self, gpa: u64) -> bool {
        gpa & !0xfff == self.addr & !0xfff
    }

    fn pin(&mut self, gsi: u32) -> Option<&mut Pin> {
        let index = gsi.checked_sub(self.gsi_base)?;
        self.pins.get_mut(index as usize)
    }

    /// Reads the register at `gpa`, in its page.
    pub fn read(&self, gpa: u64) -> u32 {
        match gpa.wrapping_sub(self.addr) & 0xfff {
            SELECT => self.select.into(),
            WINDOW => self.register(self.select),
            _ => 0,
        }
    }

    fn register(&self, index: u8) -> u32 {
        let last = (self.pins.len() as u32).saturating_sub(1);
        match index {
            0 | 2 => u32::from(self.id) << 24,
            1 => last << 16 | VERSION,
            _ => {
                let Some(index) = index.checked_sub(ENTRIES) else {
                    return 0;
                };
                let pin = self.pins.get(usize::from(index / 2));
                let entry = pin.map_or(0, |pin| pin.entry);
                (entry >> (32 * (index % 2))) as u32
            }
        }
    }

    /// Writes the register at `gpa`, in its page.
    pub fn write(&mut self, gpa: u64, value: u32) -> Option<Effect> {
        match gpa.wrapping_sub(self.addr) & 0xfff {
            SELECT => {
                self.select = value as u8;
                None
            }
            WINDOW => self.write_entry(self.select.checked_sub(ENTRIES)?, value),
            _ => None,
        }
    }

    fn write_entry(&mut self, index: u8, value: u32) -> Option<Effect> {
        let number = index / 2;
        let gsi = self.gsi_base.checked_add(number.into())?;
        let pin = self.pins.get_mut(usize::from(number))?;
        let shift = 32 * (index % 2);
        let whole = pin.entry & !(0xffff_ffff << shift) | u64::from(value) << shift;
        pin.entry = whole & WRITABLE | pin.entry & IN_SERVICE;
        let mut effect = Effect {
            gsi,
            ..Effect::default()
        };
        if pin.entry & LEVEL == 0 {
            effect.ended = pin.entry & IN_SERVICE != 0 || pin.waits;
            pin.entry &= !IN_SERVICE;
            pin.waits = false;
        }
        if pin.entry & MASKED == 0 {
            effect.open = Some(Open {
                level: pin.entry & LEVEL != 0,
                active_low: pin.entry & ACTIVE_LOW != 0,
                interrupt: pin.interrupt(),
            });
            effect.interrupt = pin.retry();
        }
        Some(effect)
    }

    /// The real pin's interrupt came.
    pub fn assert(&mut self, gsi: u32) -> Assertion {
        let Some(pin) = self.pin(gsi) else {
            return Assertion::NotMine;
        };
        if pin.entry & LEVEL != 0 {
            pin.waits = true;
            return Assertion::Taken(pin.retry());
        }
        // An edge at a masked pin is lost.
        let open = pin.entry & MASKED == 0;
        Assertion::Edge(if open { pin.interrupt() } else { None })
    }

    /// A local APIC ended level-triggered `vector`: the first pin from the `from`th on whose
    /// interrupt that was, and the pin to go on at.
    pub fn end(&mut self, vector: u8, from: usize) -> Option<(Effect, usize)> {
        let served = |pin: &Pin| pin.entry & (LEVEL | IN_SERVICE) == LEVEL | IN_SERVICE;
        let mut rest = self.pins.iter_mut().enumerate().skip(from);
        let (index, pin) = rest.find(|(_, pin)| pin.entry as u8 == vector && served(pin))?;
        pin.entry &= !IN_SERVICE;
        let effect = Effect {
            gsi: self.gsi_base.checked_add(index as u32)?,
            open: None,
            ended: true,
            interrupt: pin.retry(),
        };
        Some((effect, index.saturating_add(1)))
    }
}

/// What comes of a pin's interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// Another I/O APIC has the pin.
    NotMine,
    /// A level-triggered one, whose end will be told; it may wait.
    Taken(Option<Interrupt>),
    /// An edge, whose end is now.
    Edge(Option<Interrupt>),
}

impl Pin {
    /// Sends what waits, if that can be.
    fn retry(&mut self) -> Option<Interrupt> {
        if !self.waits || self.entry & (MASKED | IN_SERVICE) != 0 {
            return None;
        }
        let interrupt = self.interrupt()?;
        self.waits = false;
        // Of an NMI no local APIC tells the end.
        if !matches!(interrupt.command.delivery, Delivery::Nmi) {
            self.entry |= IN_SERVICE;
        }
        Some(interrupt)
    }

    fn interrupt(&self) -> Option<Interrupt> {
        Interrupt::new(
            (self.entry >> 8 & 7) as u8,
            self.entry as u8,
            self.entry & LOGICAL != 0,
            (self.entry >> 56) as u8,
            self.entry & LEVEL != 0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0xfec0_0000;

    fn io_apic() -> IoApic {
        IoApic::new(BASE, 3, 24, 24).unwrap()
    }

    fn set(io_apic: &mut IoApic, register: u8, value: u32) -> Option<Effect> {
        assert_eq!(io_apic.write(BASE, register.into()), None);
        io_apic.write(BASE + 0x10, value)
    }

    fn get(io_apic: &mut IoApic, register: u8) -> u32 {
        let _ = io_apic.write(BASE, register.into());
        io_apic.read(BASE + 0x10)
    }

    fn fixed(vector: u8, to: u32, level: bool) -> Option<Interrupt> {
        Some(Interrupt {
            command: Command {
                delivery: Delivery::Fixed(vector),
                target: Target::Physical(to),
            },
            level,
        })
    }

    fn opened(effect: &Effect) -> Option<(bool, bool)> {
        effect.open.map(|open| (open.level, open.active_low))
    }

    #[test]
    fn registers() {
        let mut a = io_apic();
        assert!(a.is_at(BASE + 0x800) && !a.is_at(BASE + 0x1000));
        assert_eq!(get(&mut a, 0), 3 << 24);
        assert_eq!(get(&mut a, 1), 23 << 16 | 0x11);
        assert_eq!(get(&mut a, 0x10), 1 << 16);
        let _ = set(&mut a, 0x11, u32::MAX);
        let _ = set(&mut a, 0x10, u32::MAX);
        assert_eq!(
            (get(&mut a, 0x10), get(&mut a, 0x11)),
            (0x1_afff, 0xff00_0000)
        );
        assert_eq!(get(&mut a, 0x40), 0);
        assert_eq!(set(&mut a, 0x40, 0), None);
        assert_eq!(set(&mut a, 0, u32::MAX), None);
    }

    #[test]
    fn an_edge_goes_through_or_is_lost() {
        let mut a = io_apic();
        assert_eq!(a.assert(25), Assertion::Edge(None));
        let _ = set(&mut a, 0x13, 2 << 24);
        let effect = set(&mut a, 0x12, 0x51).unwrap();
        assert_eq!((effect.gsi, opened(&effect)), (25, Some((false, false))));
        assert_eq!((effect.ended, effect.interrupt), (false, None));
        assert_eq!(a.assert(25), Assertion::Edge(fixed(0x51, 2, false)));
        assert_eq!(a.assert(25), Assertion::Edge(fixed(0x51, 2, false)));
        assert_eq!(a.end(0x51, 0), None);
        assert_eq!(a.assert(23), Assertion::NotMine);
        assert_eq!(a.assert(48), Assertion::NotMine);
    }

    #[test]
    fn a_level_waits_for_its_end_and_for_the_mask() {
        let mut a = io_apic();
        let _ = set(&mut a, 0x11, 4 << 24);
        let effect = set(&mut a, 0x10, 0xa052).unwrap();
        assert_eq!(opened(&effect), Some((true, true)));
        assert_eq!(a.assert(24), Assertion::Taken(fixed(0x52, 4, true)));
        assert_eq!(get(&mut a, 0x10), 0xe052);
        assert_eq!(a.assert(24), Assertion::Taken(None));
        let (end, next) = a.end(0x52, 0).unwrap();
        assert_eq!(
            (end.gsi, end.ended, end.interrupt),
            (24, true, fixed(0x52, 4, true))
        );
        assert_eq!((next, a.end(0x52, next)), (1, None));
        let (end, _) = a.end(0x52, 0).unwrap();
        assert_eq!((end.ended, end.interrupt), (true, None));
        assert_eq!(a.end(0x52, 0), None);

        assert_eq!(set(&mut a, 0x10, 0x1_a052).unwrap().open, None);
        assert_eq!(a.assert(24), Assertion::Taken(None));
        let effect = set(&mut a, 0x10, 0xa052).unwrap();
        assert_eq!(effect.interrupt, fixed(0x52, 4, true));
        // The end as systems write it that know no register for it.
        let effect = set(&mut a, 0x10, 0x1_2052).unwrap();
        assert!(effect.ended && effect.open.is_none());
        assert_eq!(get(&mut a, 0x10), 0x1_2052);
    }

    #[test]
    fn whom_it_is_for() {
        let to = |mode, vector, logical, to| {
            Interrupt::new(mode, vector, logical, to, false).map(|i| i.command)
        };
        let command = |delivery, target| Some(Command { delivery, target });
        assert_eq!(to(0, 15, false, 0), None);
        assert_eq!(
            to(0, 0x60, false, 0xff),
            command(Delivery::Fixed(0x60), Target::All)
        );
        assert_eq!(
            to(1, 0x60, true, 3),
            command(Delivery::Lowest(0x60), Target::Logical(3))
        );
        assert_eq!(
            to(4, 0, false, 2),
            command(Delivery::Nmi, Target::Physical(2))
        );
        assert_eq!(
            (
                to(2, 0x60, false, 0),
                to(5, 0, false, 0),
                to(7, 0, false, 0)
            ),
            (None, None, None)
        );
    }
}
