//! A function's MSI capability: the domain writes whom its interrupt is for, the host's own
//! address and data are in the device. PCI Local Bus Specification 3.0, 6.8.1.
//!
//! One message: more than one needs vectors in a row.

use super::State;
use super::ioapic::Interrupt;
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::irq::{self, Function, Message, pci};
use alloc::sync::Arc;
use machine::Cpu;

const ENABLE: u32 = 1 << 16;
const WIDE: u32 = 1 << 23;
const MASKS: u32 = 1 << 24;
/// How many messages it can send, and may.
const COUNTS: u32 = 0x7e << 16;

/// Where messages go that are interrupts.
const ADDRESS: u32 = 0xfee;

/// A message as the domain means it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// Low half of the address.
    pub address: u32,
    /// The data.
    pub data: u32,
}

impl Signal {
    /// The interrupt that it is; `None` for a write to memory.
    pub fn interrupt(&self) -> Option<Interrupt> {
        if self.address >> 20 != ADDRESS {
            return None;
        }
        let mode = (self.data >> 8 & 7) as u8;
        let logical = self.address >> 2 & 1 != 0;
        let to = (self.address >> 12) as u8;
        Interrupt::new(mode, self.data as u8, logical, to, false)
    }
}

/// The capability.
#[derive(Debug)]
pub struct Msi {
    at: u8,
    wide: bool,
    masks: bool,
    on: bool,
    signal: Signal,
    high: u32,
    mask: u32,
    line: Option<u32>,
}

/// Which of its doublewords.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Control,
    Address,
    High,
    Data,
    Mask,
}

impl Msi {
    /// A function's, if it has one.
    pub fn of(hv: &Hypervisor, cpu: &mut Cpu, function: Function) -> Option<Msi> {
        // It ends below 0x100.
        let at = function
            .capability(hv, cpu, pci::MSI)
            .filter(|&at| at <= 0xe8)?;
        let control = function.read(hv, cpu, at, 4);
        if control & ENABLE != 0 {
            // The firmware's: nobody waits for it.
            let off = (control & !ENABLE) >> 16;
            function.write(hv, cpu, at.saturating_add(2), 2, off);
        }
        Some(Msi {
            at,
            wide: control & WIDE != 0,
            masks: control & MASKS != 0,
            on: false,
            signal: Signal::default(),
            high: 0,
            mask: 0,
            line: None,
        })
    }

    fn word(&self, register: u16) -> Option<Word> {
        let offset = register.checked_sub(self.at.into())?;
        match (offset, self.wide) {
            (0, _) => Some(Word::Control),
            (4, _) => Some(Word::Address),
            (8, true) => Some(Word::High),
            (8, false) | (12, true) => Some(Word::Data),
            (12, false) | (16, true) if self.masks => Some(Word::Mask),
            _ => None,
        }
    }

    /// Whether the doubleword at `register` is virtual.
    pub fn has(&self, register: u16) -> bool {
        self.word(register).is_some()
    }

    /// What the domain sees at `register`.
    pub fn shown(&self, register: u16, raw: u32) -> u32 {
        let on = if self.on { ENABLE } else { 0 };
        match self.word(register) {
            Some(Word::Control) => raw & !(COUNTS | ENABLE) | on,
            Some(Word::Address) => self.signal.address,
            Some(Word::High) => self.high,
            Some(Word::Data) => raw & 0xffff_0000 | self.signal.data,
            Some(Word::Mask) => self.mask,
            None => raw,
        }
    }
}

impl State {
    /// The domain wrote a doubleword of the capability.
    pub(super) fn change_msi(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Arc<Domain>,
        index: usize,
        register: u16,
        value: u32,
    ) {
        let Some(device) = self.functions.get_mut(index) else {
            return;
        };
        let function = device.function;
        let Some(msi) = &mut device.msi else { return };
        match msi.word(register) {
            Some(Word::Control) => {
                let on = value & ENABLE != 0;
                if on != msi.on {
                    msi.on = on;
                    switch(hv, cpu, dom, function, msi);
                }
            }
            Some(Word::Address) => msi.signal.address = value & !3,
            Some(Word::High) => msi.high = value,
            Some(Word::Data) => msi.signal.data = value & 0xffff,
            Some(Word::Mask) => {
                msi.mask = value & 1;
                if let Some(line) = msi.line {
                    irq::refresh_message(hv, cpu, line, msi.mask != 0);
                }
            }
            None => {}
        }
        if let Some(line) = msi.line {
            let signal = if msi.high == 0 {
                msi.signal
            } else {
                Signal::default()
            };
            self.set_signal(hv, cpu, dom, (line, signal));
        }
    }
}

/// Switches the message on or off, at the device and before it.
fn switch(hv: &Hypervisor, cpu: &mut Cpu, dom: &Arc<Domain>, function: Function, msi: &mut Msi) {
    let control = msi.at.saturating_add(2);
    let set = |cpu: &mut Cpu, on: u32| {
        let old = function.read(hv, cpu, control, 2);
        // One message.
        function.write(hv, cpu, control, 2, old & !0x71 | on);
    };
    if !msi.on {
        set(cpu, 0);
        if let Some(line) = msi.line.take() {
            irq::close_message(hv, cpu, dom, line);
        }
        return;
    }
    let opened = Message::msi(hv, cpu, function)
        .and_then(|message| irq::open_message(hv, cpu, dom, message, msi.mask != 0));
    match opened {
        Ok(line) => {
            msi.line = Some(line);
            set(cpu, 1);
        }
        Err(errno) => {
            let Function { bus, devfn } = function;
            crate::log!(
                hv,
                Warning,
                "no line for MSI of {bus:02x}:{devfn:02x}: {errno}"
            );
        }
    }
}
