//! Page-table walks with x86's rights, as a guest in ring 3 meets them, and an oracle.
//!
//! The oracle (on unless [`super::SimMachine::set_strict`] turns it off) panics when a walk
//! meets what the page-type rules forbid: a table that is not counted as one of its level, a
//! writable translation of a frame that is not counted as writable, a translation of a free
//! frame, or a cached translation that outlived its frame's use because a flush was left out.

use super::mem::{MemArch, Shared, lock};
use super::tlb::Entry;
use crate::addr::Mfn;
use crate::frame::{FREE, HOST_SLOTS, MemOps, NO_OWNER, Page, PageInfo, PageType};
use core::sync::atomic::{AtomicU64, Ordering};

/// Bits of a page-table entry.
pub(super) mod pte {
    pub const P: u64 = 1;
    pub const RW: u64 = 1 << 1;
    pub const US: u64 = 1 << 2;
    pub const A: u64 = 1 << 5;
    pub const D: u64 = 1 << 6;
    pub const PS: u64 = 1 << 7;
    pub const G: u64 = 1 << 8;
    pub const NX: u64 = 1 << 63;
    pub const FRAME: u64 = 0x000f_ffff_ffff_f000;
}

/// What an access wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Access {
    pub write: bool,
    pub exec: bool,
}

impl Access {
    pub const READ: Access = Access {
        write: false,
        exec: false,
    };
    pub const WRITE: Access = Access {
        write: true,
        exec: false,
    };
    pub const EXEC: Access = Access {
        write: false,
        exec: true,
    };
}

/// A page fault: CR2 and the error code (Intel SDM 3A, 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// The address.
    pub addr: u64,
    /// P 1, W 2, U 4, RSVD 8, I 16.
    pub error: u32,
}

/// What an address leads to.
pub(super) enum Target {
    /// The words of a frame.
    Ram(&'static [AtomicU64; 512]),
    /// The page of the read-only machine-to-phys window that begins at this frame number.
    M2p(u64),
    /// No RAM: reads as ones.
    Nothing,
}

const M2P_RO_VA: u64 = 0xffff_8000_0000_0000;
const HYPERVISOR_END: u64 = 0xffff_8800_0000_0000;

fn fault(va: u64, access: Access, present: bool) -> PageFault {
    let error = 4 | u32::from(present) | u32::from(access.write) << 1 | u32::from(access.exec) << 4;
    PageFault { addr: va, error }
}

/// Where ring 3 on `cpu` finds `va`, by its TLB or the tables at frame `root`.
pub(super) fn translate(
    machine: &'static Shared,
    cpu: u32,
    root: Option<u64>,
    va: u64,
    access: Access,
) -> Result<Target, PageFault> {
    if (M2P_RO_VA..HYPERVISOR_END).contains(&va) && root.is_some() {
        let first = (va - M2P_RO_VA) / 4096 * 512;
        let open = !access.write && !access.exec;
        let shown = root
            .and_then(|root| machine.ram(root))
            .is_some_and(|words| words[HOST_SLOTS.start].load(Ordering::Relaxed) & pte::P != 0);
        return match MemArch(machine).m2p(Mfn(first)).filter(|_| open && shown) {
            Some(_) => Ok(Target::M2p(first)),
            None => Err(fault(va, access, true)),
        };
    }
    let per = &machine.cpus[cpu as usize];
    let hit = lock(&per.tlb).get(va);
    let fits = |e: &Entry| (e.write && e.dirty || !access.write) && (e.exec || !access.exec);
    let entry = match hit.filter(fits) {
        Some(entry) => {
            check_stale(machine, va, &entry);
            entry
        }
        None => {
            // A translation that grants too little is read again, as processors do.
            if hit.is_some() {
                lock(&per.tlb).forget(va);
            }
            let root = root.ok_or_else(|| fault(va, access, false))?;
            let entry = walk(machine, root, va, access)?;
            lock(&per.tlb).insert(va, entry);
            entry
        }
    };
    Ok(machine.ram(entry.mfn).map_or(Target::Nothing, Target::Ram))
}

/// Reads the tables, sets their accessed and dirty bits, and checks rights.
fn walk(machine: &'static Shared, root: u64, va: u64, access: Access) -> Result<Entry, PageFault> {
    let (mut table, mut write, mut exec, mut user) = (root, true, true, true);
    // The level that the table is of: above the walk's after an entry that named one of its own.
    let mut kind = 5;
    for level in (1..=4u32).rev() {
        kind = check_table(machine, table, kind, write, va);
        let index = (va >> (3 + 9 * level)) as usize & 511;
        let Some(slot) = machine.ram(table).and_then(|words| words.get(index)) else {
            return Err(fault(va, access, false));
        };
        let e = slot.load(Ordering::Acquire);
        if e & pte::P == 0 {
            return Err(fault(va, access, false));
        }
        let leaf = level == 1 || e & pte::PS != 0;
        if level == 4 && leaf {
            let PageFault { addr, error } = fault(va, access, true);
            return Err(PageFault {
                addr,
                error: error | 8,
            });
        }
        write &= e & pte::RW != 0;
        user &= e & pte::US != 0;
        exec &= e & pte::NX == 0;
        if leaf && (!user || access.write && !write || access.exec && !exec) {
            return Err(fault(va, access, true));
        }
        let dirty = if leaf && access.write { pte::D } else { 0 };
        let e = slot.fetch_or(pte::A | dirty, Ordering::AcqRel) | dirty;
        let shift = 3 + 9 * level;
        if leaf {
            let offset = (va & ((1 << shift) - 1)) >> 12;
            let base = (e & pte::FRAME) >> 12 & !((1 << (shift - 12)) - 1);
            let mfn = base + offset;
            let info = MemArch(machine).frame(Mfn(mfn));
            check_leaf(machine, va, mfn, write, info);
            return Ok(Entry {
                mfn,
                write,
                exec,
                dirty: e & pte::D != 0,
                global: e & pte::G != 0,
                shift,
                owner: info.map_or(NO_OWNER, PageInfo::owner),
            });
        }
        table = (e & pte::FRAME) >> 12;
    }
    Err(fault(va, access, false))
}

fn strict(machine: &Shared) -> bool {
    machine.strict.load(Ordering::Relaxed)
}

/// Checks the table that an entry of a table of level `above` named, and returns its level: the
/// next lower one, or by entries that do not let anybody write also the same.
fn check_table(machine: &'static Shared, table: u64, above: u32, write: bool, va: u64) -> u32 {
    if !strict(machine) {
        return above - 1;
    }
    let found = MemArch(machine).frame(Mfn(table)).map(PageInfo::page_type);
    let level = found.map_or(0, |(t, _)| u32::from(t.level()));
    let below = level + 1 == above;
    let linear = level == above && !write;
    let ok = found.is_some_and(|(_, n)| n != 0) && (below || linear);
    assert!(
        ok,
        "walk of {va:#x}: frame {table:#x} is named by a L{above} table but is {found:?}"
    );
    level
}

fn check_leaf(machine: &'static Shared, va: u64, mfn: u64, write: bool, info: Option<&PageInfo>) {
    let Some(info) = info.filter(|_| strict(machine)) else {
        return;
    };
    let state = info.state.load(Ordering::Relaxed);
    // All-zero is memory that no heap ever had: a device's, or the hypervisor's own.
    let known = state == 0 || state & FREE == 0 && info.count() != 0;
    assert!(known, "walk of {va:#x}: frame {mfn:#x} is mapped but free");
    let (t, n) = info.page_type();
    assert!(
        !write || state == 0 || t == PageType::Writable && n != 0,
        "walk of {va:#x}: frame {mfn:#x} is mapped writable but is {t:?} counted {n}"
    );
}

/// A cached translation may outlive its mapping, but not the frame's use.
fn check_stale(machine: &'static Shared, va: u64, entry: &Entry) {
    let Some(info) = MemArch(machine)
        .frame(Mfn(entry.mfn))
        .filter(|_| strict(machine))
    else {
        return;
    };
    if info.count() == 0 {
        return;
    }
    let mfn = entry.mfn;
    // Nobody's: disowned, or fresh from the heap and not handed to anybody yet.
    let owner = info.owner();
    assert!(
        owner == entry.owner || owner == NO_OWNER,
        "stale translation of {va:#x}: frame {mfn:#x} now belongs to another (missing flush)"
    );
    let (t, n) = info.page_type();
    // Until it is validated the flush may still come: nothing relies on the contents.
    let protected = t != PageType::Writable && n != 0 && info.is_validated(t);
    assert!(
        !(entry.write && protected),
        "stale translation of {va:#x}: frame {mfn:#x} is writable, but now a {t:?} (missing flush)"
    );
}

/// On metal a root table without the hypervisor's slots is the end of the machine.
pub(super) fn check_host_slots(machine: &'static Shared, root: &Page) {
    for slot in HOST_SLOTS.filter(|_| strict(machine)) {
        let found = root
            .words()
            .get(slot)
            .map(|word| word.load(Ordering::Relaxed));
        // The processor may have set the accessed bit; users do not see machine-to-phys.
        let hidden = slot == HOST_SLOTS.start && found == Some(0);
        let ok = hidden || found.map(|e| e & !pte::A) == Some(MemArch(machine).host_slot(slot));
        assert!(
            ok,
            "root {:#x}: slot {slot} is not the hypervisor's: {found:x?}",
            root.mfn()
        );
    }
}
