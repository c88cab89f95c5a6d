//! The arguments that operations are asked with: bad addresses, and structures filled by rule.

use crate::families::Head;
use core::sync::atomic::Ordering;
use guest_rt::mem::{self, Page};
use xen_abi::xen::DOMID_SELF;

/// Number of patterns: addresses, fills, and fills by chance.
pub const PATTERNS: usize = 4 + 8 + 12;

/// Bytes of a structure that are filled.
const ROOM: usize = 256;
/// An address in the middle of nothing that can be addressed.
const NOT_CANONICAL: u64 = 0x0000_8000_0000_0000;
/// The hypervisor's own memory.
const HYPERVISOR: u64 = 0xffff_8300_0000_0000;

/// Pages that arguments stand in.
pub struct Arguments {
    page: Page,
    /// Something that pointers in a structure may name.
    data: Page,
}

impl Arguments {
    /// Takes the pages; the one after the argument's is not mapped.
    pub fn new() -> Self {
        let page = mem::alloc_run(2);
        let _ = page.nth(1).map(0);
        Self {
            page,
            data: mem::alloc(),
        }
    }

    /// Writes the argument of `pattern`, whose first words are `head`, and gives its address.
    pub fn prepare(&self, pattern: usize, head: &Head) -> u64 {
        for i in 0..512 {
            self.page.set(i, 0);
            self.data.set(i, 0);
        }
        let start = match pattern {
            0 => return 0,
            1 => return NOT_CANONICAL,
            2 => return HYPERVISOR,
            // All but the first eight bytes lies beyond the page.
            3 => 512 - 1,
            _ => 0,
        };
        let mut chance = Chance(pattern as u64);
        for i in 0..ROOM / 4 {
            let value = self.fill(pattern, i, &mut chance);
            if start == 0 {
                self.page.dword(i).store(value, Ordering::SeqCst);
            }
        }
        for (i, word) in head.words().filter(|(i, _)| start + i < 512) {
            self.page.set(start + i, word);
        }
        self.page.va() + start as u64 * 8
    }

    fn fill(&self, pattern: usize, i: usize, chance: &mut Chance) -> u32 {
        let own = u32::from(DOMID_SELF);
        let data = self.data.va();
        match pattern {
            4 => 0,
            5 => u32::MAX,
            6 if i == 0 => own,
            6 => 0,
            7 if i == 0 => own,
            7 => u32::MAX,
            8 => 1,
            9 if i == 0 => own,
            9 => 1,
            10 => own,
            // Each pair of words is an address that can be read and written.
            11 if i % 2 == 0 => data as u32,
            11 => (data >> 32) as u32,
            _ => {
                let some = [
                    0,
                    1,
                    2,
                    3,
                    7,
                    own,
                    own + 1,
                    own + 2,
                    u32::MAX,
                    1 << 31,
                    4096,
                ];
                some[chance.below(some.len())]
            }
        }
    }
}

/// Numbers that are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}
