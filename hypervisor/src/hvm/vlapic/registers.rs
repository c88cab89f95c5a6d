//! Its registers: by the page and by MSRs.

use super::priority::word;
use super::{ESR_REGISTER, Effect, Vlapic, reg};

pub(super) const MASKED: u32 = 1 << 16;
pub(super) const SVR_ENABLE: u32 = 1 << 8;
/// Version 0x14, highest local vector entry 5.
const VERSION: u32 = 5 << 16 | 0x14;

/// Offset, index in `lvt`, writable bits. No CMCI: the version has six entries.
pub(super) const LVT: [(u16, usize, u32); 6] = [
    (reg::LVT_TIMER, 0, 0x7_00ff),
    (reg::LVT_THERMAL, 1, 0x1_07ff),
    (reg::LVT_PERFORMANCE, 2, 0x1_07ff),
    (reg::LVT_LINT0, 3, 0x1_a7ff),
    (reg::LVT_LINT1, 4, 0x1_a7ff),
    (reg::LVT_ERROR, 5, 0x1_00ff),
];

fn lvt_of(register: u16) -> Option<(usize, u32)> {
    LVT.iter()
        .find(|row| row.0 == register)
        .map(|row| (row.1, row.2))
}

impl Vlapic {
    pub(super) fn lvt(&self, index: usize) -> u32 {
        self.lvt.get(index).copied().unwrap_or(MASKED)
    }

    /// Reads a register that exists; `None` else.
    fn get(&self, register: u16, now: u64) -> Option<u32> {
        Some(match register {
            reg::ID if self.is_x2apic() => self.id,
            reg::ID => self.id << 24,
            reg::VERSION => VERSION,
            reg::TPR => self.tpr.into(),
            reg::APR if !self.is_x2apic() => 0,
            reg::PPR => self.ppr().into(),
            reg::LDR => self.ldr,
            reg::DFR if !self.is_x2apic() => self.dfr,
            reg::SVR => self.svr,
            reg::ISR..=0x170 => word(&self.isr, register - reg::ISR),
            reg::TMR..=0x1f0 => word(&self.tmr, register - reg::TMR),
            reg::IRR..=0x270 => word(&self.irr, register - reg::IRR),
            reg::ESR => self.esr,
            reg::ICR => self.icr as u32,
            reg::ICR_HIGH if !self.is_x2apic() => (self.icr >> 32) as u32,
            reg::TIMER_INITIAL => self.initial,
            reg::TIMER_CURRENT => self.current(now),
            reg::TIMER_DIVIDE => self.divide,
            _ => self.lvt(lvt_of(register)?.0),
        })
    }

    /// Reads the aligned 32-bit register at `offset` of its page. What is not there reads as
    /// zero.
    pub fn read(&mut self, offset: u16, now: u64) -> u32 {
        self.get(offset & 0xff0, now).unwrap_or_else(|| {
            self.errors |= ESR_REGISTER;
            0
        })
    }

    /// Writes the 32-bit register at `offset` of its page.
    pub fn write(&mut self, offset: u16, value: u32, now: u64) -> Effect {
        let register = offset & 0xff0;
        match register {
            reg::ID => {}
            reg::LDR => self.ldr = value & 0xff00_0000,
            reg::DFR => self.dfr = value | 0x0fff_ffff,
            reg::ESR => self.latch(),
            reg::ICR => {
                self.icr = self.icr & !0xffff_ffff | u64::from(value & 0xc_cfff);
                return self.send();
            }
            reg::ICR_HIGH => {
                self.icr = self.icr & 0xffff_ffff | u64::from(value & 0xff00_0000) << 32;
            }
            _ => {
                if let Some(effect) = self.put(register, value, now) {
                    return effect;
                }
                self.errors |= ESR_REGISTER;
            }
        }
        Effect::default()
    }

    fn latch(&mut self) {
        self.esr = core::mem::take(&mut self.errors);
    }

    /// Writes a register that is the same in both modes; `None` when there is none.
    fn put(&mut self, register: u16, value: u32, now: u64) -> Option<Effect> {
        let mut effect = Effect::default();
        match register {
            reg::TPR => self.tpr = value as u8,
            reg::EOI => effect.end = self.end(),
            reg::SVR => {
                self.svr = value & 0x1ff;
                if self.svr & SVR_ENABLE == 0 {
                    for lvt in &mut self.lvt {
                        *lvt |= MASKED;
                    }
                }
            }
            reg::TIMER_INITIAL => {
                self.initial = value;
                self.start(now);
                effect.timer = true;
            }
            reg::TIMER_DIVIDE => {
                let left = self.current(now);
                self.divide = value & 0xb;
                self.restart(left, now);
                effect.timer = true;
            }
            _ => {
                let (index, mask) = lvt_of(register)?;
                let off = if self.svr & SVR_ENABLE == 0 {
                    MASKED
                } else {
                    0
                };
                let mode = self.timer_mode();
                if let Some(lvt) = self.lvt.get_mut(index) {
                    *lvt = value & mask | off;
                }
                if register == reg::LVT_TIMER && mode != self.timer_mode() {
                    self.stop();
                }
                effect.timer = register == reg::LVT_TIMER;
            }
        }
        Some(effect)
    }

    /// Reads MSR 0x800 + `index` in x2APIC mode; `None` is a #GP.
    pub fn read_msr(&mut self, index: u16, now: u64) -> Option<u64> {
        if !self.is_x2apic() || index > 0x3f {
            return None;
        }
        match index << 4 {
            reg::ICR => Some(self.icr),
            // Write-only.
            reg::EOI | reg::SELF_IPI => None,
            register => self.get(register, now).map(u64::from),
        }
    }

    /// Writes MSR 0x800 + `index` in x2APIC mode; `None` is a #GP.
    pub fn write_msr(&mut self, index: u16, value: u64, now: u64) -> Option<Effect> {
        if !self.is_x2apic() || index > 0x3f {
            return None;
        }
        let register = index << 4;
        let low = u32::try_from(value);
        match register {
            reg::ICR => {
                if value & 0xfff3_3000 != 0 {
                    return None;
                }
                self.icr = value;
                Some(self.send())
            }
            reg::SELF_IPI if value < 0x100 => Some(self.send_self(value as u8)),
            reg::EOI | reg::ESR if value != 0 => None,
            reg::ESR => {
                self.latch();
                Some(Effect::default())
            }
            reg::TPR if value > 0xff => None,
            reg::SVR if value & !0x1ff != 0 => None,
            reg::TIMER_DIVIDE if value & !0xb != 0 => None,
            _ => {
                let value = low.ok()?;
                if lvt_of(register).is_some_and(|(_, mask)| value & !(mask | 1 << 12) != 0) {
                    return None;
                }
                self.put(register, value, now)
            }
        }
    }
}
