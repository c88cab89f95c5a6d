//! Address space identifiers: tags of a CPU's translations.
//!
//! A vCPU gets a fresh one on a CPU after each full flush of that CPU, so a flush costs nothing
//! but that. When a CPU has given out all, it starts over and drops what it has.
//! Each CPU's numbers are its own.

use crate::cpumask::MAX_CPUS;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

struct Numbers {
    next: AtomicU32,
    round: AtomicU32,
}

static NUMBERS: [Numbers; MAX_CPUS] = [const {
    Numbers {
        next: AtomicU32::new(0),
        round: AtomicU32::new(0),
    }
}; MAX_CPUS];

/// A vCPU's identifier, and where and when it is good.
#[derive(Clone, Copy, Debug)]
pub struct Asid {
    cpu: u32,
    round: u32,
    /// The CPU's last full flush when it was given.
    stamp: u64,
    valid: bool,
}

/// Has `cpu` drop everything before the next identifier is used.
#[cold]
pub fn start_over(cpu: u32) {
    if let Some(numbers) = NUMBERS.get(cpu as usize) {
        numbers.next.store(u32::MAX - 1, Relaxed);
    }
}

impl Asid {
    /// None yet.
    pub const NONE: Asid = Asid {
        cpu: u32::MAX,
        round: 0,
        stamp: 0,
        valid: false,
    };

    /// The vCPU was brought onto `cpu`.
    pub fn loaded(&mut self, cpu: u32) {
        let round = NUMBERS
            .get(cpu as usize)
            .map_or(0, |n| n.round.load(Relaxed));
        self.valid &= self.cpu == cpu && self.round == round;
    }

    /// The translations made under it are not to be used any more.
    pub fn drop_it(&mut self) {
        self.valid = false;
    }

    /// Whether it is still good after the CPU's last full flush, `last`.
    #[inline(always)]
    pub fn is_good(&self, last: u64) -> bool {
        self.valid && self.stamp == last
    }

    /// A new one on `cpu`: the number, and whether the CPU has to drop all translations first.
    pub fn renew(&mut self, cpu: u32, last: u64, count: u32) -> (u32, bool) {
        let Some(numbers) = NUMBERS.get(cpu as usize) else {
            return (1, true);
        };
        let mut number = numbers.next.load(Relaxed) + 1;
        let over = number >= count;
        if over {
            number = 1;
            numbers
                .round
                .store(numbers.round.load(Relaxed).wrapping_add(1), Relaxed);
        }
        numbers.next.store(number, Relaxed);
        *self = Asid {
            cpu,
            round: numbers.round.load(Relaxed),
            stamp: last,
            valid: true,
        };
        (number, over)
    }
}
