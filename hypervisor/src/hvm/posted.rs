//! Interrupts that others leave for a vCPU: they belong to whoever runs it, who takes them into
//! the local APIC. No lock: bits.

use super::vlapic::Address;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// A vCPU's letter box.
#[derive(Debug, Default)]
pub struct Posted {
    /// There is something.
    any: AtomicBool,
    /// Vectors.
    vectors: [AtomicU32; 8],
    /// Those of them that are level-triggered.
    levels: [AtomicU32; 8],
    /// How the vCPU's APIC is addressed: logical destination, format, x2APIC mode.
    logical: [AtomicU32; 3],
    /// INIT came, and no start since.
    init: AtomicBool,
    /// The vector of event upcalls that the vCPU set for itself; zero for none.
    pub upcall_vector: AtomicU8,
}

impl Posted {
    /// Leaves an interrupt; the caller wakes the vCPU.
    pub fn vector(&self, vector: u8) {
        if let Some(word) = self.vectors.get(usize::from(vector / 32)) {
            word.fetch_or(1 << (vector % 32), Ordering::SeqCst);
        }
        self.look();
    }

    /// Leaves a level-triggered interrupt, likewise.
    pub fn level_vector(&self, vector: u8) {
        if let Some(word) = self.levels.get(usize::from(vector / 32)) {
            word.fetch_or(1 << (vector % 32), Ordering::SeqCst);
        }
        self.vector(vector);
    }

    /// Has the vCPU look at its APIC, whose timer came.
    pub fn look(&self) {
        self.any.store(true, Ordering::SeqCst);
    }

    /// Shows how the vCPU's APIC is addressed now.
    pub fn publish(&self, address: Address) {
        let values = [address.ldr, address.dfr, address.x2apic.into()];
        for (slot, value) in self.logical.iter().zip(values) {
            slot.store(value, Ordering::Relaxed);
        }
    }

    /// How the APIC with this id is addressed.
    pub fn address(&self, id: u32) -> Address {
        let [ldr, dfr, x2apic] = &self.logical;
        Address {
            id,
            ldr: ldr.load(Ordering::Relaxed),
            dfr: dfr.load(Ordering::Relaxed),
            x2apic: x2apic.load(Ordering::Relaxed) != 0,
        }
    }

    /// INIT comes.
    pub fn set_init(&self) {
        self.init.store(true, Ordering::SeqCst);
    }

    /// Ends the wait for a start; whether there was one.
    pub fn take_init(&self) -> bool {
        self.init.swap(false, Ordering::SeqCst)
    }

    /// Whether there is something.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    /// Takes all that there is: vectors, and whether each is level-triggered.
    pub fn take(&self, mut each: impl FnMut(u8, bool)) {
        self.any.store(false, Ordering::SeqCst);
        for (index, (word, level)) in (0u8..).zip(self.vectors.iter().zip(&self.levels)) {
            let mut bits = word.swap(0, Ordering::SeqCst);
            if bits == 0 {
                continue;
            }
            let levels = level.fetch_and(!bits, Ordering::SeqCst) & bits;
            while bits != 0 {
                let bit = bits.trailing_zeros() as u8;
                each(index * 32 + bit, levels >> bit & 1 != 0);
                bits &= bits - 1;
            }
        }
    }
}
