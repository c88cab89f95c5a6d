//! The boot CPU's way from the first Rust instruction to the policy's `main`.
//!
//! Why unsafe: fills statics that are read-only afterwards, switches stacks. Runs once, on one
//! CPU, before anything else does.

use core::cell::UnsafeCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};

use super::layout::*;
use super::serial::{self, Serial};
use super::{
    apic, area, clock, cpu, features, galloc, io, ioapic, iommu, mem, memory, paging, pic, power,
    smp,
};
use crate::boot::early::EarlyFrames;
use crate::boot::{BootInfo, Handover, PhysMemory, multiboot1, multiboot2};
use crate::heap::Heap;
use crate::platform::{Platform, acpi};
use crate::settings::Settings;
use crate::{Mem, Mfn};

/// Facts that the boot CPU writes and everybody reads once `READY` is set.
struct Facts {
    info: UnsafeCell<BootInfo>,
    platform: UnsafeCell<Platform>,
    settings: UnsafeCell<Settings>,
}

// SAFETY: written by the boot CPU alone, before `READY`; only read afterwards.
unsafe impl Sync for Facts {}

static FACTS: Facts = Facts {
    info: UnsafeCell::new(BootInfo::new()),
    platform: UnsafeCell::new(Platform::new()),
    settings: UnsafeCell::new(Settings::new()),
};
static READY: AtomicBool = AtomicBool::new(false);

unsafe extern "Rust" {
    /// The image's main function, see [`crate::entry_point`].
    safe fn xenios_main(handover: Handover) -> !;
    /// What the command line asks of the machine; allocates nothing.
    safe fn xenios_settings(line: &str) -> Settings;
}

/// Physical memory as the early tables show it: the first 4 GiB.
struct EarlyMemory;

impl PhysMemory for EarlyMemory {
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        if addr.checked_add(len as u64)? > 1 << 32 {
            return None;
        }
        // SAFETY: mapped by the early tables at both places; the loader's and the firmware's
        // memory is not written while the boot code reads it.
        Some(unsafe { core::slice::from_raw_parts((DIRECT_MAP_VA + addr) as *const u8, len) })
    }
}

/// The machine's facts; `None` before they are known.
pub fn platform() -> Option<&'static Platform> {
    // SAFETY: read-only from `READY` on.
    READY
        .load(Ordering::Acquire)
        .then(|| unsafe { &*FACTS.platform.get() })
}

/// What the command line asks of the machine; `None` before it is known.
pub(super) fn settings() -> Option<&'static Settings> {
    // SAFETY: read-only from `READY` on.
    READY
        .load(Ordering::Acquire)
        .then(|| unsafe { &*FACTS.settings.get() })
}

/// A module's bytes, for [`Handover`], which checks that they are RAM and not in use.
pub fn boot_bytes(addr: u64, len: u64) -> &'static [u8] {
    // SAFETY: RAM below `MAX_RAM` is in the direct map; the loader put it below 4 GiB; modules
    // are kept out of the heap until they are freed, which needs the handover exclusively.
    unsafe { core::slice::from_raw_parts((DIRECT_MAP_VA + addr) as *const u8, len as usize) }
}

/// The machine's memory; read once the boot code is done with it.
pub(super) fn memory_map() -> &'static crate::boot::MemoryMap {
    &info().memory
}

fn info() -> &'static BootInfo {
    // SAFETY: called by the boot code after it was written for the last time.
    unsafe { &*FACTS.info.get() }
}

fn fail(what: &str) -> ! {
    let _ = writeln!(Serial, "Xenios cannot start: {what}");
    io::halt_forever()
}

macro_rules! say {
    ($($arg:tt)*) => { serial::early_line(format_args!($($arg)*)) };
}

/// Called by the assembly in `head` on the boot stack, with the early page tables.
pub extern "C" fn boot_entry(magic: u32, at: u32) -> ! {
    // SAFETY: nobody else runs, and no reference to them exists yet.
    let (info, platform, settings) = unsafe {
        (
            &mut *FACTS.info.get(),
            &mut *FACTS.platform.get(),
            &mut *FACTS.settings.get(),
        )
    };
    let parsed = match magic {
        multiboot1::MAGIC => multiboot1::parse(&EarlyMemory, u64::from(at), info),
        multiboot2::MAGIC => multiboot2::parse(&EarlyMemory, u64::from(at), info),
        _ => None,
    };
    *settings = xenios_settings(&info.command_line);
    if let Some(port) = &settings.serial {
        serial::init(port);
    }
    say!("Xenios {}", env!("CARGO_PKG_VERSION"));
    if magic != multiboot1::MAGIC && magic != multiboot2::MAGIC {
        fail("not loaded by a Multiboot 1 or 2 loader");
    }
    if parsed.is_none() || info.memory.ram_bytes() == 0 {
        fail("the loader passed no memory map");
    }
    info.memory.limit(settings.ram_end, settings.ram_bytes);
    super::panic::set_reboot(settings.reset_after_crash);
    features::detect(settings);
    if acpi::parse(&EarlyMemory, info.rsdp, info.efi_system_table, platform).is_none() {
        say!("No ACPI tables found");
    }
    let frames = &mut free_frames(info, settings);
    // SAFETY: before any guest or other CPU, with the direct map writable.
    unsafe { cpu::patch_entry(features::get().smap) };
    if memory::build(info, frames, features::get().gigabyte_pages).is_none() {
        fail("too little memory for its own tables");
    }
    features::init_cpu();
    // SAFETY: `memory::build` mapped both windows for all frames below this, and cleared them.
    let mem = unsafe { mem::init(memory::frames_end(info)) };
    galloc::init(free_heap(mem, frames));
    if area::create(0, 0, &mut smp::Areas).is_none() {
        fail("too little memory for the boot CPU's area");
    }
    READY.store(true, Ordering::Release);
    // SAFETY: the area was made just now for this CPU; `on_area_stack` never returns.
    unsafe {
        area::load(0);
        core::arch::asm!(
            "mov rsp, {stack}",
            "xor ebp, ebp",
            "push rbp",
            "push rbp",
            "call {go}",
            "ud2",
            stack = in(reg) area::base(0) + AREA_STACK_TOP,
            go = sym on_area_stack,
            options(noreturn),
        )
    }
}

/// RAM that neither the image nor a module nor the first megabyte takes, and that is not bad.
fn free_frames(info: &BootInfo, settings: &Settings) -> EarlyFrames {
    let mut frames = EarlyFrames::new(&info.memory, 0x10_0000, memory::MAX_RAM);
    let (start, end) = memory::image_range();
    frames.reserve(start, end);
    for module in &info.modules {
        frames.reserve(module.start, module.start.saturating_add(module.len));
    }
    for &(first, last) in &settings.bad_frames {
        let end = last.saturating_add(1).saturating_mul(4096);
        frames.reserve(first.saturating_mul(4096), end);
    }
    frames
}

/// The heap of what the boot code left free.
fn free_heap(mem: Mem, frames: &EarlyFrames) -> Heap {
    let mut heap = Heap::new(mem);
    for range in frames.ranges() {
        heap.add_range(Mfn::of(range.base), Mfn::of(range.end()));
    }
    heap
}

extern "C" fn on_area_stack() -> ! {
    let (info, Some(platform), Some(settings), Some(heap)) =
        (info(), platform(), settings(), galloc::frames())
    else {
        fail("lost its facts")
    };
    pic::disable();
    if apic::init_boot(platform, settings).is_none() {
        fail("cannot map the local APIC");
    }
    smp::set_nmi_lint(platform);
    apic::init_cpu(smp::nmi_lint());
    apic::set_id(0, apic::id());
    ioapic::init(platform);
    iommu::init(platform);
    power::prepare(&settings.reset);
    let source = clock::init(platform, settings.reference);
    let timer = apic::calibrate();
    report(info, platform, source, timer);
    // SAFETY: once, on this CPU, its area loaded and its control registers set.
    let cpu = unsafe { cpu::Cpu::new(0) };
    let cpus = smp::start(info, platform, settings.max_cpus);
    say!("Brought up {cpus} CPUs");
    xenios_main(Handover {
        info,
        platform,
        mem: mem::get(),
        heap,
        cpu,
        cpus,
        modules_freed: 0,
    })
}

fn report(info: &BootInfo, platform: &Platform, source: &str, timer: u64) {
    say!(
        "Loader: {}, command line: {}",
        info.loader,
        info.command_line
    );
    for r in info.memory.ranges() {
        say!(" {:016x}-{:016x} {:?}", r.base, r.end(), r.kind);
    }
    for m in &info.modules {
        say!("Module {:#x}+{:#x}: {}", m.start, m.len, m.command_line);
    }
    let f = features::get();
    say!(
        "RAM: {} MiB, {} CPUs, {} I/O APICs",
        info.memory.ram_bytes() >> 20,
        platform.cpus.len(),
        ioapic::count()
    );
    let (_, _, khz) = clock::tsc_scale();
    say!("TSC: {}.{:03} MHz by {source}", khz / 1000, khz % 1000);
    let mode = if apic::is_x2apic() { "x2APIC" } else { "xAPIC" };
    if apic::has_deadline() {
        say!("APIC: {mode}, TSC deadline timer");
    } else {
        say!("APIC: {mode}, timer {timer} kHz");
    }
    say!(
        "CPU: SMEP {} SMAP {} FSGSBASE {} XSAVE {} 1GiB pages {}",
        f.smep,
        f.smap,
        f.fsgsbase,
        f.xsave,
        f.gigabyte_pages
    );
    say!(
        "Tables at {:#x}, heap {} KiB",
        paging::host_root(),
        galloc::bytes() >> 10
    );
}
