//! A virtual local APIC: a state machine that knows no hypervisor (Intel SDM 3A, chapter 11).
//!
//! Registers are written as the guest's page or its MSRs have them; what a write leads to
//! outside (an interrupt for others, a timer to set) is returned for the caller to do. Time is
//! an argument, in nanoseconds. Interrupts come in by [`Vlapic::request`] and go to the guest
//! by [`Vlapic::pending`] and [`Vlapic::accept`]. No lock: its vCPU owns it.

mod command;
mod priority;
mod registers;
mod save;
#[cfg(test)]
mod tests;
mod timer;

pub use command::{Address, Command, Delivery, Target};

use alloc::boxed::Box;

/// Register offsets in the page.
#[allow(missing_docs)]
pub mod reg {
    pub const ID: u16 = 0x20;
    pub const VERSION: u16 = 0x30;
    pub const TPR: u16 = 0x80;
    pub const APR: u16 = 0x90;
    pub const PPR: u16 = 0xa0;
    pub const EOI: u16 = 0xb0;
    pub const LDR: u16 = 0xd0;
    pub const DFR: u16 = 0xe0;
    pub const SVR: u16 = 0xf0;
    pub const ISR: u16 = 0x100;
    pub const TMR: u16 = 0x180;
    pub const IRR: u16 = 0x200;
    pub const ESR: u16 = 0x280;
    pub const LVT_CMCI: u16 = 0x2f0;
    pub const ICR: u16 = 0x300;
    pub const ICR_HIGH: u16 = 0x310;
    pub const LVT_TIMER: u16 = 0x320;
    pub const LVT_THERMAL: u16 = 0x330;
    pub const LVT_PERFORMANCE: u16 = 0x340;
    pub const LVT_LINT0: u16 = 0x350;
    pub const LVT_LINT1: u16 = 0x360;
    pub const LVT_ERROR: u16 = 0x370;
    pub const TIMER_INITIAL: u16 = 0x380;
    pub const TIMER_CURRENT: u16 = 0x390;
    pub const TIMER_DIVIDE: u16 = 0x3e0;
    pub const SELF_IPI: u16 = 0x3f0;
}

/// Nanoseconds of a bus cycle: the timer counts at 100 MHz divided by its divider, as Xen's.
pub const BUS_NS: u64 = 10;

/// Error bits of ESR.
const ESR_SEND_ILLEGAL: u32 = 1 << 5;
const ESR_RECEIVE_ILLEGAL: u32 = 1 << 6;
const ESR_REGISTER: u32 = 1 << 7;

/// Bits of IA32_APIC_BASE.
#[allow(missing_docs)]
pub mod base {
    pub const BSP: u64 = 1 << 8;
    pub const X2APIC: u64 = 1 << 10;
    pub const ENABLED: u64 = 1 << 11;
    pub const ADDRESS: u64 = 0xfee0_0000;
}

/// What a write or the passing of time leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// An interrupt for vCPUs, this one perhaps among them.
    pub command: Option<Command>,
    /// The timer's deadline changed: see [`Vlapic::deadline`].
    pub timer: bool,
    /// The end of a level-triggered interrupt, for I/O APICs.
    pub end: Option<u8>,
}

/// A local APIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vlapic {
    /// IA32_APIC_BASE.
    base: u64,
    /// x2APIC id, which is twice the vCPU's number as in Xen.
    id: u32,
    tpr: u8,
    ldr: u32,
    dfr: u32,
    svr: u32,
    esr: u32,
    /// Errors since ESR was last written.
    errors: u32,
    icr: u64,
    /// Timer, thermal, performance, LINT0, LINT1, error, CMCI.
    lvt: [u32; 7],
    divide: u32,
    initial: u32,
    timer: timer::Timer,
    isr: Box<[u32; 8]>,
    irr: Box<[u32; 8]>,
    tmr: Box<[u32; 8]>,
}

impl Vlapic {
    /// After reset. `id` is its APIC id; `boot` says that it is the boot processor's.
    pub fn new(id: u32, boot: bool) -> Vlapic {
        let mut lapic = Vlapic {
            base: base::ADDRESS | base::ENABLED | if boot { base::BSP } else { 0 },
            id,
            tpr: 0,
            ldr: 0,
            dfr: u32::MAX,
            svr: 0xff,
            esr: 0,
            errors: 0,
            icr: 0,
            lvt: [registers::MASKED; 7],
            divide: 0,
            initial: 0,
            timer: timer::Timer::default(),
            isr: Box::new([0; 8]),
            irr: Box::new([0; 8]),
            tmr: Box::new([0; 8]),
        };
        lapic.reset();
        lapic
    }

    /// Everything but the mode and the id as after INIT.
    pub fn reset(&mut self) {
        (self.tpr, self.ldr, self.dfr, self.svr) = (0, 0, u32::MAX, 0xff);
        (self.esr, self.errors, self.icr) = (0, 0, 0);
        self.lvt = [registers::MASKED; 7];
        (self.divide, self.initial) = (0, 0);
        self.timer = timer::Timer::default();
        for bits in [&mut self.isr, &mut self.irr, &mut self.tmr] {
            **bits = [0; 8];
        }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it is not switched off as a whole.
    pub fn is_there(&self) -> bool {
        self.base & base::ENABLED != 0
    }

    /// Whether software enabled it.
    pub fn is_on(&self) -> bool {
        self.base & base::ENABLED != 0 && self.svr & registers::SVR_ENABLE != 0
    }

    /// Whether its registers are MSRs.
    pub fn is_x2apic(&self) -> bool {
        self.base & base::X2APIC != 0
    }

    /// Whether its page is there.
    pub fn has_page(&self) -> bool {
        self.base & (base::ENABLED | base::X2APIC) == base::ENABLED
    }

    /// IA32_APIC_BASE.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Writes IA32_APIC_BASE. `false` is a #GP: an impossible change of mode, a reserved bit,
    /// or another address, which is not supported.
    pub fn set_base(&mut self, value: u64) -> bool {
        let known = base::BSP | base::X2APIC | base::ENABLED;
        if value & !known != base::ADDRESS {
            return false;
        }
        let mode = |v: u64| (v & base::ENABLED != 0, v & base::X2APIC != 0);
        let possible = match (mode(self.base), mode(value)) {
            (_, (false, true)) => false,
            // From x2APIC mode only off.
            ((true, true), (true, false)) => false,
            // To it only from on.
            ((false, _), (true, true)) => false,
            _ => true,
        };
        if !possible {
            return false;
        }
        if value & base::ENABLED == 0 {
            self.reset();
        } else if value & base::X2APIC != 0 && !self.is_x2apic() {
            // The logical id is fixed in this mode.
            self.ldr = (self.id >> 4) << 16 | 1 << (self.id & 15);
            self.icr = 0;
        }
        self.base = value & !base::BSP | self.base & base::BSP;
        true
    }
}
