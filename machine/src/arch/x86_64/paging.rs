//! The hypervisor's own page tables.
//!
//! Why unsafe: writes page tables through the direct map. Owns the host's root table and the
//! tables below it. Lock: `HOST`, taken for each mapping. Invariant: the L3 tables of slots
//! 256 to 271 exist before any other CPU or guest runs, so an L4 that copied those slots stays
//! complete; a present entry is never changed.

use core::sync::atomic::{AtomicU64, Ordering};

use super::layout::{DIRECT_MAP_VA, END_SLOT, FIRST_SLOT};

/// Bits of a page-table entry.
#[allow(missing_docs)]
pub mod flag {
    pub const PRESENT: u64 = 1;
    pub const WRITE: u64 = 1 << 1;
    pub const USER: u64 = 1 << 2;
    pub const UNCACHED: u64 = 3 << 3;
    pub const ACCESSED_DIRTY: u64 = 3 << 5;
    pub const LARGE: u64 = 1 << 7;
    pub const GLOBAL: u64 = 1 << 8;
    pub const NO_EXECUTE: u64 = 1 << 63;
    /// Read-write data of the hypervisor.
    pub const DATA: u64 = PRESENT | WRITE | ACCESSED_DIRTY | GLOBAL | NO_EXECUTE;
    /// Read-only data of the hypervisor.
    pub const CONST: u64 = PRESENT | ACCESSED_DIRTY | GLOBAL | NO_EXECUTE;
    /// Code of the hypervisor.
    pub const CODE: u64 = PRESENT | ACCESSED_DIRTY | GLOBAL;
    /// Device registers.
    pub const DEVICE: u64 = DATA | UNCACHED;
}

/// Bits of an entry that hold the address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Machine address of the host's root table.
static ROOT: AtomicU64 = AtomicU64::new(0);
static HOST: spin::Mutex<()> = spin::Mutex::new(());

/// The host's root table, as CR3 holds it. Zero before it is built.
pub fn host_root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

/// The entry of one of the hypervisor's L4 slots (256 to 271), the same in every L4.
pub fn host_slot(slot: usize) -> u64 {
    if !(FIRST_SLOT..END_SLOT).contains(&slot) || host_root() == 0 {
        return 0;
    }
    entry(host_root(), slot as u64).load(Ordering::Relaxed)
}

/// Where new tables come from.
pub trait TableSource {
    /// Machine address of a zeroed page, reachable through the direct map.
    fn table(&mut self) -> Option<u64>;
}

/// The entry `index` (its low nine bits) of the table at `table`.
fn entry(table: u64, index: u64) -> &'static AtomicU64 {
    let at = DIRECT_MAP_VA + (table & ADDRESS) + 8 * (index & 511);
    // SAFETY: tables come from a `TableSource` and are never freed; the direct map covers them,
    // and the index stays inside the page.
    unsafe { &*(at as *const AtomicU64) }
}

/// Makes the root table with the L3 tables of all hypervisor slots. Call once.
pub fn create_root(source: &mut dyn TableSource) -> Option<()> {
    let root = source.table()?;
    for slot in FIRST_SLOT..END_SLOT {
        let user = if slot == FIRST_SLOT { flag::USER } else { 0 };
        let bits = flag::PRESENT | flag::WRITE | flag::ACCESSED_DIRTY & 0x20 | user;
        entry(root, slot as u64).store(source.table()? | bits, Ordering::Relaxed);
    }
    ROOT.store(root, Ordering::Relaxed);
    Some(())
}

/// Maps `len` bytes at `va` to `pa`, all multiples of 4096, with the largest pages that fit
/// (`gigabyte`: whether the CPU has 1 GiB pages). `bits` are the leaf's. `None` when tables
/// run out or something else is mapped there already; what was mapped so far stays.
pub fn map(
    source: &mut dyn TableSource,
    va: u64,
    pa: u64,
    len: u64,
    bits: u64,
    gigabyte: bool,
) -> Option<()> {
    let _guard = HOST.lock();
    let mut done = 0;
    while done < len {
        let (va, pa, left) = (va + done, pa + done, len - done);
        let fits = |size: u64| (va | pa) & (size - 1) == 0 && left >= size;
        let leaf = match () {
            () if gigabyte && fits(1 << 30) => 3,
            () if fits(1 << 21) => 2,
            () => 1,
        };
        let slot = slot(source, va, leaf, bits)?;
        if slot.load(Ordering::Relaxed) & flag::PRESENT != 0 {
            return None;
        }
        let large = if leaf > 1 { flag::LARGE } else { 0 };
        slot.store(pa | bits | large, Ordering::Release);
        done += 1 << (12 + 9 * (leaf - 1));
    }
    Some(())
}

/// A table of level 1 whose entries all map the page `pa`; `bits` are theirs.
pub fn repeated(source: &mut dyn TableSource, pa: u64, bits: u64) -> Option<u64> {
    let table = source.table()?;
    (0..512).for_each(|index| entry(table, index).store(pa | bits, Ordering::Relaxed));
    Some(table)
}

/// Makes `table`, one of level 1, map the 2 MiB at `va`, a multiple of that. `bits` are its
/// leaves'. `None` when tables run out or something else is mapped there already.
pub fn link(source: &mut dyn TableSource, va: u64, table: u64, bits: u64) -> Option<()> {
    let _guard = HOST.lock();
    let slot = slot(source, va, 2, bits)?;
    if slot.load(Ordering::Relaxed) & flag::PRESENT != 0 {
        return None;
    }
    slot.store(table | upper_bits(bits), Ordering::Release);
    Some(())
}

/// Bits of an entry that names a table, above leaves with `bits`.
fn upper_bits(bits: u64) -> u64 {
    flag::PRESENT | flag::WRITE | 0x20 | bits & flag::USER
}

/// The entry of `level` for `va`; the tables above it are made where there are none, for leaves
/// with `bits`. `None` when tables run out or a larger page is mapped there. [`HOST`] is held.
fn slot(
    source: &mut dyn TableSource,
    va: u64,
    level: u64,
    bits: u64,
) -> Option<&'static AtomicU64> {
    let mut table = host_root();
    for upper in (level + 1..=4).rev() {
        let slot = entry(table, va >> (12 + 9 * (upper - 1)));
        let old = slot.load(Ordering::Relaxed);
        table = if old & flag::PRESENT == 0 {
            let new = source.table()?;
            slot.store(new | upper_bits(bits), Ordering::Release);
            new
        } else if old & flag::LARGE != 0 && upper < 4 {
            return None;
        } else {
            old & ADDRESS
        };
    }
    Some(entry(table, va >> (12 + 9 * (level - 1))))
}

/// The entry of `level` (1 to 3) that the host's tables have for `va`; `None` when there is no
/// table of that level.
pub fn table_entry(va: u64, level: u64) -> Option<u64> {
    let mut table = host_root();
    for upper in (level + 1..=4).rev() {
        let found = entry(table, va >> (12 + 9 * (upper - 1))).load(Ordering::Relaxed);
        if found & flag::PRESENT == 0 || upper < 4 && found & flag::LARGE != 0 {
            return None;
        }
        table = found & ADDRESS;
    }
    Some(entry(table, va >> (12 + 9 * (level - 1))).load(Ordering::Relaxed))
}

/// What the host's tables make of `va`: the leaf entry and the machine address.
pub fn translate(va: u64) -> Option<(u64, u64)> {
    let mut table = host_root();
    if table == 0 {
        return None;
    }
    for level in (1..=4u64).rev() {
        let shift = 12 + 9 * (level - 1);
        let found = entry(table, va >> shift).load(Ordering::Relaxed);
        if found & flag::PRESENT == 0 {
            return None;
        }
        if level == 1 || level < 4 && found & flag::LARGE != 0 {
            let mask = (1u64 << shift) - 1;
            return Some((found, (found & ADDRESS & !mask) | (va & mask)));
        }
        table = found & ADDRESS;
    }
    None
}
