//! The local APIC.

use guest_rt::harness::Outcome;
use guest_rt::insn::{rdmsr, rdtsc, wrmsr};
use guest_rt::pvh::apic::*;
use guest_rt::pvh::traps::{self as irq, Eoi};
use guest_rt::{check, same, traps};

const APIC_BASE: u32 = 0x1b;
const TSC_DEADLINE: u32 = 0x6e0;
/// Spins to wait for an interrupt that comes at once.
const SHORT: u32 = 10_000;
/// Spins to wait for the timer.
const LONG: u32 = 50_000_000;

fn enable() {
    irq::set_eoi(Eoi::Xapic);
    write(SVR, 0x1ff);
    write(TPR, 0);
}

/// Whether `vector` is taken within some time.
fn comes(vector: u8, from: u64, spins: u32) -> bool {
    irq::with_interrupts(|| {
        (0..spins).any(|_| {
            core::hint::spin_loop();
            irq::count(vector) > from
        })
    })
}

pub fn identity() -> Outcome {
    same!(read(ID), 0);
    same!(read(VERSION) & 0xff, 0x14);
    check!(read(VERSION) >> 16 & 0xff >= 5, "{:x}", read(VERSION));
    // After reset: disabled, all local vectors masked.
    same!(read(SVR) & 0xff, 0xff);
    same!(read(LVT_TIMER), 0x1_0000);
    same!(read(DFR), u32::MAX);
    Ok(())
}

pub fn registers() -> Outcome {
    enable();
    write(TPR, 0x123);
    same!(read(TPR), 0x23);
    same!(read(PPR), 0x23);
    write(TPR, 0);
    write(LDR, 0x1234_5678);
    same!(read(LDR), 0x1200_0000);
    write(LVT_ERROR, 0x1_00fe);
    same!(read(LVT_ERROR), 0x1_00fe);
    write(LVT_LINT0, u32::MAX);
    same!(read(LVT_LINT0) & 0x1_07ff, 0x1_07ff);
    write(LVT_LINT0, 0x1_0000);
    write(TIMER_DIVIDE, 0xff);
    same!(read(TIMER_DIVIDE), 0xb);
    Ok(())
}

fn bit(register: u32, vector: u8) -> bool {
    read(register + u32::from(vector / 32) * 16) >> (vector % 32) & 1 != 0
}

pub fn self_ipi() -> Outcome {
    enable();
    let before = irq::count(0x51);
    write(ICR_HIGH, 0);
    write(ICR, 0x4_0051);
    check!(bit(IRR, 0x51), "not requested");
    check!(comes(0x51, before, SHORT), "the shorthand's did not come");
    check!(!bit(IRR, 0x51) && !bit(ISR, 0x51), "still there");
    // By physical destination.
    let before = irq::count(0x52);
    write(ICR_HIGH, 0);
    write(ICR, 0x4052);
    check!(comes(0x52, before, SHORT), "the addressed one did not come");
    // To others: nobody.
    write(ICR, 0xc_0053);
    check!(!comes(0x53, irq::count(0x53), SHORT), "came to the sender");
    // A vector below 16 is an error.
    write(ESR, 0);
    write(ICR, 0x4_0005);
    write(ESR, 0);
    check!(read(ESR) & 0x20 != 0, "ESR {:x}", read(ESR));
    write(ESR, 0);
    Ok(())
}

pub fn priority() -> Outcome {
    enable();
    let (low, high) = (irq::count(0x41), irq::count(0x71));
    write(TPR, 0x50);
    write(ICR, 0x4_0041);
    write(ICR, 0x4_0071);
    check!(comes(0x71, high, SHORT), "the high one did not come");
    same!(irq::count(0x41), low);
    write(TPR, 0);
    check!(comes(0x41, low, SHORT), "the low one did not come");
    Ok(())
}

pub fn timer_once() -> Outcome {
    enable();
    write(TIMER_DIVIDE, 0xb);
    write(LVT_TIMER, 0x61);
    let before = irq::count(0x61);
    write(TIMER_INITIAL, 200_000);
    let first = read(TIMER_CURRENT);
    check!(first <= 200_000, "{first}");
    check!(comes(0x61, before, LONG), "did not come");
    same!(read(TIMER_CURRENT), 0);
    check!(!comes(0x61, before + 1, SHORT * 100), "came twice");
    // Masked: it runs down all the same.
    write(LVT_TIMER, 0x1_0061);
    write(TIMER_INITIAL, 1000);
    check!(!comes(0x61, before + 1, SHORT * 100), "came though masked");
    Ok(())
}

pub fn timer_periodic() -> Outcome {
    enable();
    write(TIMER_DIVIDE, 0xb);
    write(LVT_TIMER, 0x2_0062);
    let before = irq::count(0x62);
    write(TIMER_INITIAL, 100_000);
    for n in 0..3 {
        check!(comes(0x62, before + n, LONG), "tick {n} did not come");
    }
    write(TIMER_INITIAL, 0);
    let after = irq::count(0x62);
    comes(0x62, after, SHORT);
    check!(irq::count(0x62) <= after + 1, "it ticks on though stopped");
    write(LVT_TIMER, 0x1_0000);
    Ok(())
}

/// The timer waits for the time stamp counter.
pub fn timer_deadline() -> Outcome {
    enable();
    // Not in this mode: nothing is kept.
    write(LVT_TIMER, 0x66);
    wrmsr(TSC_DEADLINE, rdtsc() + (1 << 40));
    same!(rdmsr(TSC_DEADLINE), 0);
    write(LVT_TIMER, 0x4_0066);
    let before = irq::count(0x66);
    write(TIMER_INITIAL, 1000);
    check!(!comes(0x66, before, SHORT * 100), "it counts");
    let due = rdtsc() + 20_000_000;
    wrmsr(TSC_DEADLINE, due);
    same!(rdmsr(TSC_DEADLINE), due);
    same!(read(TIMER_CURRENT), 0);
    check!(comes(0x66, before, LONG), "did not come");
    check!(rdtsc() >= due, "early");
    same!(rdmsr(TSC_DEADLINE), 0);
    // One that is past comes at once.
    wrmsr(TSC_DEADLINE, 1);
    check!(comes(0x66, before + 1, LONG), "the past did not come");
    // Zero stops it, and so does another mode.
    wrmsr(TSC_DEADLINE, rdtsc() + 20_000_000);
    wrmsr(TSC_DEADLINE, 0);
    wrmsr(TSC_DEADLINE, rdtsc() + 20_000_000);
    write(LVT_TIMER, 0x66);
    check!(
        !comes(0x66, before + 2, SHORT * 1000),
        "came though stopped"
    );
    write(LVT_TIMER, 0x1_0000);
    Ok(())
}

pub fn halt() -> Outcome {
    enable();
    write(TIMER_DIVIDE, 0xb);
    write(LVT_TIMER, 0x63);
    let before = irq::count(0x63);
    write(TIMER_INITIAL, 2_000_000);
    for _ in 0..10 {
        if irq::count(0x63) > before {
            break;
        }
        irq::halt();
    }
    same!(irq::count(0x63), before + 1);
    Ok(())
}

pub fn x2apic() -> Outcome {
    enable();
    traps!(13, rdmsr(0x802));
    let base = rdmsr(APIC_BASE);
    wrmsr(APIC_BASE, base | 1 << 10);
    same!(rdmsr(APIC_BASE), base | 1 << 10);
    irq::set_eoi(Eoi::X2apic);
    same!(read_x2(ID), 0);
    same!(read_x2(SVR), 0x1ff);
    let before = irq::count(0x54);
    write_x2(ICR, 0x4_0054);
    check!(comes(0x54, before, SHORT), "the shorthand's did not come");
    // SELF IPI.
    wrmsr(0x83f, 0x55);
    check!(comes(0x55, 0, SHORT), "the self IPI did not come");
    write_x2(LVT_TIMER, 0x64);
    write_x2(TIMER_INITIAL, 100_000);
    check!(comes(0x64, 0, LONG), "the timer's did not come");
    // Reserved bits and registers are refused.
    traps!(13, wrmsr(0x808, 0x100));
    traps!(13, wrmsr(0x802, 1));
    traps!(13, rdmsr(0x80e));
    traps!(13, wrmsr(0x80b, 1));
    // There is no way back to the page but through off.
    traps!(13, wrmsr(APIC_BASE, base));
    Ok(())
}
