//! Host interrupts: where they come from, whose they are, and how they reach a domain.
//!
//! A *line* ([`line`]) is one source: a pin of an I/O APIC (numbered by its global system
//! interrupt) or a message of a PCI device. Lines stand in one table ([`table`]); each has a
//! vector on one CPU at a time ([`vectors`]). A domain names lines by its own numbers, pirqs
//! ([`domain`], [`map`]), and binds them to event channels ([`bind`]). An edge-triggered line
//! ends at the controller at once; a level-triggered one is masked until its domain says that
//! it has served the device ([`deliver`]). A hardware-virtualised control domain gets lines by
//! interrupt controllers of its own instead ([`direct`]).
//!
//! Locks: a domain's numbers (`DOMAIN`), then one line (`IRQ`), then the address port of PCI
//! configuration space (`PCI`). No lock is held while an event is sent.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

mod bind;
mod deliver;
mod devices;
mod direct;
mod domain;
mod dump;
mod line;
mod map;
mod msi;
pub mod pci;
mod physdev;
mod ranges;
mod table;
#[cfg(test)]
mod tests;
mod vectors;

pub use bind::{destroy, pirq_bound, pirq_moved, pirq_permitted, pirq_unbound};
pub use deliver::{eoi, handle};
pub use direct::{close_message, end_pin, open_message, open_pin, refresh_message};
pub use domain::{DomainIrqs, Number, restrict_control_domain};
pub use dump::dump;
pub use msi::Message;
pub use pci::Function;
pub use physdev::physdev_op;
pub use ranges::RangeSet;
pub use table::Irqs;
