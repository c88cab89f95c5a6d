//! Root tables without the hypervisor in them, for guests on CPUs with Meltdown.
//!
//! Why unsafe: fills page tables through the direct map. Each CPU has a few tables of its own,
//! each a copy of a guest's root table in which, of the hypervisor's slots, only the
//! machine-to-phys table (where that guest's own table has it) and the first 2 MiB of this
//! CPU's area are left: entry code, descriptor tables, TSS, IST stacks and the guest's own
//! register frame.
//!
//! Invariant: a copy is written by its own CPU only, while that runs the host. A copy is used
//! only if its generation is the current one, or the guest's tables have changed since in ways
//! for which a TLB flush is still under way: whoever changes an entry of a root table raises the
//! generation first and then makes the CPUs concerned flush, which renews their copies; so a
//! lower table that is given up after that flush is in no copy in use.

use super::super::galloc::HeapPages;
use super::super::layout::{AREA_VA, DIRECT_MAP_VA, END_SLOT, FIRST_SLOT};
use super::super::paging::{self, TableSource, flag};
use super::super::{area, layout};
use crate::cpumask::MAX_CPUS;
use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Copies that each CPU keeps: the roots of two processes, for their kernel and their users.
const COPIES: usize = 4;
/// No copy is in use.
const NONE: usize = usize::MAX;

static ON: AtomicBool = AtomicBool::new(false);
static GENERATION: AtomicU64 = AtomicU64::new(1);

struct Copy {
    /// Machine address of the table it is a copy of; 0 for none.
    of: AtomicU64,
    /// [`GENERATION`] before it was made.
    generation: AtomicU64,
    /// Its own machine address; 0 before [`create`].
    table: AtomicU64,
}

struct PerCpu {
    copies: [Copy; COPIES],
    /// Which is in use.
    current: AtomicUsize,
    /// Which is replaced next.
    next: AtomicUsize,
}

static CPUS: [PerCpu; MAX_CPUS] = [const {
    PerCpu {
        copies: [const {
            Copy {
                of: AtomicU64::new(0),
                generation: AtomicU64::new(0),
                table: AtomicU64::new(0),
            }
        }; COPIES],
        current: AtomicUsize::new(NONE),
        next: AtomicUsize::new(0),
    }
}; MAX_CPUS];

/// Whether any guest runs on copies.
#[inline(always)]
pub fn on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Makes the tables of CPUs 0 to `cpus` - 1. `None` when memory runs out.
pub fn create(cpus: u32) -> Option<()> {
    for cpu in 0..cpus {
        let per = CPUS.get(cpu as usize)?;
        let upper = upper_tables(cpu)?;
        for copy in &per.copies {
            let table = HeapPages.table()?;
            write(table, slot_of(AREA_VA, 4), upper);
            copy.table.store(table, Ordering::Relaxed);
        }
    }
    ON.store(true, Ordering::Release);
    Some(())
}

/// Tables of levels 3 and 2 that show the first 2 MiB of a CPU's area, through the host's own
/// table of level 1; the entry for level 4.
fn upper_tables(cpu: u32) -> Option<u64> {
    const BITS: u64 = flag::PRESENT | flag::WRITE | 0x20;
    let base = area::base(cpu);
    let lowest = paging::table_entry(base, 2)?;
    let (three, two) = (HeapPages.table()?, HeapPages.table()?);
    write(two, slot_of(base, 2), lowest);
    write(three, slot_of(base, 3), two | BITS);
    Some(three | BITS)
}

fn slot_of(va: u64, level: u32) -> usize {
    (va >> (12 + 9 * (level - 1)) & 511) as usize
}

fn write(table: u64, slot: usize, value: u64) {
    // SAFETY: a table made here, in the direct map; the slot is below 512.
    unsafe {
        ((DIRECT_MAP_VA + table) as *mut u64)
            .add(slot & 511)
            .write_volatile(value)
    };
}

/// Some root table has changed, or another one is where one was: all copies are old.
pub fn changed() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
}

/// The copy of the root table at machine address `root` for CPU `cpu` to run its guest on.
#[inline]
pub fn select(cpu: u32, root: u64) -> u64 {
    let Some(per) = CPUS.get(cpu as usize) else {
        return 0;
    };
    let now = GENERATION.load(Ordering::Acquire);
    for (index, copy) in per.copies.iter().enumerate() {
        if copy.of.load(Ordering::Relaxed) == root {
            if copy.generation.load(Ordering::Relaxed) != now {
                renew(copy, root);
            }
            per.current.store(index, Ordering::Relaxed);
            return copy.table.load(Ordering::Relaxed);
        }
    }
    replace(per, root)
}

#[cold]
fn replace(per: &PerCpu, root: u64) -> u64 {
    let index = per.next.load(Ordering::Relaxed) % COPIES;
    per.next.store(index + 1, Ordering::Relaxed);
    let Some(copy) = per.copies.get(index) else {
        return 0;
    };
    renew(copy, root);
    per.current.store(index, Ordering::Relaxed);
    copy.table.load(Ordering::Relaxed)
}

/// No guest is loaded on `cpu` any more.
pub fn leave(cpu: u32) {
    if let Some(per) = CPUS.get(cpu as usize) {
        per.current.store(NONE, Ordering::Relaxed);
    }
}

/// Renews the copy in use on `cpu`, the running CPU, if it is old.
pub fn renew_current(cpu: u32) {
    let Some(per) = CPUS.get(cpu as usize) else {
        return;
    };
    let Some(copy) = per.copies.get(per.current.load(Ordering::Relaxed)) else {
        return;
    };
    if copy.generation.load(Ordering::Relaxed) != GENERATION.load(Ordering::SeqCst) {
        renew(copy, copy.of.load(Ordering::Relaxed));
    }
}

fn renew(copy: &Copy, root: u64) {
    let generation = GENERATION.load(Ordering::SeqCst);
    let table = copy.table.load(Ordering::Relaxed);
    if table == 0 {
        return;
    }
    let first = layout::M2P_RO_VA;
    // Up to the machine-to-phys table's slot, and past the hypervisor's.
    copy_words(table, root, 0, slot_of(first, 4) + 1);
    copy_words(table, root, END_SLOT, 512 - END_SLOT);
    copy.of.store(root, Ordering::Relaxed);
    copy.generation.store(generation, Ordering::Relaxed);
}

const _: () = assert!((layout::M2P_RO_VA >> 39) as usize & 511 == FIRST_SLOT);

fn copy_words(to: u64, from: u64, first: usize, count: usize) {
    let at = 8 * first as u64;
    // SAFETY: `count` words of two tables in the direct map, `first + count` being 512 at most.
    // Guests and processors change the source meanwhile, so no Rust reference is made to it.
    unsafe {
        asm!("rep movsq",
            inout("rdi") DIRECT_MAP_VA + to + at => _,
            inout("rsi") DIRECT_MAP_VA + from + at => _,
            inout("rcx") count => _,
            options(nostack, preserves_flags));
    }
}
