//! Two vCPUs: bring-up, events between them, TLBs, and races for the same frame.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, Page, pte};
use guest_rt::time::{MS, now, wait};
use guest_rt::{check, events, hypercall, local, ok, refused, same, smp, traps};
use xen_abi::event_channel::{EVTCHNOP_bind_vcpu, EvtchnBindVcpu};
use xen_abi::mmu::*;
use xen_abi::sched::SchedPoll;
use xen_abi::vcpu::*;
use xen_abi::xen::{VIRQ_DEBUG, VIRQ_TIMER};

guest_rt::cases! { "pv-smp";
    "initialise-and-up" => bring_up,
    "initialise-twice" => initialise_twice,
    "down-and-up" => down_up,
    "down-by-other" => down_by_other,
    "runstate-of-other" => runstate,
    "ipi-to-other" => ipi_to_other,
    "ipi-both-ways" => ping_pong,
    "ipi-wakes-blocked" => wake_blocked,
    "ipi-wakes-polling" => wake_polling,
    "upcall-on-other" => upcall_on_other,
    "event-moves-vcpu" => move_port,
    "virq-per-vcpu" => virq_per_vcpu,
    "timer-on-each" => timers,
    "time-agrees" => time_agrees,
    "tlb-invlpg-multi" => invlpg_multi,
    "tlb-flush-multi" => flush_multi,
    "tlb-flush-all" => flush_all,
    "tlb-update-va-all" => update_va_all,
    "race-mmu-update" => race_mmu_update,
    "race-pin-unpin" => race_pin,
    "race-pin-and-map" => race_pin_map,
    "race-evtchn-ports" => race_ports,
    "race-update-va" => race_update_va,
    "lock" => lock,
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
        check!(wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)), "vCPU 1 did not go down");
        ok!(smp::restart(1, function));
    }
    Ok(())
}

fn joined() -> Outcome {
    check!(wait(2 * TIMEOUT, || !smp::running(1)), "vCPU 1 does not end, step {}", STEP.load(SeqCst));
    Ok(())
}

fn reached(step: u32) -> Outcome {
    check!(wait(TIMEOUT, || STEP.load(SeqCst) >= step), "vCPU 1 at step {}, want {step}", STEP.load(SeqCst));
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

fn bring_up() -> Outcome {
    same!(hypercall::vcpu_plain(VCPUOP_is_up, 1), Ok(0));
    on_other(|| {
        VALUE.store(local::id() as u64 + 100, SeqCst);
        STEP.store(1, SeqCst);
        await_step(2);
    })?;
    reached(1)?;
    same!(VALUE.load(SeqCst), 101);
    same!(hypercall::vcpu_plain(VCPUOP_is_up, 1), Ok(1));
    STEP.store(2, SeqCst);
    joined()?;
    check!(wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)), "still up");
    Ok(())
}

fn initialise_twice() -> Outcome {
    refused!(hypercall::vcpu(VCPUOP_initialise, 1, &mut smp::context(1)), EEXIST);
    Ok(())
}

fn down_up() -> Outcome {
    for round in 0..5 {
        on_other(|| {
            VALUE.fetch_add(1, SeqCst);
        })?;
        joined()?;
        check!(VALUE.load(SeqCst) == 102 + round, "round {round}: {}", VALUE.load(SeqCst));
    }
    Ok(())
}

fn down_by_other() -> Outcome {
    on_other(|| {
        while STEP.load(SeqCst) < 1000 {
            VALUE.fetch_add(1, SeqCst);
        }
    })?;
    check!(wait(TIMEOUT, || VALUE.load(SeqCst) > 200), "vCPU 1 does not count");
    ok!(hypercall::vcpu_plain(VCPUOP_down, 1));
    check!(wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)), "still up");
    wait(20 * MS, || false);
    let value = VALUE.load(SeqCst);
    check!(!wait(20 * MS, || VALUE.load(SeqCst) != value), "a vCPU that is down runs");
    ok!(hypercall::vcpu_plain(VCPUOP_up, 1));
    check!(wait(TIMEOUT, || VALUE.load(SeqCst) != value), "does not go on");
    STEP.store(1000, SeqCst);
    joined()
}

fn runstate() -> Outcome {
    on_other(|| {
        STEP.store(1, SeqCst);
        await_step(2);
    })?;
    reached(1)?;
    let mut info = VcpuRunstateInfo::default();
    ok!(hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info));
    let early = info.time[RUNSTATE_running as usize];
    check!(info.state == RUNSTATE_running || info.state == RUNSTATE_runnable, "{info:?}");
    wait(20 * MS, || false);
    ok!(hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info));
    check!(info.time[RUNSTATE_running as usize] > early, "{info:?}");
    STEP.store(2, SeqCst);
    joined()?;
    check!(wait(TIMEOUT, || hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info).is_ok() && info.state == RUNSTATE_offline), "{info:?}");
    Ok(())
}

/// Ports for IPIs to vCPU 0 and 1, unmasked.
fn ipi_ports() -> Outcome {
    for vcpu in 0..2 {
        if PORT[vcpu].load(SeqCst) == 0 {
            let port = ok!(events::bind_ipi(vcpu as u32));
            PORT[vcpu].store(port, SeqCst);
            events::set_mask(port, false);
        }
        events::take(PORT[vcpu].load(SeqCst));
    }
    Ok(())
}

fn port(vcpu: usize) -> u32 {
    PORT[vcpu].load(SeqCst)
}

fn ipi_to_other() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || traps::upcall_pending().load(SeqCst) != 0 && events::pending(port(1))) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(1));
    })?;
    reached(1)?;
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

fn ping_pong() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        for _ in 0..200 {
            wait(TIMEOUT, || events::take(port(1)));
            let _ = hypercall::send(port(0));
        }
        events::settle(port(1));
    })?;
    for round in 0..200 {
        ok!(hypercall::send(port(1)));
        check!(wait(TIMEOUT, || events::take(port(0))), "no answer in round {round}");
    }
    events::settle(port(0));
    joined()
}

fn wake_blocked() -> Outcome {
    ipi_ports()?;
    on_other(|| {
        STEP.store(1, SeqCst);
        let before = events::upcalls();
        let _ = hypercall::call(xen_abi::hypercall::SCHED_OP, [1, 0, 0, 0, 0]);
        traps::upcall_mask().store(1, SeqCst);
        if events::upcalls() == before + 1 && events::take(port(1)) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(1));
    })?;
    reached(1)?;
    let mut info = VcpuRunstateInfo::default();
    check!(wait(TIMEOUT, || hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info).is_ok() && info.state == RUNSTATE_blocked), "not blocked");
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

fn wake_polling() -> Outcome {
    ipi_ports()?;
    events::set_mask(port(1), true);
    on_other(|| {
        STEP.store(1, SeqCst);
        let ports = [port(1)];
        let mut arg = SchedPoll { ports: ports.as_ptr() as u64, nr_ports: 1, _pad0: 0, timeout: 0 };
        let result = hypercall::op(xen_abi::hypercall::SCHED_OP, 3, &mut arg);
        if result == Ok(0) && events::take(port(1)) {
            STEP.store(2, SeqCst);
        }
    })?;
    reached(1)?;
    wait(5 * MS, || false);
    ok!(hypercall::send(port(1)));
    let woke = reached(2);
    events::set_mask(port(1), false);
    woke?;
    joined()
}

fn upcall_on_other() -> Outcome {
    ipi_ports()?;
    // The event interrupts vCPU 1 in the middle of its own work.
    on_other(|| {
        let before = events::upcalls();
        traps::upcall_mask().store(0, SeqCst);
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || events::upcalls() > before) {
            STEP.store(2, SeqCst);
        }
        traps::upcall_mask().store(1, SeqCst);
        events::settle(port(1));
    })?;
    reached(1)?;
    ok!(hypercall::send(port(1)));
    reached(2)?;
    joined()
}

fn move_port() -> Outcome {
    let (a, b) = events::pair()?;
    events::set_mask(a, false);
    PORT[0].store(a, SeqCst);
    ok!(hypercall::evtchn(EVTCHNOP_bind_vcpu, &mut EvtchnBindVcpu { port: a, vcpu: 1 }));
    on_other(|| {
        STEP.store(1, SeqCst);
        if wait(TIMEOUT, || traps::upcall_pending().load(SeqCst) != 0) {
            STEP.store(2, SeqCst);
        }
        events::settle(port(0));
    })?;
    reached(1)?;
    traps::upcall_pending().store(0, SeqCst);
    ok!(hypercall::send(b));
    reached(2)?;
    same!(traps::upcall_pending().load(SeqCst), 0);
    joined()?;
    PORT[0].store(0, SeqCst);
    ok!(events::close(a));
    ok!(events::close(b));
    Ok(())
}

fn virq_per_vcpu() -> Outcome {
    let zero = ok!(events::bind_virq(VIRQ_DEBUG, 0));
    let one = ok!(events::bind_virq(VIRQ_DEBUG, 1));
    check!(zero != one, "one port for both");
    ok!(events::close(zero));
    ok!(events::close(one));
    Ok(())
}

fn sleep_with_timer(port: u32) -> bool {
    let id = local::id() as u32;
    let deadline = now() + 20 * MS;
    let mut arg = VcpuSetSingleshotTimer { timeout_abs_ns: deadline, ..Default::default() };
    hypercall::vcpu(VCPUOP_set_singleshot_timer, id, &mut arg).is_ok()
        && wait(TIMEOUT, || events::take(port))
        && now() >= deadline
}

fn timers() -> Outcome {
    let ports = [ok!(events::bind_virq(VIRQ_TIMER, 0)), ok!(events::bind_virq(VIRQ_TIMER, 1))];
    let _ = hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 0);
    let _ = hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 1);
    for port in ports {
        events::set_mask(port, false);
        events::take(port);
    }
    VALUE.store(u64::from(ports[1]), SeqCst);
    on_other(|| {
        if sleep_with_timer(VALUE.load(SeqCst) as u32) {
            STEP.store(1, SeqCst);
        }
    })?;
    check!(sleep_with_timer(ports[0]), "vCPU 0's timer");
    reached(1)?;
    joined()?;
    // One vCPU may not set the other's.
    let mut arg = VcpuSetSingleshotTimer { timeout_abs_ns: now(), ..Default::default() };
    refused!(hypercall::vcpu(VCPUOP_set_singleshot_timer, 1, &mut arg), EINVAL);
    for port in ports {
        events::settle(port);
        ok!(events::close(port));
    }
    Ok(())
}

fn time_agrees() -> Outcome {
    on_other(|| {
        for _ in 0..100 {
            let turn = STEP.load(SeqCst) | 1;
            wait(TIMEOUT, || STEP.load(SeqCst) == turn);
            VALUE.store(now(), SeqCst);
            STEP.store(turn + 1, SeqCst);
        }
    })?;
    let mut skew = 0;
    for round in 0..100 {
        let before = now();
        STEP.store(round * 2 + 1, SeqCst);
        reached(round * 2 + 2)?;
        let (there, after) = (VALUE.load(SeqCst), now());
        skew = skew.max(before.saturating_sub(there)).max(there.saturating_sub(after));
    }
    joined()?;
    // An emulated machine calibrates its CPUs apart by a little.
    check!(skew < 20 * MS, "clocks {skew} ns apart");
    Ok(())
}

/// vCPU 1 reads the page; this one takes it away and flushes with `flush`; vCPU 1 must fault.
fn shootdown(flush: fn(u64) -> hypercall::HyperResult) -> Outcome {
    let page = shared_page();
    page.set(0, 7);
    on_other(|| {
        let page = the_page();
        if page.get(0) == 7 {
            STEP.store(1, SeqCst);
        }
        await_step(2);
        if traps::catch(|| page.get(0)).is_err_and(|f| f.vector == 14 && f.cr2 == page.va()) {
            STEP.store(3, SeqCst);
        }
    })?;
    reached(1)?;
    ok!(hypercall::set_entry(mem::l1_slot(page.va()).ma, 0));
    ok!(flush(page.va()));
    STEP.store(2, SeqCst);
    reached(3)?;
    joined()?;
    ok!(page.protect(true));
    Ok(())
}

fn invlpg_multi() -> Outcome {
    shootdown(|va| {
        let mask = 3u64;
        hypercall::mmuext(MMUEXT_INVLPG_MULTI, va, &raw const mask as u64)
    })
}

fn flush_multi() -> Outcome {
    shootdown(|_| {
        let mask = 2u64;
        hypercall::mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, &raw const mask as u64)
    })
}

fn flush_all() -> Outcome {
    shootdown(|_| hypercall::mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0))
}

fn update_va_all() -> Outcome {
    shootdown(|va| hypercall::update_va_mapping(va, 0, UVMF_INVLPG | UVMF_ALL))
}

fn flip_entry() {
    let page = the_page();
    let slot = mem::l1_slot(page.va());
    for i in 0..ROUNDS {
        let entry = if i % 2 == 0 { pte::entry(page.mfn(), pte::DATA) } else { 0 };
        if hypercall::set_entry(slot.ma, entry).is_err() {
            ERRORS.fetch_add(1, SeqCst);
        }
    }
}

fn race_mmu_update() -> Outcome {
    let page = shared_page();
    ERRORS.store(0, SeqCst);
    on_other(flip_entry)?;
    flip_entry();
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    // The counts came out even: the page can be mapped, given another type, and freed of it.
    ok!(hypercall::update_va_mapping(page.va(), pte::entry(page.mfn(), pte::RO), UVMF_TLB_FLUSH | UVMF_ALL));
    ok!(hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0));
    ok!(page.protect(true));
    Ok(())
}

fn pin_and_unpin() {
    let page = the_page();
    for _ in 0..ROUNDS / 4 {
        let _ = hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0);
        let _ = hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0);
    }
}

fn race_pin() -> Outcome {
    let page = shared_page();
    ok!(page.protect(false));
    on_other(pin_and_unpin)?;
    pin_and_unpin();
    joined()?;
    let _ = hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0);
    ok!(page.protect(true));
    page.set(0, 1);
    Ok(())
}

fn race_pin_map() -> Outcome {
    // One vCPU pins and unpins, the other tries to map the frame writable: never both at once.
    let page = shared_page();
    ok!(page.protect(false));
    ERRORS.store(0, SeqCst);
    on_other(|| {
        let page = the_page();
        for _ in 0..ROUNDS / 4 {
            if hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0).is_ok() {
                STEP.fetch_add(1, SeqCst);
                if page.get(7) & 1 == 1 {
                    ERRORS.fetch_add(1, SeqCst);
                }
                let _ = hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0);
            }
        }
    })?;
    let mut mapped = 0;
    let window = mem::alloc();
    while smp::running(1) {
        if window.map(pte::entry(page.mfn(), pte::DATA)).is_ok() {
            // While mapped writable it is no table: an entry written now must be gone before
            // it is validated, or be refused by it.
            window.set(7, 0xf_ffff_ffff << 12 | 1);
            window.set(7, 0);
            ok!(window.protect(true));
            mapped += 1;
        }
    }
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    guest_rt::println!("race-pin-and-map: {mapped} mapped, {} pinned", STEP.load(SeqCst));
    ok!(page.protect(true));
    Ok(())
}

fn open_and_close() {
    for _ in 0..ROUNDS / 4 {
        match events::pair() {
            Ok((a, b)) => {
                if hypercall::send(b).is_err() || events::close(a).is_err() || events::close(b).is_err() {
                    ERRORS.fetch_add(1, SeqCst);
                }
            }
            Err(_) => {
                ERRORS.fetch_add(1, SeqCst);
            }
        }
    }
}

fn race_ports() -> Outcome {
    ERRORS.store(0, SeqCst);
    on_other(open_and_close)?;
    open_and_close();
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    Ok(())
}

fn race_update_va() -> Outcome {
    // Two vCPUs map the same frame at two addresses of one L1 table.
    let target = shared_page();
    let here = mem::alloc();
    ERRORS.store(0, SeqCst);
    on_other(|| {
        let (target, there) = (the_page(), mem::alloc());
        for i in 0..ROUNDS {
            let entry = if i % 2 == 0 { pte::entry(target.mfn(), pte::DATA) } else { 0 };
            if there.map(entry).is_err() {
                ERRORS.fetch_add(1, SeqCst);
            }
        }
    })?;
    for i in 0..ROUNDS {
        let entry = if i % 2 == 0 { pte::entry(target.mfn(), pte::RO) } else { 0 };
        ok!(here.map(entry));
    }
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    Ok(())
}

static COUNTER: smp::Lock<u64> = smp::Lock::new(0);

fn count() {
    for _ in 0..ROUNDS {
        *COUNTER.lock() += 1;
    }
}

fn lock() -> Outcome {
    on_other(count)?;
    count();
    joined()?;
    same!(*COUNTER.lock(), u64::from(ROUNDS) * 2);
    Ok(())
}
