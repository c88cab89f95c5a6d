//! Which interrupt is next: requests, what is in service, priorities.

use super::{ESR_RECEIVE_ILLEGAL, Vlapic};

/// Word of a bit array by its register's offset.
pub(super) fn word(bits: &[u32; 8], offset: u16) -> u32 {
    bits.get(usize::from(offset / 16)).copied().unwrap_or(0)
}

fn highest(bits: &[u32; 8]) -> Option<u8> {
    bits.iter()
        .enumerate()
        .rev()
        .find(|(_, word)| **word != 0)
        .map(|(index, word)| (index as u32 * 32 + 31 - word.leading_zeros()) as u8)
}

fn set(bits: &mut [u32; 8], vector: u8, on: bool) -> bool {
    let Some(word) = bits.get_mut(usize::from(vector / 32)) else {
        return false;
    };
    let bit = 1 << (vector % 32);
    let was = *word & bit != 0;
    if on {
        *word |= bit;
    } else {
        *word &= !bit;
    }
    was
}

impl Vlapic {
    /// An interrupt arrives. Whether it was not requested already. A vector below 16 is an
    /// error, and one that is off takes nothing.
    pub fn request(&mut self, vector: u8, level: bool) -> bool {
        if vector < 16 {
            self.error(ESR_RECEIVE_ILLEGAL);
            return false;
        }
        if !self.is_on() {
            return false;
        }
        set(&mut self.tmr, vector, level);
        !set(&mut self.irr, vector, true)
    }

    /// An error: noted, and the error vector requested.
    pub(super) fn error(&mut self, bits: u32) {
        let fresh = self.errors & bits != bits;
        self.errors |= bits;
        let lvt = self.lvt(5);
        if fresh && lvt & super::registers::MASKED == 0 && lvt as u8 >= 16 {
            self.request(lvt as u8, false);
        }
    }

    /// The processor's priority: the task's, or that of what is in service.
    pub fn ppr(&self) -> u8 {
        let service = highest(&self.isr).unwrap_or(0);
        if self.tpr >> 4 >= service >> 4 {
            self.tpr
        } else {
            service & 0xf0
        }
    }

    /// The interrupt that the guest should take now, if any.
    pub fn pending(&self) -> Option<u8> {
        if !self.is_on() {
            return None;
        }
        highest(&self.irr).filter(|vector| vector >> 4 > self.ppr() >> 4)
    }

    /// The guest takes `vector`, which [`Vlapic::pending`] gave.
    pub fn accept(&mut self, vector: u8) {
        set(&mut self.irr, vector, false);
        set(&mut self.isr, vector, true);
    }

    /// Whether `vector` is requested or in service.
    pub fn is_active(&self, vector: u8) -> bool {
        let offset = u16::from(vector / 32) * 16;
        (word(&self.irr, offset) | word(&self.isr, offset)) >> (vector % 32) & 1 != 0
    }

    /// The guest did not take `vector` after all. Whether it was of this APIC.
    pub fn put_back(&mut self, vector: u8) -> bool {
        let was = set(&mut self.isr, vector, false);
        if was {
            set(&mut self.irr, vector, true);
        }
        was
    }

    /// The guest ends what is in service; its vector if that was level-triggered.
    pub(super) fn end(&mut self) -> Option<u8> {
        let vector = highest(&self.isr)?;
        set(&mut self.isr, vector, false);
        set(&mut self.tmr, vector, false).then_some(vector)
    }

    /// The task priority's class, as CR8 has it.
    pub fn cr8(&self) -> u8 {
        self.tpr >> 4
    }

    /// Sets the task priority's class.
    pub fn set_cr8(&mut self, class: u8) {
        self.tpr = class << 4;
    }
}
