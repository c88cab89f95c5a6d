//! Flushing the running CPU's TLB.
//!
//! Why unsafe: INVLPG and control registers. No state but the machine's flush clock.

use super::super::mem::TLB;
use super::super::mitigate::xpti;
use super::super::{apic, area, io, smp};
use super::FLUSH_VECTOR;
use crate::cpumask::CpuMask;
use crate::tlb::Flush;
use core::arch::asm;

/// Flushes this CPU's whole TLB, global entries too, by toggling CR4.PGE.
fn flush_all(cpu: u32) {
    TLB.note_full_flush(cpu);
    if xpti::on() {
        xpti::renew_current(cpu);
    }
    let cr4 = io::read_cr4();
    // SAFETY: only PGE changes, and comes back.
    unsafe {
        if cr4 & 1 << 7 != 0 {
            asm!("mov cr4, {}", in(reg) cr4 & !(1 << 7), options(nostack, preserves_flags));
            asm!("mov cr4, {}", in(reg) cr4, options(nostack, preserves_flags));
        } else {
            asm!("mov {t}, cr3", "mov cr3, {t}", t = out(reg) _,
                options(nostack, preserves_flags));
        }
    }
}

/// Flushes `what` on `cpu`, the running CPU.
#[inline]
pub fn do_flush(cpu: u32, what: Flush) {
    match what {
        Flush::All => flush_all(cpu),
        // SAFETY: drops a translation, which the next access makes again.
        Flush::Page(va) => unsafe {
            asm!("invlpg [{}]", in(reg) va, options(nostack, preserves_flags));
        },
    }
}

/// Flushes `what` on the CPUs of `mask`, of which the running one is `cpu`; waits for the others.
pub fn flush_on(cpu: u32, mask: &CpuMask, what: Flush) {
    let mut others = *mask;
    if others.contains(cpu) {
        do_flush(cpu, what);
        others.clear(cpu);
    }
    let kick = |cpu| apic::send_ipi(cpu, FLUSH_VECTOR);
    TLB.request(&others, what, kick, relax);
}

/// Makes each CPU flush that has not since the TLB clock stood at `stamp`. Nothing is done on
/// the boot stack, from before any guest.
pub fn flush_everywhere(stamp: u32) {
    if let Some(area) = area::current() {
        let need = TLB.need_flush(&CpuMask::first(smp::online()), stamp);
        flush_on(area.cpu, &need, Flush::All);
    }
}

/// What a CPU does while it waits for another: answers TLB flush requests.
pub fn relax() {
    core::hint::spin_loop();
    if let Some(area) = area::current() {
        TLB.answer(area.cpu, |what| do_flush(area.cpu, what));
    }
}
