//! Builds the hypervisor's address space: image, direct map, frame table, machine-to-phys.
//!
//! Why unsafe: fills mapped windows, loads CR3. Runs once on the boot CPU, first on the early
//! tables, whose direct map covers 4 GiB. Invariant afterwards: nothing is both writable and
//! executable; the direct map has RAM only; both windows of tables are mapped for every frame
//! below `frames_end`, holes by one shared page each (frame table: read-only zeroes).

use super::io;
use super::layout::*;
use super::paging::{self, TableSource, flag};
use crate::boot::early::EarlyFrames;
use crate::boot::{BootInfo, MemoryKind};

const LARGE: u64 = 1 << 21;
/// RAM that the direct map has room for.
pub const MAX_RAM: u64 = HYPERVISOR_END - DIRECT_MAP_VA;
/// Bytes of the machine-to-phys table where it tells nothing.
const M2P_FILL: u8 = 0xff;
/// What the early tables map.
const EARLY_END: u64 = 1 << 32;
/// Bytes of RAM that 2 MiB of frame table describe.
const FRAME_TABLE_SPAN: u64 = (LARGE / 32) << 12;
/// Bytes of RAM that 2 MiB of the machine-to-phys table describe.
const M2P_SPAN: u64 = (LARGE / 8) << 12;

unsafe extern "C" {
    static __boot_start: u8;
    static __entry_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __image_end: u8;
}

/// Tables from the early frames.
pub struct EarlyTables<'a>(pub &'a mut EarlyFrames);

impl TableSource for EarlyTables<'_> {
    fn table(&mut self) -> Option<u64> {
        let page = self.0.take(4096, 4096, EARLY_END)?;
        // SAFETY: free RAM below 4 GiB, which the early direct map covers.
        unsafe { core::ptr::write_bytes((DIRECT_MAP_VA + page) as *mut u8, 0, 4096) };
        Some(page)
    }
}

/// Machine address behind an address inside the image.
pub fn image_pa(va: u64) -> u64 {
    va.wrapping_sub(IMAGE_VA).wrapping_add(IMAGE_PA)
}

/// The image's machine addresses: (first, one past the last).
pub fn image_range() -> (u64, u64) {
    (
        &raw const __boot_start as u64,
        image_pa(&raw const __image_end as u64),
    )
}

/// Whether `va` lies in the image's code.
pub fn is_code(va: u64) -> bool {
    (&raw const __entry_start as u64..&raw const __text_end as u64).contains(&va)
}

/// One past the last frame that gets a frame table entry.
pub fn frames_end(info: &BootInfo) -> u64 {
    info.memory.ram_end().min(MAX_RAM) >> 12
}

/// Builds the final tables, loads them, and clears the windows. `None` when RAM runs out.
pub fn build(info: &BootInfo, frames: &mut EarlyFrames, gigabyte: bool) -> Option<()> {
    paging::create_root(&mut EarlyTables(frames))?;
    map_image(frames)?;
    map_direct(info, frames, gigabyte)?;
    let end = frames_end(info) << 12;
    let table = [Place {
        va: FRAME_TABLE_VA,
        bits: flag::DATA,
        hole: flag::CONST,
    }];
    map_window(info, frames, end, FRAME_TABLE_SPAN, &table, 0)?;
    let shown = flag::CONST & !flag::GLOBAL | flag::USER;
    let m2p = [
        // Entries of frames that are no RAM are written like any.
        Place {
            va: M2P_RW_VA,
            bits: flag::DATA,
            hole: flag::DATA,
        },
        Place {
            va: M2P_RO_VA,
            bits: shown,
            hole: shown,
        },
    ];
    map_window(info, frames, end, M2P_SPAN, &m2p, M2P_FILL)?;
    // SAFETY: the new tables map the running code, its stack (in the image) and all data that
    // Rust knows of at the same addresses as the early ones.
    unsafe { load_root(paging::host_root()) };
    // SAFETY: both windows were mapped just now, writable but for holes, which `windows` leaves
    // out, and nobody reads them yet.
    unsafe {
        for at in windows(info, end, FRAME_TABLE_SPAN) {
            core::ptr::write_bytes((FRAME_TABLE_VA + at) as *mut u8, 0, LARGE as usize);
        }
        for at in windows(info, end, M2P_SPAN) {
            core::ptr::write_bytes((M2P_RW_VA + at) as *mut u8, M2P_FILL, LARGE as usize);
        }
    }
    Some(())
}

fn map_image(frames: &mut EarlyFrames) -> Option<()> {
    let parts = [
        (
            &raw const __entry_start as u64,
            &raw const __text_end as u64,
            flag::CODE,
        ),
        (
            &raw const __rodata_start as u64,
            &raw const __rodata_end as u64,
            flag::CONST,
        ),
        (
            &raw const __data_start as u64,
            &raw const __image_end as u64,
            flag::DATA,
        ),
    ];
    for (start, end, bits) in parts {
        let tables = &mut EarlyTables(frames);
        paging::map(tables, start, image_pa(start), end - start, bits, false)?;
    }
    Some(())
}

/// Maps RAM and what firmware keeps in it. The image's code and constants are read-only here
/// too.
fn map_direct(info: &BootInfo, frames: &mut EarlyFrames, gigabyte: bool) -> Option<()> {
    let ro = (image_range().0, image_pa(&raw const __rodata_end as u64));
    let mut map = |start: u64, end: u64, bits: u64| match end.checked_sub(start) {
        None | Some(0) => Some(()),
        Some(len) => {
            let tables = &mut EarlyTables(frames);
            paging::map(tables, DIRECT_MAP_VA + start, start, len, bits, gigabyte)
        }
    };
    let wanted = |kind| matches!(kind, MemoryKind::Ram | MemoryKind::Acpi | MemoryKind::Nvs);
    let mut ranges = info
        .memory
        .ranges()
        .iter()
        .filter(|r| wanted(r.kind))
        .peekable();
    while let Some(first) = ranges.next() {
        let mut end = first.end();
        while let Some(next) = ranges.next_if(|r| r.base == end) {
            end = next.end();
        }
        let start = first.base.next_multiple_of(4096);
        let end = end.min(MAX_RAM) & !4095;
        if start >= end {
            continue;
        }
        map(start, end.min(ro.0), flag::DATA)?;
        map(start.max(ro.0), end.min(ro.1), flag::CONST)?;
        map(start.max(ro.1), end, flag::DATA)?;
    }
    Some(())
}

/// Whether there is RAM between two machine addresses.
fn has_ram(info: &BootInfo, start: u64, end: u64) -> bool {
    let mut ram = info
        .memory
        .ranges()
        .iter()
        .filter(|r| r.kind == MemoryKind::Ram);
    ram.any(|r| r.base < end && r.end() > start)
}

/// Offsets in a window of the 2 MiB pages that describe RAM.
fn windows(info: &BootInfo, end: u64, span: u64) -> impl Iterator<Item = u64> {
    let backed = move |start: &u64| has_ram(info, *start, *start + span);
    (0..end)
        .step_by(span as usize)
        .filter(backed)
        .map(move |start| start / span * LARGE)
}

/// Where a window of tables is mapped.
struct Place {
    va: u64,
    /// Bits of an entry that maps what describes RAM.
    bits: u64,
    /// Bits of one that maps what describes none.
    hole: u64,
}

/// Maps a window of 2 MiB pages, each describing `span` bytes of RAM, at each of `places`. What
/// describes no RAM is one page full of `fill`, mapped again and again.
fn map_window(
    info: &BootInfo,
    frames: &mut EarlyFrames,
    end: u64,
    span: u64,
    places: &[Place],
    fill: u8,
) -> Option<()> {
    let mut hole = None;
    let backed = |start| has_ram(info, start, start + span);
    for start in (0..end)
        .step_by(span as usize)
        .filter(|start| backed(*start))
    {
        let pa = frames.take(LARGE, LARGE, u64::MAX)?;
        for place in places {
            let at = place.va + start / span * LARGE;
            paging::map(&mut EarlyTables(frames), at, pa, LARGE, place.bits, false)?;
        }
    }
    for place in places {
        let mut table = None;
        for start in (0..end)
            .step_by(span as usize)
            .filter(|start| !backed(*start))
        {
            let source = &mut EarlyTables(frames);
            let page = match hole {
                Some(page) => page,
                None => *hole.insert(filled_page(source, fill)?),
            };
            let table = match table {
                Some(table) => table,
                None => *table.insert(paging::repeated(source, page, place.hole)?),
            };
            paging::link(source, place.va + start / span * LARGE, table, place.hole)?;
        }
    }
    Some(())
}

fn filled_page(source: &mut EarlyTables<'_>, fill: u8) -> Option<u64> {
    let page = source.table()?;
    // SAFETY: taken just now, below 4 GiB, which the early direct map covers.
    unsafe { core::ptr::write_bytes((DIRECT_MAP_VA + page) as *mut u8, fill, 4096) };
    Some(page)
}

/// Loads CR3 and drops global translations.
///
/// # Safety
/// The tables must map everything in use where it is.
pub unsafe fn load_root(root: u64) {
    // SAFETY: the caller's promise; CR4.PGE off and on again flushes global entries.
    unsafe {
        let cr4 = io::read_cr4();
        core::arch::asm!("mov cr4, {}", in(reg) cr4 & !0x80, options(nostack));
        core::arch::asm!("mov cr3, {}", in(reg) root, options(nostack));
        core::arch::asm!("mov cr4, {}", in(reg) cr4, options(nostack));
    }
}
