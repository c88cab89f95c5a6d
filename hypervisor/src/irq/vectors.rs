//! Which line each CPU's device vectors belong to.
//!
//! No lock: a vector is taken and given back by one compare-and-swap.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use machine::device;
use xen_abi::Errno;

/// First vector for devices: below are exceptions and the old controllers' spurious ones.
const FIRST: u8 = 0x30;
/// Last vector for devices: above are the host's own.
const LAST: u8 = 0xef;
/// PV guests' 32-bit system calls.
const SYSCALL32: u8 = 0x80;
/// Highest APIC id that redirection entries and messages reach without remapping.
const MAX_APIC_ID: u32 = 254;

/// A vector on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The CPU.
    pub cpu: u32,
    /// Its APIC id.
    pub apic_id: u8,
    /// The vector.
    pub vector: u8,
}

/// All CPUs' vectors; a word is a line's number plus one.
pub struct Vectors {
    rows: Box<[[AtomicU32; 256]]>,
}

impl Vectors {
    /// No vector taken on any of `cpus` CPUs. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Vectors, Errno> {
        let mut rows = Vec::new();
        rows.try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        rows.resize_with(cpus as usize, || [const { AtomicU32::new(0) }; 256]);
        Ok(Vectors {
            rows: rows.into_boxed_slice(),
        })
    }

    fn word(&self, cpu: u32, vector: u8) -> Option<&AtomicU32> {
        self.rows.get(cpu as usize)?.get(usize::from(vector))
    }

    /// The line that a vector belongs to.
    #[inline]
    pub fn line(&self, cpu: u32, vector: u8) -> Option<u32> {
        self.word(cpu, vector)?
            .load(Ordering::Acquire)
            .checked_sub(1)
    }

    /// Takes a vector for `line` on `cpu`, or on another CPU when that has none left. `None`
    /// when none has.
    pub fn take(&self, cpu: u32, line: u32) -> Option<Slot> {
        let others = (0..self.rows.len() as u32).filter(|&other| other != cpu);
        core::iter::once(cpu)
            .chain(others)
            .find_map(|cpu| self.take_on(cpu, line))
    }

    /// Takes a vector for `line` on `cpu`.
    pub fn take_on(&self, cpu: u32, line: u32) -> Option<Slot> {
        let apic_id = device::apic_id(cpu).filter(|&id| id <= MAX_APIC_ID)?;
        let apic_id = u8::try_from(apic_id).ok()?;
        let value = line.checked_add(1)?;
        let row = self.rows.get(cpu as usize)?;
        for vector in (FIRST..=LAST).filter(|&vector| vector != SYSCALL32) {
            let word = row.get(usize::from(vector))?;
            let free = word.compare_exchange(0, value, Ordering::AcqRel, Ordering::Relaxed);
            if free.is_ok() {
                return Some(Slot {
                    cpu,
                    apic_id,
                    vector,
                });
            }
        }
        None
    }

    /// Gives a vector back. An interrupt that still comes by it is spurious.
    pub fn give(&self, slot: Slot) {
        if let Some(word) = self.word(slot.cpu, slot.vector) {
            word.store(0, Ordering::Release);
        }
    }
}
