//! One source of interrupts: its trigger, its vector, and the domains it belongs to.
//!
//! A line is masked at its source while nobody is bound to it, and, when level-triggered,
//! while a domain has not yet ended the last interrupt.

use super::msi::Message;
use super::vectors::{Slot, Vectors};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use machine::Cpu;
use machine::ioapic::{self, RouteEntry};
use xen_abi::{DomId, Errno};

/// Most domains that share a line.
pub const MAX_SHARERS: usize = 32;

/// Where a line's interrupts come from.
#[derive(Debug, Default)]
pub enum Source {
    /// Nowhere: the line can be given to a message.
    #[default]
    Free,
    /// Set aside for a caller that is about to say.
    Taken,
    /// This global system interrupt of an I/O APIC.
    Gsi(u32),
    /// A PCI device's message.
    Msi(Message),
}

/// A domain that a line is bound to.
pub struct Sharer {
    domid: DomId,
    /// The domain; weak, so that a line keeps none alive.
    dom: Weak<Domain>,
    /// The domain's number for the line.
    pirq: u32,
    /// Level-triggered: sent, and not ended by the domain yet.
    pending: bool,
}

/// A line.
#[derive(Default)]
pub struct Line {
    /// Where it comes from.
    pub source: Source,
    /// Level-triggered rather than edge-triggered.
    pub level: bool,
    /// Active low rather than high.
    pub active_low: bool,
    /// How many domains have a number for it.
    pub users: u32,
    /// The domain wants it masked.
    pub quiet: bool,
    /// Where it is delivered.
    at: Option<Slot>,
    /// Where it was delivered, until the first interrupt comes by the new way.
    was_at: Option<Slot>,
    share: bool,
    sharers: Vec<Sharer>,
}

impl Line {
    /// An I/O APIC's pin.
    pub fn gsi(gsi: u32, level: bool, active_low: bool) -> Line {
        Line {
            source: Source::Gsi(gsi),
            level,
            active_low,
            ..Line::default()
        }
    }

    fn masked(&self) -> bool {
        self.quiet || self.sharers.is_empty() || self.sharers.iter().any(|sharer| sharer.pending)
    }

    /// Whether a domain is bound to it.
    pub fn is_bound(&self) -> bool {
        !self.sharers.is_empty()
    }

    /// Whether the domain `domid` is bound to it.
    pub fn is_bound_to(&self, domid: DomId) -> bool {
        self.sharers.iter().any(|sharer| sharer.domid == domid)
    }

    /// Writes route and mask to the source.
    pub fn program(&self, hv: &Hypervisor, cpu: &mut Cpu) {
        let Some(slot) = self.at else { return };
        match &self.source {
            Source::Free | Source::Taken => {}
            Source::Gsi(gsi) => {
                let entry = RouteEntry {
                    vector: slot.vector,
                    destination: slot.apic_id,
                    level: self.level,
                    active_low: self.active_low,
                    masked: self.masked(),
                    mode: 0,
                };
                ioapic::write_entry(*gsi, entry);
            }
            Source::Msi(message) => message.program(hv, cpu, slot, self.masked()),
        }
    }

    /// Writes the mask alone to the source.
    fn update_mask(&self, hv: &Hypervisor, cpu: &mut Cpu) {
        match &self.source {
            Source::Free | Source::Taken => {}
            Source::Gsi(gsi) => {
                ioapic::mask(*gsi, self.masked());
            }
            Source::Msi(message) => message.set_mask(hv, cpu, self.masked()),
        }
    }

    /// Gives it a vector on `cpu` (or another, when that has none) unless it has one. Errors:
    /// `ENOSPC`.
    pub fn place(&mut self, vectors: &Vectors, number: u32, cpu: u32) -> Result<(), Errno> {
        if self.at.is_none() {
            self.at = Some(vectors.take(cpu, number).ok_or(Errno::ENOSPC)?);
        }
        Ok(())
    }

    /// Moves it to another CPU, if that has a vector and the last move is done with.
    pub fn move_to(&mut self, hv: &Hypervisor, cpu: &mut Cpu, number: u32, to: u32) {
        if self.at.is_none_or(|at| at.cpu == to) || self.was_at.is_some() {
            return;
        }
        if let Some(slot) = hv.irqs.vectors.take_on(to, number) {
            self.was_at = self.at.replace(slot);
            self.program(hv, cpu);
        }
    }

    /// Binds it to a domain, which calls it `pirq`. Errors: `EBUSY` when it is bound and one
    /// of the two does not share; `ENOMEM`.
    pub fn bind(&mut self, dom: &Arc<Domain>, pirq: u32, share: bool) -> Result<(), Errno> {
        if self.is_bound() && !(self.share && share) || self.sharers.len() >= MAX_SHARERS {
            return Err(Errno::EBUSY);
        }
        if self.find(dom.id, pirq).is_some() {
            return Err(Errno::EBUSY);
        }
        self.sharers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.share = share;
        self.sharers.push(Sharer {
            domid: dom.id,
            dom: Arc::downgrade(dom),
            pirq,
            pending: false,
        });
        Ok(())
    }

    fn find(&mut self, domid: DomId, pirq: u32) -> Option<&mut Sharer> {
        self.sharers
            .iter_mut()
            .find(|sharer| sharer.domid == domid && sharer.pirq == pirq)
    }

    /// Undoes [`Line::bind`].
    pub fn unbind(&mut self, hv: &Hypervisor, cpu: &mut Cpu, domid: DomId, pirq: u32) {
        let before = self.sharers.len();
        self.sharers
            .retain(|sharer| sharer.domid != domid || sharer.pirq != pirq);
        if self.sharers.len() != before {
            self.update_mask(hv, cpu);
        }
    }

    /// Whether the domain shares it with others that are willing.
    pub fn is_shared(&self) -> bool {
        self.share
    }

    /// An interrupt came by `vector` on this CPU: masks the source if it has to stay quiet
    /// until domains have ended it.
    pub fn arrived(&mut self, hv: &Hypervisor, cpu: &mut Cpu, here: u32, vector: u8) {
        if let Some(old) = self.was_at
            && self
                .at
                .is_some_and(|at| at.cpu == here && at.vector == vector)
        {
            hv.irqs.vectors.give(old);
            self.was_at = None;
        }
        if self.level {
            for sharer in &mut self.sharers {
                sharer.pending = true;
            }
            self.update_mask(hv, cpu);
        }
    }

    /// The sharer at `index`: its domain and the domain's number; `None` past the last. A
    /// domain that is gone has ended the interrupt.
    pub fn sharer(&mut self, index: usize) -> Option<(Option<Arc<Domain>>, u32)> {
        let sharer = self.sharers.get_mut(index)?;
        let dom = sharer.dom.upgrade();
        if dom.is_none() {
            sharer.pending = false;
        }
        Some((dom, sharer.pirq))
    }

    /// A domain ended the interrupt: unmasks the source if it was the last.
    pub fn ended(&mut self, hv: &Hypervisor, cpu: &mut Cpu, domid: DomId, pirq: u32) {
        let was = self
            .find(domid, pirq)
            .is_some_and(|sharer| core::mem::take(&mut sharer.pending));
        if was && !self.masked() {
            self.update_mask(hv, cpu);
        }
    }

    /// Gives its vectors back and makes it free.
    pub fn release(&mut self, vectors: &Vectors) {
        for slot in self.at.take().into_iter().chain(self.was_at.take()) {
            vectors.give(slot);
        }
        *self = Line::default();
    }
}

impl core::fmt::Display for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.at {
            Some(slot) => write!(f, "vector {:#x} on CPU {}", slot.vector, slot.cpu)?,
            None => f.write_str("no vector")?,
        }
        for sharer in &self.sharers {
            write!(f, ", d{} pirq {}", sharer.domid, sharer.pirq)?;
            if sharer.pending {
                f.write_str(" (being served)")?;
            }
        }
        Ok(())
    }
}
