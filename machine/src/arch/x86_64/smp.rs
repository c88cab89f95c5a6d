//! Starting the other processors.
//!
//! Why unsafe: copies code below 1 MiB, writes the boot root table, and hands stacks to other
//! CPUs. The boot CPU starts one CPU at a time, so the trampoline page has one user. Invariant:
//! a CPU that is counted online runs on its own area's stack and waits for [`release`].

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering};

use super::area::{self, AreaMapper};
use super::galloc::HeapPages;
use super::layout::*;
use super::paging::{self, TableSource};
use super::{apic, clock, cpu, features, memory, mitigate};
use crate::boot::{BootInfo, MemoryKind};
use crate::cpu::CpuApi;
use crate::cpumask::{AtomicCpuMask, MAX_CPUS};
use crate::platform::Platform;

global_asm!(
    r#"
    .section .rodata.trampoline, "a"
    .balign 16
    .global trampoline_start
trampoline_start:
    .code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    xorl %ebx, %ebx
    movw %ax, %bx
    shll $4, %ebx
    lgdtl trampoline_gdtr - trampoline_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl *trampoline_far32 - trampoline_start
    .code32
trampoline_32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl trampoline_root - trampoline_start(%ebx), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl $0x80010013, %eax
    movl %eax, %cr0
    ljmpl *trampoline_far64 - trampoline_start(%ebx)
    .code64
trampoline_64:
    movl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %eax, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movq trampoline_stack - trampoline_start(%rbx), %rsp
    movq trampoline_cpu - trampoline_start(%rbx), %rdi
    movq trampoline_entry - trampoline_start(%rbx), %rax
    callq *%rax
    ud2
    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
    .quad 0x00af9a000000ffff
trampoline_gdtr:
    .short 31
    .global trampoline_gdt_base
trampoline_gdt_base:
    .long trampoline_gdt - trampoline_start
    .balign 8
    .global trampoline_far32
trampoline_far32:
    .long trampoline_32 - trampoline_start
    .short 8
    .balign 8
    .global trampoline_far64
trampoline_far64:
    .long trampoline_64 - trampoline_start
    .short 24
    .balign 8
    .global trampoline_root
trampoline_root:
    .quad 0
    .global trampoline_stack
trampoline_stack:
    .quad 0
    .global trampoline_cpu
trampoline_cpu:
    .quad 0
    .global trampoline_entry
trampoline_entry:
    .quad 0
    .global trampoline_end
trampoline_end:
    .text
"#,
    options(att_syntax)
);

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_gdt_base: u8;
    static trampoline_far32: u8;
    static trampoline_far64: u8;
    static trampoline_root: u8;
    static trampoline_stack: u8;
    static trampoline_cpu: u8;
    static trampoline_entry: u8;
    static trampoline_end: u8;
    static boot_tables: u8;
}

/// What the policy runs on each released CPU; one that returns halts its CPU.
pub type Released = &'static (dyn Fn(cpu::Cpu) + Sync);

static ONLINE: AtomicCpuMask = AtomicCpuMask::new();
static COUNT: AtomicU32 = AtomicU32::new(1);
static RELEASE: spin::Once<Released> = spin::Once::new();
/// LINT pin of NMIs plus one; 0 for none.
static NMI_LINT: AtomicU32 = AtomicU32::new(0);

/// Pages and mappings for areas.
pub struct Areas;

impl AreaMapper for Areas {
    fn alloc_page(&mut self) -> Option<u64> {
        HeapPages.table()
    }

    fn map_page(&mut self, va: u64, pa: u64, flags: u64) -> Option<()> {
        paging::map(&mut HeapPages, va, pa, 4096, flags | 0x60, false)
    }

    fn image_pa(&self, va: u64) -> u64 {
        memory::image_pa(va)
    }
}

/// CPUs that run, the boot CPU included.
pub fn online() -> u32 {
    COUNT.load(Ordering::Acquire)
}

/// The LINT pin that brings NMIs.
pub fn nmi_lint() -> Option<u8> {
    NMI_LINT
        .load(Ordering::Relaxed)
        .checked_sub(1)
        .map(|pin| pin as u8)
}

/// Remembers the LINT pin that brings NMIs.
pub fn set_nmi_lint(platform: &Platform) {
    // LINT1 where the tables are silent, as on every PC.
    let pin = platform.nmi_lint.map_or(1, |(pin, _)| pin);
    NMI_LINT.store(u32::from(pin) + 1, Ordering::Relaxed);
}

/// Starts up to `max` CPUs in all, this one included. CPUs get numbers in the firmware's
/// order, without gaps; one that does not answer is left out.
pub fn start(info: &BootInfo, platform: &Platform, max: u32) -> u32 {
    let Some(page) = trampoline_page(info) else {
        return online();
    };
    let me = apic::id();
    let others = platform
        .cpus
        .iter()
        .filter(|c| c.enabled && c.apic_id != me);
    for entry in others {
        let cpu = online();
        if cpu >= max.min(MAX_CPUS as u32) || (!apic::is_x2apic() && entry.apic_id > 254) {
            break;
        }
        if area::create(cpu, entry.apic_id, &mut Areas).is_none() {
            break;
        }
        apic::set_id(cpu, entry.apic_id);
        if !start_one(page, cpu, entry.apic_id) {
            // Its area stays and cannot be made twice, so its number stays unused as well.
            break;
        }
        COUNT.fetch_add(1, Ordering::AcqRel);
    }
    online()
}

/// A page of RAM below 640 KiB for the trampoline: nothing else uses memory there.
fn trampoline_page(info: &BootInfo) -> Option<u64> {
    let ram = info
        .memory
        .ranges()
        .iter()
        .filter(|r| r.kind == MemoryKind::Ram);
    let mut tops = ram.filter_map(|r| {
        let top = r.end().min(0xa_0000) & !4095;
        top.checked_sub(4096)
            .filter(|page| *page >= r.base.max(0x1000))
    });
    tops.next()
}

fn start_one(page: u64, cpu: u32, apic_id: u32) -> bool {
    prepare(page, cpu);
    apic::command(apic_id, 0x4500);
    clock::delay(10_000_000);
    for wait in [1_000_000u64, 5_000_000_000] {
        apic::command(apic_id, 0x4600 | (page >> 12) as u32);
        let until = clock::now().saturating_add(wait);
        while clock::now() < until {
            if ONLINE.contains(cpu) {
                return true;
            }
            core::hint::spin_loop();
        }
    }
    false
}

/// Copies the trampoline and fills in what CPU `cpu` needs.
fn prepare(page: u64, cpu: u32) {
    let start = &raw const trampoline_start as u64;
    let len = (&raw const trampoline_end as u64 - start) as usize;
    let to = DIRECT_MAP_VA + page;
    let at = |symbol: *const u8| to + (symbol as u64 - start);
    // SAFETY: `page` is RAM that nobody else uses, covered by the direct map; the code is
    // shorter than a page, its fields are aligned, and no CPU runs on it now. The early root
    // table is used by the trampoline only.
    unsafe {
        core::ptr::copy_nonoverlapping(start as *const u8, to as *mut u8, len);
        for field in [
            &raw const trampoline_gdt_base,
            &raw const trampoline_far32,
            &raw const trampoline_far64,
        ] {
            let field = at(field) as *mut u32;
            field.write_unaligned(field.read_unaligned() + page as u32);
        }
        let root = &raw const boot_tables as u64;
        for slot in FIRST_SLOT..END_SLOT {
            ((root + 8 * slot as u64) as *mut u64).write_volatile(paging::host_slot(slot));
        }
        (at(&raw const trampoline_root) as *mut u64).write(memory::image_pa(root));
        (at(&raw const trampoline_stack) as *mut u64).write(area::base(cpu) + AREA_STACK_TOP);
        (at(&raw const trampoline_cpu) as *mut u64).write(u64::from(cpu));
        (at(&raw const trampoline_entry) as *mut u64).write(ap_entry as *const () as u64);
    }
    core::sync::atomic::fence(Ordering::SeqCst);
}

/// First Rust code of another CPU, on its area's stack.
extern "C" fn ap_entry(cpu: u32) -> ! {
    // SAFETY: the host's tables map everything in use; the area was made for this CPU.
    unsafe {
        memory::load_root(paging::host_root());
        features::init_cpu();
        area::load(cpu);
    }
    apic::init_cpu(nmi_lint());
    // SAFETY: once on this CPU, after all of the above.
    let mut me = unsafe { cpu::Cpu::new(cpu) };
    ONLINE.set(cpu);
    loop {
        if let Some(run) = RELEASE.get() {
            mitigate::init_cpu(&mut me);
            run(me);
            super::io::halt_forever();
        }
        if let Some(vector) = me.idle() {
            me.ack(vector);
        }
    }
}

/// Lets the other CPUs run `f`. Once.
pub fn release(f: Released) {
    RELEASE.call_once(|| f);
    for cpu in 1..online() {
        apic::send_ipi(cpu, cpu::KICK_VECTOR);
    }
}
