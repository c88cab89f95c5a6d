//! Its two records in a migration stream: hidden state and registers.

use super::{Vlapic, base, reg};
use xen_abi::hvm::{HvmHwLapic, HvmHwLapicRegs};

/// Registers that are stored as they read, apart from the bit arrays.
const PLAIN: [u16; 18] = [
    reg::ID,
    reg::VERSION,
    reg::TPR,
    reg::PPR,
    reg::LDR,
    reg::DFR,
    reg::SVR,
    reg::ESR,
    reg::ICR,
    reg::LVT_TIMER,
    reg::LVT_THERMAL,
    reg::LVT_PERFORMANCE,
    reg::LVT_LINT0,
    reg::LVT_LINT1,
    reg::LVT_ERROR,
    reg::TIMER_INITIAL,
    reg::TIMER_CURRENT,
    reg::TIMER_DIVIDE,
];

fn put(data: &mut [u8; 1024], register: u16, value: u32) {
    let at = usize::from(register);
    if let Some(slot) = data.get_mut(at..at + 4) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
}

fn get(data: &[u8; 1024], register: u16) -> u32 {
    let at = usize::from(register);
    let bytes = data.get(at..at + 4).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl Vlapic {
    /// Its state at `now`.
    pub fn save(&self, now: u64) -> (HvmHwLapic, HvmHwLapicRegs) {
        let mut regs = HvmHwLapicRegs::default();
        let mut shown = self.clone();
        // Read as the page has them, whatever the mode.
        shown.base &= !base::X2APIC;
        for register in PLAIN {
            put(&mut regs.data, register, shown.read(register, now));
        }
        if self.is_x2apic() {
            put(&mut regs.data, reg::ID, self.id);
        }
        put(&mut regs.data, reg::ICR_HIGH, (self.icr >> 32) as u32);
        for (index, ((isr, tmr), irr)) in
            (0u16..).zip(self.isr.iter().zip(&*self.tmr).zip(&*self.irr))
        {
            put(&mut regs.data, reg::ISR + 16 * index, *isr);
            put(&mut regs.data, reg::TMR + 16 * index, *tmr);
            put(&mut regs.data, reg::IRR + 16 * index, *irr);
        }
        let hidden = HvmHwLapic {
            apic_base_msr: self.base,
            timer_divisor: 1 << (((self.divide & 3 | self.divide >> 1 & 4) + 1) & 7),
            pending_esr: self.errors,
            tdt_msr: self.tsc_deadline(),
            ..HvmHwLapic::default()
        };
        (hidden, regs)
    }

    /// Takes a saved state over; the timer goes on from `now`. `false`, and nothing changed,
    /// for one that no APIC can have.
    pub fn restore(&mut self, hidden: &HvmHwLapic, regs: &HvmHwLapicRegs, now: u64) -> bool {
        let data = &regs.data;
        let known = base::BSP | base::X2APIC | base::ENABLED;
        let mode = hidden.apic_base_msr & (base::X2APIC | base::ENABLED);
        if hidden.apic_base_msr & !known != base::ADDRESS || mode == base::X2APIC {
            return false;
        }
        let mut new = Vlapic::new(self.id, false);
        new.base = hidden.apic_base_msr;
        new.tpr = get(data, reg::TPR) as u8;
        new.ldr = get(data, reg::LDR);
        new.dfr = get(data, reg::DFR) | 0x0fff_ffff;
        new.svr = get(data, reg::SVR) & 0x1ff;
        new.esr = get(data, reg::ESR);
        new.errors = hidden.pending_esr & 0xff;
        new.icr = u64::from(get(data, reg::ICR_HIGH)) << 32 | u64::from(get(data, reg::ICR));
        for (register, index, mask) in super::registers::LVT {
            if let Some(lvt) = new.lvt.get_mut(index) {
                *lvt = get(data, register) & mask;
            }
        }
        new.divide = get(data, reg::TIMER_DIVIDE) & 0xb;
        new.initial = get(data, reg::TIMER_INITIAL);
        for index in 0..8u16 {
            let at = usize::from(index);
            for (bits, register) in [
                (&mut new.isr, reg::ISR),
                (&mut new.tmr, reg::TMR),
                (&mut new.irr, reg::IRR),
            ] {
                if let Some(word) = bits.get_mut(at) {
                    // Vectors below 16 do not exist.
                    let all = if index == 0 { 0xffff_0000 } else { u32::MAX };
                    *word = get(data, register + 16 * index) & all;
                }
            }
        }
        let left = get(data, reg::TIMER_CURRENT);
        new.resume(left, now);
        new.set_tsc_deadline(hidden.tdt_msr);
        *self = new;
        true
    }
}
