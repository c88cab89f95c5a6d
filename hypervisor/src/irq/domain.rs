//! A domain's physical interrupt numbers, and the ports, memory and lines that it may use.
//!
//! One lock for all of it. Invariant: a number names at most one line, and no line has two of
//! a domain's numbers.

use super::ranges::RangeSet;
use crate::domain::Domain;
use crate::event::WritablePage;
use crate::hv::{Hypervisor, domain_lock};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use machine::Lock;
use machine::platform::Register;
use xen_abi::Errno;

/// What a number stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Number {
    /// Nothing.
    #[default]
    Free,
    /// Nothing yet: `PHYSDEVOP_get_free_pirq` gave it out.
    Reserved,
    /// A line.
    Line(u32),
}

/// A domain's physical interrupts and the ports and memory it may use.
pub struct DomainIrqs {
    inner: Lock<Inner>,
}

#[derive(Default)]
struct Inner {
    numbers: Vec<Number>,
    ports: RangeSet,
    memory: RangeSet,
    lines: RangeSet,
    /// The page of bits that says which numbers need an end, and whether an end also unmasks
    /// the event channel.
    eoi_map: Option<(WritablePage, bool)>,
    /// PCI configuration address, as the domain last wrote it.
    config_address: u32,
    /// Index into the CMOS memory, likewise.
    cmos_index: u8,
}

/// Ports that no domain may use: interrupt controllers and their edge/level registers, timer,
/// speaker gate, reset and A20 gate, coprocessor error, reset control, and PCI configuration
/// data (which is emulated).
const HOST_PORTS: [(u64, u64); 9] = [
    (0x20, 0x21),
    (0xa0, 0xa1),
    (0x4d0, 0x4d1),
    (0x40, 0x43),
    (0x61, 0x61),
    (0x92, 0x92),
    (0xf0, 0xf0),
    (0xcf9, 0xcf9),
    (0xcfc, 0xcff),
];

impl DomainIrqs {
    /// Everything but the host's for the control domain, nothing for others. Errors: `ENOMEM`.
    pub fn new(privileged: bool) -> Result<DomainIrqs, Errno> {
        let mut inner = Inner::default();
        if privileged {
            inner.ports.add(0, 0xffff)?;
            inner.memory.add(0, u64::MAX >> 12)?;
            inner.lines.add(0, u64::from(u32::MAX))?;
            for (first, last) in HOST_PORTS {
                inner.ports.remove(first, last)?;
            }
        }
        Ok(DomainIrqs {
            inner: domain_lock(inner),
        })
    }

    /// Whether the domain may use I/O ports `port` to `port + bytes - 1`.
    pub fn port_allowed(&self, port: u16, bytes: u8) -> bool {
        let first = u64::from(port);
        let last = first.saturating_add(u64::from(bytes).saturating_sub(1));
        self.inner.lock().ports.contains(first, last)
    }

    /// Calls `each` with the page that says which interrupts need an end, if there is one.
    pub fn each_frame(&self, mut each: impl FnMut(&machine::Page)) {
        if let Some((page, _)) = &self.inner.lock().eoi_map {
            each(page);
        }
    }

    /// Whether the domain may map `mfn`, which is not RAM.
    pub fn iomem_allowed(&self, mfn: u64) -> bool {
        self.inner.lock().memory.contains(mfn, mfn)
    }

    /// Whether the domain may use any port or memory of a device: what it takes to have a say in
    /// how memory is cached.
    pub fn has_devices(&self) -> bool {
        let inner = self.inner.lock();
        inner.ports.iter().next().is_some() || inner.memory.iter().next().is_some()
    }

    /// Whether the domain may use all ports from `first` to `last`.
    pub fn ports_allowed(&self, first: u16, last: u16) -> bool {
        let (first, last) = (first.into(), last.into());
        self.inner.lock().ports.contains(first, last)
    }

    /// Whether the domain may map all machine frames from `first` to `last`.
    pub fn iomem_range_allowed(&self, first: u64, last: u64) -> bool {
        self.inner.lock().memory.contains(first, last)
    }

    /// The first run of machine frames, within `first` to `last`, that the domain may not map.
    pub fn iomem_gap(&self, first: u64, last: u64) -> Option<(u64, u64)> {
        self.inner.lock().memory.gap(first, last)
    }

    /// Whether the domain may have line `number`.
    pub fn line_allowed(&self, number: u32) -> bool {
        let number = u64::from(number);
        self.inner.lock().lines.contains(number, number)
    }

    /// Lets the domain use ports `first` to `last`, or stops that. Errors: `EINVAL`, `ENOMEM`.
    pub fn permit_ports(&self, first: u16, last: u16, allow: bool) -> Result<(), Errno> {
        permit(&mut self.inner.lock().ports, (first, last), allow)
    }

    /// Lets the domain map machine frames `first` to `last`, or stops that. Errors: `EINVAL`,
    /// `ENOMEM`.
    pub fn permit_iomem(&self, first: u64, last: u64, allow: bool) -> Result<(), Errno> {
        permit(&mut self.inner.lock().memory, (first, last), allow)
    }

    /// Lets the domain have line `number`, or stops that. Errors: `ENOMEM`.
    pub fn permit_line(&self, number: u32, allow: bool) -> Result<(), Errno> {
        permit(&mut self.inner.lock().lines, (number, number), allow)
    }

    /// What the domain's number `pirq` stands for.
    pub fn number(&self, pirq: u32) -> Number {
        let inner = self.inner.lock();
        inner
            .numbers
            .get(pirq as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The line that the domain calls `pirq`.
    pub fn line_of(&self, pirq: u32) -> Option<u32> {
        match self.number(pirq) {
            Number::Line(line) => Some(line),
            Number::Free | Number::Reserved => None,
        }
    }

    /// The domain's number for `line`.
    pub fn number_of(&self, line: u32) -> Option<u32> {
        let inner = self.inner.lock();
        let at = inner.numbers.iter().position(|n| *n == Number::Line(line));
        at.and_then(|at| u32::try_from(at).ok())
    }

    /// Sets what `pirq`, which is below [`Irqs::count`](super::Irqs::count), stands for.
    /// Errors: `ENOMEM`.
    pub fn set_number(&self, pirq: u32, to: Number) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        let at = pirq as usize;
        if let Some(more) = at.checked_sub(inner.numbers.len()) {
            let more = more.saturating_add(1);
            inner.numbers.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            inner.numbers.resize(at.saturating_add(1), Number::Free);
        }
        if let Some(number) = inner.numbers.get_mut(at) {
            *number = to;
        }
        Ok(())
    }

    /// The first free number of `candidates`.
    pub fn free_number(&self, mut candidates: impl Iterator<Item = u32>) -> Option<u32> {
        let inner = self.inner.lock();
        candidates.find(|&pirq| {
            inner
                .numbers
                .get(pirq as usize)
                .is_none_or(|number| *number == Number::Free)
        })
    }

    /// For the end of interrupt `pirq`: its line, if it has one, and whether its event channel
    /// is to be unmasked. `None` when the domain has no such number.
    pub fn line_for_eoi(&self, pirq: u32) -> Option<(Option<u32>, bool)> {
        let inner = self.inner.lock();
        let unmask = inner.eoi_map.as_ref().is_some_and(|(_, unmask)| *unmask);
        match inner.numbers.get(pirq as usize)? {
            Number::Free => None,
            Number::Reserved => Some((None, unmask)),
            Number::Line(line) => Some((Some(*line), unmask)),
        }
    }

    /// Whether the domain looks into a page of bits to see what needs an end.
    pub fn has_eoi_map(&self) -> bool {
        self.inner.lock().eoi_map.is_some()
    }

    /// Makes `page` the page of bits; `unmask`: an end also unmasks the event channel. Errors:
    /// `EBUSY` when there is one.
    pub fn set_eoi_map(&self, page: WritablePage, unmask: bool) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        if inner.eoi_map.is_some() {
            return Err(Errno::EBUSY);
        }
        inner.eoi_map = Some((page, unmask));
        Ok(())
    }

    /// Lets the page of bits go.
    pub fn drop_eoi_map(&self) {
        let map = self.inner.lock().eoi_map.take();
        drop(map);
    }

    /// Notes in the page of bits whether `pirq` needs an end.
    pub fn set_needs_eoi(&self, pirq: u32, needs: bool) {
        let inner = self.inner.lock();
        let Some((page, _)) = &inner.eoi_map else {
            return;
        };
        let Some(byte) = page.byte(pirq as usize / 8) else {
            return;
        };
        let bit = 1u8 << (pirq % 8);
        if needs {
            byte.fetch_or(bit, Ordering::SeqCst);
        } else {
            byte.fetch_and(!bit, Ordering::SeqCst);
        }
    }

    /// The PCI configuration address as the domain wrote it.
    pub fn config_address(&self) -> u32 {
        self.inner.lock().config_address
    }

    /// Keeps the PCI configuration address that the domain wrote.
    pub fn set_config_address(&self, address: u32) {
        self.inner.lock().config_address = address;
    }

    /// The CMOS index as the domain wrote it.
    pub fn cmos_index(&self) -> u8 {
        self.inner.lock().cmos_index
    }

    /// Keeps the CMOS index that the domain wrote.
    pub fn set_cmos_index(&self, index: u8) {
        self.inner.lock().cmos_index = index;
    }
}

fn permit<T: Into<u64>>(set: &mut RangeSet, (first, last): (T, T), on: bool) -> Result<(), Errno> {
    if on {
        set.add(first.into(), last.into())
    } else {
        set.remove(first.into(), last.into())
    }
}

/// Keeps from the control domain what this machine's hypervisor drives itself: interrupt
/// controllers, the message area, the PM timer and the console's serial port. Errors: `ENOMEM`.
pub fn restrict_control_domain(hv: &Hypervisor, dom: &Domain) -> Result<(), Errno> {
    let irqs = &dom.irqs;
    let pm_timer = match hv.platform.power.pm_timer {
        Some(Register::Port(port)) => Some((port, 4u16)),
        _ => None,
    };
    let serial = machine::console::port().map(|port| (port, 8));
    for (port, len) in pm_timer.into_iter().chain(serial) {
        irqs.permit_ports(port, port.saturating_add(len - 1), false)?;
    }
    // The interval timer's, which drives the clock.
    irqs.permit_line(0, false)?;
    for io_apic in &hv.platform.io_apics {
        irqs.permit_iomem(io_apic.addr >> 12, io_apic.addr >> 12, false)?;
    }
    for iommu in &hv.platform.iommus {
        // 16 KiB of registers, and as many for counters.
        let first = iommu.addr >> 12;
        irqs.permit_iomem(first, first.saturating_add(127), false)?;
    }
    let local = hv.platform.local_apic >> 12;
    irqs.permit_iomem(local, local, false)?;
    // Writing there is sending an interrupt.
    irqs.permit_iomem(0xfee00, 0xfeeff, false)
}
