//! Bringing vCPUs up and down, and what is known of them.

use super::{STEP, TIMEOUT, VALUE, await_step, joined, on_other, reached};
use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::time::{MS, now, wait};
use guest_rt::{check, hypercall, local, ok, refused, same, smp};
use xen_abi::vcpu::*;

pub fn bring_up() -> Outcome {
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
    check!(
        wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)),
        "still up"
    );
    Ok(())
}

pub fn initialise_twice() -> Outcome {
    refused!(
        hypercall::vcpu(VCPUOP_initialise, 1, &mut smp::context(1)),
        EEXIST
    );
    Ok(())
}

pub fn down_up() -> Outcome {
    for round in 0..5 {
        on_other(|| {
            VALUE.fetch_add(1, SeqCst);
        })?;
        joined()?;
        check!(
            VALUE.load(SeqCst) == 102 + round,
            "round {round}: {}",
            VALUE.load(SeqCst)
        );
    }
    Ok(())
}

pub fn down_by_other() -> Outcome {
    on_other(|| {
        while STEP.load(SeqCst) < 1000 {
            VALUE.fetch_add(1, SeqCst);
        }
    })?;
    check!(
        wait(TIMEOUT, || VALUE.load(SeqCst) > 200),
        "vCPU 1 does not count"
    );
    ok!(hypercall::vcpu_plain(VCPUOP_down, 1));
    check!(
        wait(TIMEOUT, || hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)),
        "still up"
    );
    wait(20 * MS, || false);
    let value = VALUE.load(SeqCst);
    check!(
        !wait(20 * MS, || VALUE.load(SeqCst) != value),
        "a vCPU that is down runs"
    );
    ok!(hypercall::vcpu_plain(VCPUOP_up, 1));
    check!(
        wait(TIMEOUT, || VALUE.load(SeqCst) != value),
        "does not go on"
    );
    STEP.store(1000, SeqCst);
    joined()
}

pub fn runstate() -> Outcome {
    on_other(|| {
        STEP.store(1, SeqCst);
        await_step(2);
    })?;
    reached(1)?;
    let mut info = VcpuRunstateInfo::default();
    ok!(hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info));
    let early = info.time[RUNSTATE_running as usize];
    check!(
        info.state == RUNSTATE_running || info.state == RUNSTATE_runnable,
        "{info:?}"
    );
    wait(20 * MS, || false);
    ok!(hypercall::vcpu(VCPUOP_get_runstate_info, 1, &mut info));
    check!(info.time[RUNSTATE_running as usize] > early, "{info:?}");
    STEP.store(2, SeqCst);
    joined()?;
    check!(
        wait(TIMEOUT, || hypercall::vcpu(
            VCPUOP_get_runstate_info,
            1,
            &mut info
        )
        .is_ok()
            && info.state == RUNSTATE_offline),
        "{info:?}"
    );
    Ok(())
}

pub fn time_agrees() -> Outcome {
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
        skew = skew
            .max(before.saturating_sub(there))
            .max(there.saturating_sub(after));
    }
    joined()?;
    // An emulated machine calibrates its CPUs apart by a little.
    check!(skew < 20 * MS, "clocks {skew} ns apart");
    Ok(())
}
