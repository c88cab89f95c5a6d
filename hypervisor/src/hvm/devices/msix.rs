//! A function's MSI-X capability and its table, likewise. PCI Local Bus Specification 3.0, 6.8.2.

use super::msi::Signal;
use super::{State, of};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::irq::{self, Function, Message, pci};
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::Cpu;
use xen_abi::Errno;

const ENABLE: u32 = 1 << 31;
const MASKED: u32 = 1;
/// Bytes of an entry.
const ENTRY: u64 = 16;

#[derive(Clone, Copy, Debug)]
struct Entry {
    signal: Signal,
    high: u32,
    masked: bool,
    line: Option<u32>,
}

impl Entry {
    fn signal(&self) -> Signal {
        if self.high == 0 {
            self.signal
        } else {
            Signal::default()
        }
    }
}

/// The capability and the table.
#[derive(Debug)]
pub struct Msix {
    at: u8,
    on: bool,
    /// Which memory region the table is in, and where.
    region: u8,
    offset: u32,
    /// The table's machine address, while the function's memory is switched on.
    table: Option<u64>,
    entries: Vec<Entry>,
}

impl Msix {
    /// A function's, if it has one. Errors: `ENOMEM`.
    pub fn of(hv: &Hypervisor, cpu: &mut Cpu, function: Function) -> Result<Option<Msix>, Errno> {
        let at = function.capability(hv, cpu, pci::MSIX);
        let Some(at) = at.filter(|&at| at <= 0xf0) else {
            return Ok(None);
        };
        let control = function.read(hv, cpu, at, 4);
        if control & ENABLE != 0 {
            let off = (control & !ENABLE) >> 16;
            function.write(hv, cpu, at.saturating_add(2), 2, off);
        }
        let count = (control >> 16 & 0x7ff) as usize + 1;
        let mut entries = Vec::new();
        entries
            .try_reserve_exact(count)
            .map_err(|_| Errno::ENOMEM)?;
        let entry = Entry {
            signal: Signal::default(),
            high: 0,
            masked: true,
            line: None,
        };
        entries.resize(count, entry);
        let table = function.read(hv, cpu, at.saturating_add(4), 4);
        Ok(Some(Msix {
            at,
            on: false,
            region: (table & 7) as u8,
            offset: table & !7,
            table: None,
            entries,
        }))
    }

    /// Looks where the table is now.
    pub fn locate(&mut self, hv: &Hypervisor, cpu: &mut Cpu, function: Function) {
        let base = match function.decodes_memory(hv, cpu) {
            true => function.region(hv, cpu, self.region),
            false => None,
        };
        self.table = base.and_then(|base| base.checked_add(self.offset.into()));
    }

    /// The table's first page and its last.
    pub fn pages(&self) -> Option<(u64, u64)> {
        let table = self.table?;
        let last = table.checked_add(ENTRY * self.entries.len() as u64 - 1)?;
        Some((table >> 12, last >> 12))
    }

    /// Whether the doubleword at `register` is virtual.
    pub fn has(&self, register: u16) -> bool {
        register == u16::from(self.at)
    }

    /// What the domain sees there.
    pub fn shown(&self, raw: u32) -> u32 {
        raw & !ENABLE | if self.on { ENABLE } else { 0 }
    }

    /// The entry that `pa` is in.
    fn index(&self, pa: u64) -> Option<usize> {
        let index = pa.checked_sub(self.table?)? / ENTRY;
        usize::try_from(index)
            .ok()
            .filter(|&index| index < self.entries.len())
    }
}

/// Gives an entry its line, if it is to have one now. `false` when there is none to give.
fn open(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Arc<Domain>,
    function: Function,
    index: usize,
    entry: &mut Entry,
) -> bool {
    if entry.masked || entry.line.is_some() {
        return true;
    }
    let opened = u16::try_from(index)
        .map_err(|_| Errno::EINVAL)
        .and_then(|index| Message::msix(hv, cpu, function, index))
        .and_then(|message| irq::open_message(hv, cpu, dom, message, false));
    match opened {
        Ok(line) => entry.line = Some(line),
        Err(errno) => {
            let Function { bus, devfn } = function;
            crate::log!(
                hv,
                Warning,
                "no line for MSI-X {index} of {bus:02x}:{devfn:02x}: {errno}"
            );
        }
    }
    entry.line.is_some()
}

impl State {
    /// The domain wrote the capability's control register, in the upper half of `value`.
    pub(super) fn change_msix(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Arc<Domain>,
        index: usize,
        value: u32,
    ) {
        let Some(device) = self.functions.get_mut(index) else {
            return;
        };
        let function = device.function;
        let Some(msix) = &mut device.msix else { return };
        let on = value & ENABLE != 0;
        let control = msix.at.saturating_add(2);
        if !on {
            function.write(hv, cpu, control, 2, value >> 16);
        }
        if on != msix.on {
            msix.on = on;
            for (index, entry) in msix.entries.iter_mut().enumerate() {
                if let Some(line) = entry.line.take() {
                    irq::close_message(hv, cpu, dom, line);
                }
                // Those that get none now are tried again when they are next written.
                if on && !open(hv, cpu, dom, function, index, entry) {
                    break;
                }
            }
        }
        if on {
            function.write(hv, cpu, control, 2, value >> 16);
        }
        for entry in 0..msix.entries.len() {
            let device = self.functions.get(index);
            let msix = device.and_then(|device| device.msix.as_ref());
            let Some(entry) = msix.and_then(|msix| msix.entries.get(entry)) else {
                return;
            };
            let signal = entry.signal();
            if let Some(line) = entry.line {
                self.set_signal(hv, cpu, dom, (line, signal));
            }
        }
    }

    /// The function whose table `pa` is in, and the entry.
    fn entry_at(&self, pa: u64) -> Option<(usize, usize)> {
        let mut devices = self.functions.iter().enumerate();
        devices.find_map(|(device, one)| Some((device, one.msix.as_ref()?.index(pa)?)))
    }
}

/// Reads a part of a page with a table: entries are virtual, what else is there is the device's.
pub fn read(cx: &mut Cx, gpa: u64, bytes: u8) -> u32 {
    let Some(devices) = of(cx.dom) else {
        return u32::MAX;
    };
    let state = devices.state.lock();
    let Some((device, index)) = state.entry_at(gpa) else {
        return pci::read_register(cx.hv, gpa, bytes).unwrap_or(u32::MAX);
    };
    let device = state.functions.get(device);
    let msix = device.and_then(|device| device.msix.as_ref());
    let Some(entry) = msix.and_then(|msix| msix.entries.get(index)) else {
        return u32::MAX;
    };
    let word = match gpa & 0xc {
        0 => entry.signal.address,
        4 => entry.high,
        8 => entry.signal.data,
        _ => u32::from(entry.masked),
    };
    word >> (8 * (gpa & 3))
}

/// Writes a part of such a page. Entries take whole doublewords.
pub fn write(cx: &mut Cx, gpa: u64, bytes: u8, value: u32) {
    let (hv, dom) = (cx.hv, cx.dom);
    let Some(devices) = of(dom) else { return };
    let mut state = devices.state.lock();
    let Some((device, index)) = state.entry_at(gpa) else {
        // Where no device can be, nothing is written.
        let _ = pci::write_register(hv, gpa, bytes, value);
        return;
    };
    if bytes != 4 || gpa & 3 != 0 {
        return;
    }
    let Some(device) = state.functions.get_mut(device) else {
        return;
    };
    let function = device.function;
    let Some(msix) = &mut device.msix else { return };
    let on = msix.on;
    let Some(entry) = msix.entries.get_mut(index) else {
        return;
    };
    match gpa & 0xc {
        0 => entry.signal.address = value & !3,
        4 => entry.high = value,
        8 => entry.signal.data = value,
        _ => {
            entry.masked = value & MASKED != 0;
            if let Some(line) = entry.line {
                irq::refresh_message(hv, cx.cpu, line, entry.masked);
            } else if on {
                let _ = open(hv, cx.cpu, dom, function, index, entry);
            }
        }
    }
    let (line, signal) = (entry.line, entry.signal());
    if let Some(line) = line {
        state.set_signal(hv, cx.cpu, dom, (line, signal));
    }
}
