//! Frames and page tables: the page pool, the P->M and M->P lists, the walk of the live tables.
//!
//! Owns the pool, from which pages are handed out once and never come back; a page is reached
//! through atomics only, so a mapping that a test breaks gives a trap and no undefined value.
//! Nothing is locked.
//!
//! Unsafe: reading the tables that the domain builder left, and raw probes of memory.

use crate::entry::{VIRT_BASE, start_info_va};
use crate::hypercall::{self, HyperResult};
use crate::traps::{self, Fault};
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use xen_abi::mmu::UVMF_INVLPG;
use xen_abi::start_info::StartInfo;

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 4096;
/// Pages in the pool.
const POOL_PAGES: usize = 1024;

/// Page-table entry bits.
pub mod pte {
    /// Present.
    pub const P: u64 = 1;
    /// Writable.
    pub const RW: u64 = 1 << 1;
    /// Reachable from ring 3 (a PV kernel runs there too).
    pub const US: u64 = 1 << 2;
    /// Accessed.
    pub const A: u64 = 1 << 5;
    /// Dirty.
    pub const D: u64 = 1 << 6;
    /// Superpage, or the PAT bit of an L1 entry.
    pub const PSE: u64 = 1 << 7;
    /// Write through.
    pub const PWT: u64 = 1 << 3;
    /// Not cached.
    pub const PCD: u64 = 1 << 4;
    /// No execution.
    pub const NX: u64 = 1 << 63;
    /// A usual writable mapping.
    pub const DATA: u64 = P | RW | US | A | D;
    /// A usual read-only mapping.
    pub const RO: u64 = P | US | A | D;
    /// The frame number's bits.
    pub const MFN_MASK: u64 = 0x000f_ffff_ffff_f000;

    /// An entry for `mfn` with `flags`.
    pub const fn entry(mfn: u64, flags: u64) -> u64 {
        (mfn << 12) | flags
    }
    /// The frame number in an entry.
    pub const fn mfn(entry: u64) -> u64 {
        (entry & MFN_MASK) >> 12
    }
}

#[repr(C, align(4096))]
struct Pool([[AtomicU64; 512]; POOL_PAGES]);

static POOL: Pool = Pool([const { [const { AtomicU64::new(0) }; 512] }; POOL_PAGES]);
static NEXT: AtomicUsize = AtomicUsize::new(0);
static SHARED_INFO: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    static __image_start: [u8; 0];
    static __image_end: [u8; 0];
}

/// A page of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page(usize);

/// Takes a zeroed page from the pool; it is never given back.
///
/// # Panics
/// When the pool is used up.
pub fn alloc() -> Page {
    let index = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(index < POOL_PAGES, "the page pool is used up");
    Page(index)
}

/// Takes `count` pages that follow each other in virtual memory.
///
/// # Panics
/// When the pool is used up.
pub fn alloc_run(count: usize) -> Page {
    let index = NEXT.fetch_add(count, Ordering::Relaxed);
    assert!(index + count <= POOL_PAGES, "the page pool is used up");
    Page(index)
}

impl Page {
    /// Virtual address of the first byte.
    pub fn va(self) -> u64 {
        POOL.0.as_ptr() as u64 + self.0 as u64 * PAGE_SIZE
    }
    /// The page `n` places further on in its run.
    pub fn nth(self, n: usize) -> Page {
        Page(self.0 + n)
    }
    /// Pseudo-physical frame number.
    pub fn pfn(self) -> u64 {
        (self.va() - VIRT_BASE) / PAGE_SIZE
    }
    /// Machine frame number that the domain builder gave this page.
    pub fn mfn(self) -> u64 {
        pfn_to_mfn(self.pfn())
    }
    /// The 64-bit word `i`, modulo the page.
    pub fn word(self, i: usize) -> &'static AtomicU64 {
        &POOL.0[self.0][i % 512]
    }
    /// The 32-bit word `i`, modulo the page.
    pub fn dword(self, i: usize) -> &'static AtomicU32 {
        // SAFETY: inside the pool's page, aligned, and only ever used as atomics.
        unsafe { &*((self.va() + (i as u64 % 1024) * 4) as *const AtomicU32) }
    }
    /// The 16-bit word `i`, modulo the page.
    pub fn half(self, i: usize) -> &'static AtomicU16 {
        // SAFETY: as in `dword`.
        unsafe { &*((self.va() + (i as u64 % 2048) * 2) as *const AtomicU16) }
    }
    /// The byte `i`, modulo the page.
    pub fn byte(self, i: usize) -> &'static AtomicU8 {
        // SAFETY: as in `dword`.
        unsafe { &*((self.va() + i as u64 % 4096) as *const AtomicU8) }
    }
    /// Reads word `i`.
    pub fn get(self, i: usize) -> u64 {
        self.word(i).load(Ordering::SeqCst)
    }
    /// Writes word `i`.
    pub fn set(self, i: usize, value: u64) {
        self.word(i).store(value, Ordering::SeqCst);
    }
    /// Copies code or data into the page from its start.
    pub fn fill(self, bytes: &[u8]) {
        for (i, &b) in bytes.iter().enumerate() {
            self.byte(i).store(b, Ordering::SeqCst);
        }
    }
    /// Maps the page's own address read-only (`MMUEXT_PIN_*` needs that) or writable again.
    pub fn protect(self, writable: bool) -> HyperResult {
        let flags = if writable { pte::DATA } else { pte::RO };
        self.map(pte::entry(self.mfn(), flags))
    }
    /// Sets the entry that maps the page's address.
    pub fn map(self, entry: u64) -> HyperResult {
        hypercall::update_va_mapping(self.va(), entry, UVMF_INVLPG)
    }
}

/// A copy of `start_info`.
pub fn start_info() -> StartInfo {
    // SAFETY: the page that Xen filled and mapped; plain integers, so any content is a value.
    unsafe { core::ptr::read_volatile(start_info_va() as *const StartInfo) }
}

fn read_mapped(va: u64) -> u64 {
    // SAFETY: callers pass addresses in tables the builder left mapped; a hole traps.
    unsafe { core::ptr::read_volatile(va as *const u64) }
}

/// Machine frame of a pseudo-physical frame; `u64::MAX` beyond the domain's size.
pub fn pfn_to_mfn(pfn: u64) -> u64 {
    let info = start_info();
    if pfn < info.nr_pages {
        read_mapped(info.mfn_list + pfn * 8)
    } else {
        u64::MAX
    }
}

/// Address of the machine-to-physical list that every PV guest can read.
pub const M2P: u64 = 0xffff_8000_0000_0000;

/// Pseudo-physical frame that Xen's list gives for a machine frame.
pub fn mfn_to_pfn(mfn: u64) -> Result<u64, Fault> {
    probe_read(M2P + mfn * 8)
}

/// One level of a walk: where the entry is and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Machine address of the entry.
    pub ma: u64,
    /// Virtual address at which this kernel can read it.
    pub va: u64,
    /// The entry.
    pub entry: u64,
}

/// Walks the boot page tables: the slots of levels 4 to 1, as far as they are present.
pub fn walk(va: u64) -> [Option<Slot>; 4] {
    let mut slots = [None; 4];
    let mut table = start_info().pt_base;
    let base = table;
    let base_pfn = (base - VIRT_BASE) / PAGE_SIZE;
    let mut mfn = pfn_to_mfn(base_pfn);
    for (i, out) in slots.iter_mut().enumerate() {
        let shift = 39 - 9 * i;
        let offset = ((va >> shift) & 511) * 8;
        let slot = Slot {
            ma: (mfn << 12) + offset,
            va: table + offset,
            entry: read_mapped(table + offset),
        };
        *out = Some(slot);
        if slot.entry & pte::P == 0 || i == 3 {
            break;
        }
        mfn = pte::mfn(slot.entry);
        let Ok(pfn) = mfn_to_pfn(mfn) else { break };
        table = VIRT_BASE + pfn * PAGE_SIZE;
    }
    slots
}

/// The L1 slot of a mapped address.
///
/// # Panics
/// When the boot tables have no L1 for it.
pub fn l1_slot(va: u64) -> Slot {
    walk(va)[3].expect("an address of the boot mapping")
}

/// Machine frame of the boot L4.
pub fn boot_l4_mfn() -> u64 {
    pfn_to_mfn((start_info().pt_base - VIRT_BASE) / PAGE_SIZE)
}

fn in_image(va: u64) -> bool {
    let image = (&raw const __image_start as u64)..(&raw const __image_end as u64);
    let pool = (POOL.0.as_ptr() as u64)..(POOL.0.as_ptr() as u64 + POOL_PAGES as u64 * PAGE_SIZE);
    image.contains(&va) && !pool.contains(&va)
}

/// Reads eight bytes anywhere, or says how it trapped.
pub fn probe_read(va: u64) -> Result<u64, Fault> {
    // SAFETY: a volatile read of plain bits; a bad address traps and `catch` resumes.
    traps::catch(|| unsafe { core::ptr::read_volatile(va as *const u64) })
}

/// Writes eight bytes anywhere but in the kernel's own image, or says how it trapped.
///
/// # Panics
/// For an address inside the image and outside the pool.
pub fn probe_write(va: u64, value: u64) -> Result<(), Fault> {
    assert!(!in_image(va), "a probe may not write to the kernel's image");
    // SAFETY: outside every Rust object of this kernel; a bad address traps.
    traps::catch(|| unsafe { core::ptr::write_volatile(va as *mut u64, value) })
}

/// Maps the shared page at an address of the pool; called once by the runtime.
pub(crate) fn init() {
    let page = alloc();
    let mfn = start_info().shared_info >> 12;
    if page.map(pte::entry(mfn, pte::DATA)).is_ok() {
        SHARED_INFO.store(page.0 as u64 + 1, Ordering::Relaxed);
        let local = crate::local::this();
        local.vcpu_info.store(page.va(), Ordering::Relaxed);
    }
}

/// Makes `page`, which the shared page was put in place of, the runtime's.
pub(crate) fn adopt_shared_info(page: Page) {
    SHARED_INFO.store(page.0 as u64 + 1, Ordering::Relaxed);
}

/// The shared page.
///
/// # Panics
/// When it could not be mapped at boot.
pub fn shared_info() -> Page {
    match SHARED_INFO.load(Ordering::Relaxed) {
        0 => panic!("shared_info could not be mapped"),
        n => Page(n as usize - 1),
    }
}

/// Reads eight bytes anywhere; a bad address traps to whoever catches.
pub fn read_uncaught(va: u64) -> u64 {
    // SAFETY: as `probe_read`, with the caller's `catch`.
    unsafe { core::ptr::read_volatile(va as *const u64) }
}

/// Writes eight bytes anywhere but in the kernel's own image; traps to whoever catches.
///
/// # Panics
/// For an address inside the image and outside the pool.
pub fn write_uncaught(va: u64, value: u64) {
    assert!(!in_image(va), "a probe may not write to the kernel's image");
    // SAFETY: as `probe_write`, with the caller's `catch`.
    unsafe { core::ptr::write_volatile(va as *mut u64, value) }
}
