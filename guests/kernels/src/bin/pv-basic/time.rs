//! Clocks and timers.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use guest_rt::events::{self, take};
use guest_rt::harness::{Failure, Outcome};
use guest_rt::time::{self, MS, now, wait};
use guest_rt::{check, hypercall, mem, ok, refused, same};
use xen_abi::hypercall::SET_TIMER_OP;
use xen_abi::shared_info::*;
use xen_abi::vcpu::*;
use xen_abi::xen::VIRQ_TIMER;

static PORT: AtomicU32 = AtomicU32::new(0);

/// The timer's port, bound once, with nothing pending and the periodic timer off.
pub fn timer_port() -> Result<u32, Failure> {
    let port = match PORT.load(SeqCst) {
        0 => ok!(events::bind_virq(VIRQ_TIMER, 0)),
        port => port,
    };
    PORT.store(port, SeqCst);
    events::set_mask(port, false);
    let _ = hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 0);
    take(port);
    Ok(port)
}

pub fn clock_words() -> Outcome {
    let c = time::clock();
    check!(c.tsc_to_system_mul != 0 && c.system_time != 0, "{c:?}");
    Ok(())
}

pub fn clock() -> Outcome {
    clock_words()?;
    let mut last = now();
    let end = last + 5 * MS;
    while last < end {
        let t = now();
        check!(t >= last, "time went back from {last} to {t}");
        last = t;
    }
    Ok(())
}

pub fn wall() -> Outcome {
    let page = mem::shared_info();
    let word = |offset: usize| {
        page.dword(offset / 4)
            .load(core::sync::atomic::Ordering::SeqCst)
    };
    same!(word(SHARED_INFO_WC_VERSION) & 1, 0);
    let seconds =
        u64::from(word(SHARED_INFO_WC_SEC)) | u64::from(word(SHARED_INFO_WC_SEC_HI)) << 32;
    check!(
        seconds > 1_700_000_000 && seconds < 4_000_000_000,
        "wall clock at boot {seconds}"
    );
    check!(
        word(SHARED_INFO_WC_NSEC) < 1_000_000_000,
        "nanoseconds {}",
        word(SHARED_INFO_WC_NSEC)
    );
    Ok(())
}

fn singleshot_at(timeout_abs_ns: u64, flags: u32) -> hypercall::HyperResult {
    hypercall::vcpu(
        VCPUOP_set_singleshot_timer,
        0,
        &mut VcpuSetSingleshotTimer {
            timeout_abs_ns,
            flags,
            _pad0: 0,
        },
    )
}

pub fn singleshot() -> Outcome {
    let port = timer_port()?;
    let deadline = now() + 20 * MS;
    ok!(singleshot_at(deadline, 0));
    check!(!take(port), "fired at once");
    check!(wait(500 * MS, || take(port)), "never fired");
    let late = now().wrapping_sub(deadline) as i64;
    check!(late >= 0, "fired {} ns early", -late);
    check!(late < 1000 * MS as i64, "fired {late} ns late");
    check!(!wait(30 * MS, || take(port)), "fired twice");
    // Stopped, it does not fire.
    ok!(singleshot_at(now() + 10 * MS, 0));
    ok!(hypercall::vcpu_plain(VCPUOP_stop_singleshot_timer, 0));
    check!(!wait(30 * MS, || take(port)), "fired after being stopped");
    events::settle(port);
    Ok(())
}

pub fn past() -> Outcome {
    let port = timer_port()?;
    // With the `future` flag a past deadline may be refused, or fires as without it.
    match singleshot_at(now() - MS, VCPU_SSHOTTMR_future) {
        Ok(_) => check!(
            wait(100 * MS, || take(port)),
            "a past deadline does not fire"
        ),
        result => refused!(result, ETIME),
    }
    ok!(singleshot_at(now() - MS, 0));
    check!(
        wait(100 * MS, || take(port)),
        "a past deadline does not fire"
    );
    ok!(singleshot_at(1, 0));
    check!(wait(100 * MS, || take(port)), "deadline 1 does not fire");
    events::settle(port);
    Ok(())
}

pub fn periodic() -> Outcome {
    let port = timer_port()?;
    ok!(hypercall::vcpu(
        VCPUOP_set_periodic_timer,
        0,
        &mut VcpuSetPeriodicTimer { period_ns: 5 * MS }
    ));
    for i in 0..3 {
        check!(wait(200 * MS, || take(port)), "tick {i} is missing");
    }
    ok!(hypercall::vcpu_plain(VCPUOP_stop_periodic_timer, 0));
    take(port);
    check!(!wait(20 * MS, || take(port)), "ticks after being stopped");
    refused!(
        hypercall::vcpu(
            VCPUOP_set_periodic_timer,
            0,
            &mut VcpuSetPeriodicTimer { period_ns: 1000 }
        ),
        EINVAL
    );
    events::settle(port);
    Ok(())
}

pub fn set_timer_op() -> Outcome {
    let port = timer_port()?;
    ok!(hypercall::call(SET_TIMER_OP, [now() + 5 * MS, 0, 0, 0, 0]));
    check!(wait(500 * MS, || take(port)), "never fired");
    ok!(hypercall::call(SET_TIMER_OP, [now() + 5 * MS, 0, 0, 0, 0]));
    ok!(hypercall::call(SET_TIMER_OP, [0; 5]));
    check!(!wait(20 * MS, || take(port)), "fired after being stopped");
    events::settle(port);
    Ok(())
}
