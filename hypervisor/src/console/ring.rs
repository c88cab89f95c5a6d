//! The log's ring: the last bytes that were logged, by a number that only grows.
//!
//! No lock of its own. Invariant: the bytes numbered `start` to `end` (modulo 2^32) are there,
//! never more than the ring's length, which is a power of two.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Length where the command line asks for none, bytes.
const DEFAULT_SIZE: usize = 32 << 10;
/// Greatest length, bytes: the tools read all of it in one call.
const MAX_SIZE: usize = 4 << 20;

/// The ring.
pub struct Ring {
    bytes: Box<[u8]>,
    start: u32,
    end: u32,
}

impl Ring {
    /// An empty ring of `size` bytes, rounded up; 0 for the usual size. Without memory it
    /// keeps nothing.
    pub fn new(size: u64) -> Ring {
        let size = match usize::try_from(size) {
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.clamp(4096, MAX_SIZE).next_power_of_two(),
            Err(_) => MAX_SIZE,
        };
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(size).is_ok() {
            bytes.resize(size, 0);
        }
        Ring {
            bytes: bytes.into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Most bytes it holds.
    pub fn size(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// The number of the oldest byte.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// The number that the next byte will have.
    pub fn end(&self) -> u32 {
        self.end
    }

    fn place(&self, number: u32) -> usize {
        (number & self.size().wrapping_sub(1)) as usize
    }

    /// Adds bytes, over the oldest.
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let place = self.place(self.end);
            let Some(slot) = self.bytes.get_mut(place) else {
                return;
            };
            *slot = byte;
            self.end = self.end.wrapping_add(1);
        }
        self.start = self.from(self.start);
    }

    /// `number`, or the oldest byte's when that one is gone or was never there.
    pub fn from(&self, number: u32) -> u32 {
        if self.end.wrapping_sub(number) <= self.size() {
            number
        } else {
            self.end.wrapping_sub(self.size())
        }
    }

    /// Copies what is there from byte `number` on; how many bytes.
    pub fn read(&self, number: u32, out: &mut [u8]) -> usize {
        let there = self.end.wrapping_sub(number);
        if there > self.size() {
            return 0;
        }
        let mut done = 0usize;
        for (slot, number) in out
            .iter_mut()
            .zip(0..there)
            .map(|(slot, i)| (slot, number.wrapping_add(i)))
        {
            let Some(byte) = self.bytes.get(self.place(number)) else {
                break;
            };
            *slot = *byte;
            done += 1;
        }
        done
    }

    /// Forgets what comes before byte `number`.
    pub fn forget_before(&mut self, number: u32) {
        self.start = self.from(number);
    }
}
