//! Exceptions and interrupts of a PVH kernel: an IDT of its own.
//!
//! An exception ends the [`crate::traps::catch`] that runs, as in a PV kernel. An interrupt is
//! counted, acknowledged as told by [`set_eoi`], and is an event upcall if its vector is the one
//! of [`set_event_vector`]. Owns the IDT and the counts; atomics only.
//!
//! Unsafe: building and loading the table, the stubs' frame.

use crate::local;
use crate::traps::{Frame, fault_of, recover};
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};

global_asm!(
    ".section .text.pvh, \"ax\", @progbits",
    ".globl pvh_stubs",
    ".balign 16",
    "pvh_stubs:",
    "    .set vec, 0",
    "    .rept 256",
    "    .balign 16",
    "    .if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17) || (vec == 21) || (vec == 29) || (vec == 30)",
    "    .else",
    "    push 0",
    "    .endif",
    "    push vec",
    "    jmp pvh_common",
    "    .set vec, vec + 1",
    "    .endr",
    "pvh_common:",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push rcx",
    "    push rax",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    cld",
    "    mov rdi, rsp",
    "    mov rbx, rsp",
    "    and rsp, -16",
    "    call {handler}",
    "    mov rsp, rbx",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    pop r11",
    "    pop r10",
    "    pop r9",
    "    pop r8",
    "    pop rax",
    "    pop rcx",
    "    pop rdx",
    "    pop rsi",
    "    pop rdi",
    "    add rsp, 16",
    "    iretq",
    ".text",
    handler = sym handle,
);

unsafe extern "C" {
    static pvh_stubs: [u8; 0];
}

#[repr(C, align(4096))]
struct Idt([[AtomicU64; 2]; 256]);

static IDT: Idt = Idt([const { [const { AtomicU64::new(0) }; 2] }; 256]);
static COUNTS: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];
static EVENT: AtomicU64 = AtomicU64::new(0);
static EOI: AtomicU64 = AtomicU64::new(0);

/// How interrupts are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eoi {
    /// Not at all.
    None = 0,
    /// At the local APIC's page.
    Xapic = 1,
    /// At its registers.
    X2apic = 2,
}

/// Sets how interrupts, but for the event upcall, are acknowledged.
pub fn set_eoi(eoi: Eoi) {
    EOI.store(eoi as u64, Ordering::SeqCst);
}

/// Sets the vector that is the event upcall; 0 for none.
pub fn set_event_vector(vector: u8) {
    EVENT.store(vector.into(), Ordering::SeqCst);
}

/// Interrupts taken at `vector` so far.
pub fn count(vector: u8) -> u64 {
    COUNTS
        .get(usize::from(vector))
        .map_or(0, |count| count.load(Ordering::SeqCst))
}

fn cr2() -> u64 {
    let value;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

extern "C" fn handle(frame: &mut Frame) {
    let vector = frame.vector;
    if vector < 32 && vector != 2 {
        let cr2 = if vector == 14 { cr2() } else { 0 };
        return recover(frame, fault_of(frame, cr2), None);
    }
    if let Some(count) = COUNTS.get(vector as usize) {
        count.fetch_add(1, Ordering::SeqCst);
    }
    if vector == EVENT.load(Ordering::SeqCst) {
        local::this().upcalls.fetch_add(1, Ordering::Relaxed);
        crate::traps::upcall_pending().store(0, Ordering::SeqCst);
    } else if vector != 2 {
        match EOI.load(Ordering::SeqCst) {
            1 => super::apic::write(super::apic::EOI, 0),
            2 => super::apic::write_x2(super::apic::EOI, 0),
            _ => {}
        }
    }
}

pub(super) fn init() {
    let stubs = &raw const pvh_stubs as u64;
    for (vector, gate) in IDT.0.iter().enumerate() {
        let at = stubs + 16 * vector as u64;
        let low = at & 0xffff | 8 << 16 | 0x8e00 << 32 | (at >> 16 & 0xffff) << 48;
        let [first, second] = gate;
        first.store(low, Ordering::Relaxed);
        second.store(at >> 32, Ordering::Relaxed);
    }
    load();
}

/// Makes the table the running vCPU's.
pub(super) fn load() {
    #[repr(C, packed)]
    struct Pointer(u16, u64);
    let pointer = Pointer(4095, &raw const IDT as u64);
    // SAFETY: the table is complete and lives for ever.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(nostack)) };
}

/// Runs `wait` with interrupts on.
pub fn with_interrupts<T>(wait: impl FnOnce() -> T) -> T {
    // SAFETY: the handlers above keep every register.
    unsafe { asm!("sti", options(nostack)) };
    let result = wait();
    // SAFETY: as above.
    unsafe { asm!("cli", options(nostack)) };
    result
}

/// Waits for one interrupt, asleep.
pub fn halt() {
    // SAFETY: STI holds interrupts off for one instruction, so none is missed before HLT.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
}
