//! Two vCPUs: bring-up, events between them, TLBs, and races for the same frame.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, Page};
use guest_rt::time::{MS, wait};
use guest_rt::{check, hypercall, ok, smp};
use xen_abi::vcpu::VCPUOP_is_up;

mod bringup;
mod crossing;
mod races;
mod tlb;

guest_rt::cases! { "pv-smp";
    "initialise-and-up" => bringup::bring_up,
    "initialise-twice" => bringup::initialise_twice,
    "down-and-up" => bringup::down_up,
    "down-by-other" => bringup::down_by_other,
    "runstate-of-other" => bringup::runstate,
    "ipi-to-other" => crossing::ipi_to_other,
    "ipi-both-ways" => crossing::ping_pong,
    "ipi-wakes-blocked" => crossing::wake_blocked,
    "ipi-wakes-polling" => crossing::wake_polling,
    "upcall-on-other" => crossing::upcall_on_other,
    "event-moves-vcpu" => crossing::move_port,
    "virq-per-vcpu" => crossing::virq_per_vcpu,
    "timer-on-each" => crossing::timers,
    "time-agrees" => bringup::time_agrees,
    "tlb-invlpg-multi" => tlb::invlpg_multi,
    "tlb-flush-multi" => tlb::flush_multi,
    "tlb-flush-all" => tlb::flush_all,
    "tlb-update-va-all" => tlb::update_va_all,
    "race-mmu-update" => races::race_mmu_update,
    "race-pin-unpin" => races::race_pin,
    "race-pin-and-map" => races::race_pin_map,
    "race-evtchn-ports" => races::race_ports,
    "race-update-va" => races::race_update_va,
    "lock" => races::lock,
}

const TIMEOUT: u64 = 2000 * MS;
const ROUNDS: u32 = 2000;

static STARTED: AtomicU32 = AtomicU32::new(0);
static STEP: AtomicU32 = AtomicU32::new(0);
static PORT: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
static VALUE: AtomicU64 = AtomicU64::new(0);
static PAGE: smp::Lock<Option<Page>> = smp::Lock::new(None);
static ERRORS: AtomicU32 = AtomicU32::new(0);

/// Runs `function` on vCPU 1, which is started at its first use.
fn on_other(function: fn()) -> Outcome {
    STEP.store(0, SeqCst);
    if STARTED.swap(1, SeqCst) == 0 {
        ok!(smp::start(1, function));
    } else {
        check!(
            wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)),
            "vCPU 1 did not go down"
        );
        ok!(smp::restart(1, function));
    }
    Ok(())
}

fn joined() -> Outcome {
    check!(
        wait(2 * TIMEOUT, || !smp::running(1)),
        "vCPU 1 does not end, step {}",
        STEP.load(SeqCst)
    );
    Ok(())
}

fn reached(step: u32) -> Outcome {
    check!(
        wait(TIMEOUT, || STEP.load(SeqCst) >= step),
        "vCPU 1 at step {}, want {step}",
        STEP.load(SeqCst)
    );
    Ok(())
}

fn await_step(step: u32) {
    wait(TIMEOUT, || STEP.load(SeqCst) >= step);
}

fn shared_page() -> Page {
    let page = mem::alloc();
    *PAGE.lock() = Some(page);
    page
}

fn the_page() -> Page {
    let page = *PAGE.lock();
    page.unwrap_or_else(mem::alloc)
}
