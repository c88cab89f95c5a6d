//! Each CPU's own area: GDT, IDT, TSS, stacks and the register frame of the guest it runs.
//!
//! Why unsafe: builds and loads descriptor tables, and finds the running CPU's area from the
//! stack pointer (the host stack lies in the area, which is aligned to its size).
//! Invariant: an area is written by its own CPU only, but for the atomics in it.

use super::entry::{self, selector};
use super::features;
use super::layout::*;
use crate::regs::GuestRegs;
use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::AtomicU32;

/// Offset of [`Area::regs`].
pub const REGS: usize = offset_of!(Area, regs);
/// Offset of [`Area::host_rsp`], which is also the end of the register frame.
pub const HOST_RSP: usize = offset_of!(Area, host_rsp);
/// Offset of [`Area::guest_cr3`].
pub const GUEST_CR3: usize = offset_of!(Area, guest_cr3);
/// Offset of [`Area::host_cr3`].
pub const HOST_CR3: usize = offset_of!(Area, host_cr3);
/// Offset of [`Area::host_root`].
pub const HOST_ROOT: usize = offset_of!(Area, host_root);
/// Offset of [`Area::data_selector`].
pub const DATA_SELECTOR: usize = offset_of!(Area, data_selector);
/// Offset of [`Area::measures`].
pub const MEASURES: usize = offset_of!(Area, measures);

/// Offset of [`Area::short`].
pub const SHORT: usize = offset_of!(Area, short);

/// Long-mode task state segment (Intel SDM 3A, 8.7).
#[repr(C, packed(4))]
pub struct Tss {
    _reserved0: u32,
    rsp: [u64; 3],
    _reserved1: u64,
    ist: [u64; 7],
    _reserved2: u64,
    _reserved3: u16,
    io_map: u16,
}

/// What the short ways between a guest's kernel and its users need: see `shortcut`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Short {
    /// Bit 0: the guest's kernel runs (else its users). Bit 1: the short ways may be taken.
    pub state: u64,
    /// Where the type words of the two root tables are, or [`super::shortcut::NO_ROOT`].
    pub kernel_type: u64,
    pub user_type: u64,
    /// The root tables.
    pub kernel_cr3: u64,
    pub user_cr3: u64,
    /// Where the kernel's frame of a system call goes.
    pub frame: u64,
    /// The kernel's handler of system calls.
    pub entry: u64,
    /// Bits that the frame's RFLAGS get.
    pub flags: u64,
    /// Where `vcpu_info` is.
    pub info: u64,
    /// Registers in use meanwhile: RAX, RBX, RCX, RDX, RSI, R11.
    pub saved: [u64; 6],
}

/// What the entry code and the host need of one CPU.
#[repr(C, align(4096))]
pub struct Area {
    _align: u64,
    /// The guest's registers; RSP0 points at the end of it.
    pub regs: GuestRegs,
    /// Where the host continues at the guest's next exit.
    pub host_rsp: u64,
    /// Root table to run the guest on, when the host's differs (XPTI); else zero.
    pub guest_cr3: u64,
    /// Root table of the host, when it differs (XPTI); else zero.
    pub host_cr3: u64,
    /// The host's own root table, on which NMIs and the like of the host are served.
    pub host_root: u64,
    /// [`selector::HOST_DS`], for VERW.
    pub data_selector: u64,
    /// Where the measures before a guest's entry go on, in this area's mapping of the code.
    pub measures: u64,
    /// Index of this CPU.
    pub cpu: u32,
    /// Its local APIC's id.
    pub apic_id: u32,
    /// Vectors of interrupts taken while the host idled, one bit each.
    pub pending: [AtomicU32; 8],
    /// NMIs taken by the host and not yet handed on.
    pub nmi: AtomicU32,
    _pad: u32,
    /// The short ways.
    pub short: Short,
    tss: Tss,
}

const _: () = assert!(HOST_RSP == REGS + size_of::<GuestRegs>());
const _: () = assert!(HOST_RSP.is_multiple_of(16));
const _: () = assert!(size_of::<Tss>() == 104);
const _: () = assert!(size_of::<Area>() as u64 <= AREA_ENTRY - AREA_DATA);

/// Page flags used for areas.
const RW: u64 = 1 | 2 | 1 << 63;
const RX: u64 = 1;

/// What setting up an area needs of the boot code's page tables.
pub trait AreaMapper {
    /// A zeroed page that stays allocated; its machine address.
    fn alloc_page(&mut self) -> Option<u64>;
    /// Maps one 4 KiB page of the hypervisor. `flags` are raw PTE bits (P, RW, NX).
    fn map_page(&mut self, va: u64, pa: u64, flags: u64) -> Option<()>;
    /// The machine address behind an address inside the image.
    fn image_pa(&self, va: u64) -> u64;
}

/// Base address of CPU `cpu`'s area.
pub const fn base(cpu: u32) -> u64 {
    AREA_VA + cpu as u64 * AREA_STRIDE
}

/// Maps and fills the area of CPU `cpu`. `None` when memory runs out.
pub fn create(cpu: u32, apic_id: u32, m: &mut dyn AreaMapper) -> Option<()> {
    let base = base(cpu);
    let map_new = |m: &mut dyn AreaMapper, va: u64, len: u64, flags: u64| -> Option<()> {
        for off in (0..len).step_by(4096) {
            let pa = m.alloc_page()?;
            m.map_page(va + off, pa, flags)?;
        }
        Some(())
    };
    map_new(m, base + AREA_GDT + 14 * 4096, 4096, RW)?;
    map_new(m, base + AREA_DATA, size_of::<Area>() as u64, RW)?;
    map_new(m, base + AREA_IDT, 4096, RW)?;
    map_new(
        m,
        base + AREA_STACK + 4096,
        AREA_STACK_TOP - AREA_STACK - 4096,
        RW,
    )?;
    for ist in 0..IST_STACKS {
        let at = base + AREA_IST + ist * AREA_IST_STRIDE + AREA_IST_STRIDE - AREA_IST_SIZE;
        map_new(m, at, AREA_IST_SIZE, RW)?;
    }
    let start = &raw const entry::__entry_start as u64;
    let end = &raw const entry::__entry_end as u64;
    for off in (0..end.saturating_sub(start)).step_by(4096) {
        let pa = m.image_pa(start + off);
        m.map_page(base + AREA_ENTRY + off, pa, RX)?;
    }
    // SAFETY: the pages were mapped above, writable, and no CPU runs on them yet.
    unsafe {
        fill_gdt(base);
        fill_idt(base);
        let area = &mut *((base + AREA_DATA) as *mut Area);
        area.cpu = cpu;
        area.apic_id = apic_id;
        area.host_root = super::paging::host_root();
        area.data_selector = selector::HOST_DS as u64;
        area.measures = base + AREA_ENTRY + super::mitigate::measures_offset();
        area.tss.rsp = [base + AREA_DATA + HOST_RSP as u64; 3];
        for ist in 0..IST_STACKS {
            area.tss.ist[ist as usize] = base + AREA_IST + ist * AREA_IST_STRIDE + AREA_IST_STRIDE;
        }
        area.tss.io_map = size_of::<Tss>() as u16;
    }
    Some(())
}

/// # Safety
/// The area at `base` must be mapped, writable and not in use.
unsafe fn fill_gdt(base: u64) {
    let gdt = (base + AREA_GDT + 14 * 4096) as *mut u64;
    let tss = base + AREA_DATA + offset_of!(Area, tss) as u64;
    let (lo, hi) = system_descriptor(tss, size_of::<Tss>() as u64 - 1, 0x9);
    let entries: [(u16, u64); 7] = [
        (selector::HOST_CS, 0x00af_9b00_0000_ffff),
        (selector::HOST_DS, 0x00cf_9300_0000_ffff),
        (selector::GUEST_CS32, 0x00cf_fb00_0000_ffff),
        (selector::GUEST_SS, 0x00cf_f300_0000_ffff),
        (selector::GUEST_CS64, 0x00af_fb00_0000_ffff),
        (selector::TSS, lo),
        (selector::TSS + 8, hi),
    ];
    for (sel, desc) in entries {
        // SAFETY: selectors from 0xe000 to 0xe060 lie in this page.
        unsafe { gdt.add((sel as usize - 0xe000) >> 3).write(desc) };
    }
}

/// A 16-byte system descriptor: `kind` 9 is a TSS, 2 an LDT.
pub fn system_descriptor(base: u64, limit: u64, kind: u64) -> (u64, u64) {
    let lo = (limit & 0xffff)
        | (base & 0xff_ffff) << 16
        | (kind | 0x80) << 40
        | (limit >> 16 & 0xf) << 48
        | (base >> 24 & 0xff) << 56;
    (lo, base >> 32)
}

/// # Safety
/// As [`fill_gdt`].
unsafe fn fill_idt(base: u64) {
    let idt = (base + AREA_IDT) as *mut [u64; 2];
    let start = &raw const entry::__entry_start as u64;
    let stubs = base + AREA_ENTRY + (&raw const entry::__xenios_stubs as u64 - start);
    for vec in 0..256u64 {
        let at = stubs + vec * 16;
        let ist = match vec {
            1 => 1,
            2 => 2,
            8 => 3,
            18 => 4,
            _ => 0,
        };
        let dpl = if matches!(vec, 3 | 4 | 0x80) { 3 } else { 0 };
        let lo = (at & 0xffff)
            | (selector::HOST_CS as u64) << 16
            | ist << 32
            | (0x8e | dpl << 5) << 40
            | (at >> 16 & 0xffff) << 48;
        // SAFETY: 256 gates of 16 bytes are the page.
        unsafe { idt.add(vec as usize).write([lo, at >> 32]) };
    }
}

/// Vectors that have stacks of their own, in the order of these.
const IST_VECTORS: [u64; IST_STACKS as usize] = [1, 2, 8, 18];

/// Whether the running CPU, `cpu`, serves #DB, NMI, #DF and #MC on stacks of their own. Not
/// while its task register is a guest's.
pub fn use_ist(cpu: u32, on: bool) {
    for (index, vector) in IST_VECTORS.iter().enumerate() {
        let ist = if on { index as u8 + 1 } else { 0 };
        let at = base(cpu) + AREA_IDT + vector * 16 + 4;
        // SAFETY: the byte of a gate of this CPU's own table that names the stack.
        unsafe { (at as *mut u8).write_volatile(ist) };
    }
}

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Loads descriptor tables, TSS and the SYSCALL registers on the running CPU.
///
/// # Safety
/// The caller runs on CPU `cpu`, whose area was made by [`create`], on any stack.
pub unsafe fn load(cpu: u32) {
    let base = base(cpu);
    let gdt = TablePointer {
        limit: 0xefff,
        base: base + AREA_GDT,
    };
    let idt = TablePointer {
        limit: 0xfff,
        base: base + AREA_IDT,
    };
    let entry = base + AREA_ENTRY - &raw const entry::__entry_start as u64;
    // SAFETY: the tables are complete and stay mapped for ever; the selectors name flat
    // descriptors in them. The TSS descriptor is made available again because LTR marks it busy.
    unsafe {
        fill_gdt(base);
        asm!(
            "lgdt [{gdt}]",
            "lidt [{idt}]",
            "push {cs}",
            "lea {tmp}, [rip + 2f]",
            "push {tmp}",
            "retfq",
            "2:",
            "mov ss, {ds:x}",
            "xor {tmp:e}, {tmp:e}",
            "mov ds, {tmp:x}",
            "mov es, {tmp:x}",
            "mov fs, {tmp:x}",
            "mov gs, {tmp:x}",
            "lldt {tmp:x}",
            "ltr {tss:x}",
            gdt = in(reg) &gdt,
            idt = in(reg) &idt,
            cs = in(reg) selector::HOST_CS as u64,
            ds = in(reg) selector::HOST_DS as u64,
            tss = in(reg) selector::TSS as u64,
            tmp = out(reg) _,
        );
        // STAR: SYSCALL loads CS 0xe008 and SS 0xe010; SYSRET CS 0xe033 and SS 0xe02b.
        let star = (selector::GUEST_CS32 as u64) << 48 | (selector::HOST_CS as u64) << 32;
        wrmsr(0xc000_0081, star);
        wrmsr(
            0xc000_0082,
            entry + &raw const entry::__xenios_syscall as u64,
        );
        wrmsr(
            0xc000_0083,
            entry + &raw const entry::__xenios_syscall32 as u64,
        );
        let f = features::get();
        if f.sysenter && !f.amd {
            wrmsr(0x174, selector::HOST_CS as u64);
            wrmsr(0x175, base + AREA_DATA + HOST_RSP as u64);
            let at = &raw const entry::__xenios_sysenter as u64;
            wrmsr(0x176, entry + at);
        }
        // Flags cleared on SYSCALL: all that change how the host would run.
        wrmsr(0xc000_0084, 0x0024_7700 | 1 << 18);
    }
}

/// # Safety
/// The register must exist and the value be legal and harmless to the host.
pub unsafe fn wrmsr(msr: u32, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// # Safety
/// The register must exist.
pub unsafe fn rdmsr(msr: u32) -> u64 {
    let (lo, hi): (u32, u32);
    // SAFETY: the caller's.
    unsafe {
        asm!("rdmsr", in("ecx") msr, out("eax") lo, out("edx") hi,
            options(nostack, preserves_flags));
    }
    (hi as u64) << 32 | lo as u64
}

/// The running CPU's area, or `None` on a boot stack. IST stacks lie in the area too.
#[inline(always)]
pub fn current() -> Option<&'static Area> {
    let rsp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) rsp, options(nomem, nostack, preserves_flags)) };
    if rsp >> 39 != AREA_VA >> 39 {
        return None;
    }
    // SAFETY: this stack lies in an area, and areas are never unmapped.
    Some(unsafe { &*(((rsp & !(AREA_STRIDE - 1)) + AREA_DATA) as *const Area) })
}
