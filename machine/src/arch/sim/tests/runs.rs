//! Seeded runs: several CPUs interleaved.

use super::build::*;
use crate::arch::sim::{FLUSH_VECTOR, GuestOp, SimMachine};
use crate::lock::{Lock, lock_pair};
use crate::{Cpu, CpuApi, CpuMask, Exit, Flush};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The order in which CPUs come to a lock, with this seed.
fn order(seed: u64) -> Vec<u32> {
    let machine = SimMachine::new(16, 3);
    let log = Lock::new(1, Vec::new());
    machine.run(seed, |cpu| (0..10).for_each(|_| log.lock().push(cpu.id())));
    let mut log = log;
    core::mem::take(log.get_mut())
}

#[test]
#[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
fn a_seed_is_an_interleaving() {
    assert_eq!(order(1), order(1));
    let all: Vec<_> = (0..20).map(order).collect();
    assert!(all.iter().all(|o| o.len() == 30));
    assert!(all.iter().any(|o| *o != all[0]));
}

#[test]
#[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
fn locks_exclude() {
    for seed in 0..30 {
        let machine = SimMachine::new(16, 4);
        let (a, b) = (Lock::new(1, 0u32), Lock::new(1, 0u32));
        let inside = AtomicU32::new(0);
        machine.run(seed, |cpu| {
            for i in 0..20 {
                let (x, y) = if (i + cpu.id()) % 2 == 0 {
                    (&a, &b)
                } else {
                    (&b, &a)
                };
                let (mut x, y) = lock_pair(x, y);
                assert_eq!(inside.fetch_add(1, Relaxed), 0);
                *x += 1;
                *y.unwrap() += 1;
                inside.fetch_sub(1, Relaxed);
            }
        });
        assert_eq!(*a.lock(), 80);
        assert_eq!(*b.lock(), 80);
    }
}

/// Each CPU flushes all the others while they do the same, wait for locks, or run guests.
#[test]
#[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
fn flush_requests_never_deadlock() {
    for seed in 0..30 {
        let machine = SimMachine::new(16, 3);
        let lock = Lock::new(1, ());
        machine.run(seed, |mut cpu| {
            (cpu.regs_mut().cs, cpu.regs_mut().ss) = (0xe033, 0xe02b);
            for i in 0..10 {
                let _guard = (i % 2 == 0).then(|| lock.lock());
                cpu.flush(&CpuMask::first(3), Flush::All);
                drop(_guard);
                cpu.script([GuestOp::Work { ns: 100 }]);
                if cpu.enter() == Exit::Interrupt(FLUSH_VECTOR) {
                    cpu.ack(FLUSH_VECTOR);
                }
            }
        });
        let counts = machine.tlb_counts(1);
        assert_eq!((counts.local_all, counts.remote_all), (10, 20));
    }
}

/// A frame is unmapped and given another owner; with the flush no CPU uses it afterwards.
fn reuse(seed: u64, flush: bool) {
    let mut w = World::new(2);
    let page = w.frame();
    w.map(0, &page, URW);
    let w = &w;
    let done = &AtomicU32::new(0);
    let user = move |mut cpu: Cpu| {
        assert!(cpu.set_root(&w.root));
        (cpu.regs_mut().cs, cpu.regs_mut().ss) = (0xe033, 0xe02b);
        while done.load(Relaxed) == 0 {
            cpu.script([GuestOp::Write {
                va: VA,
                size: 8,
                value: 1,
            }]);
            if let Exit::Interrupt(vector) = cpu.enter() {
                cpu.ack(vector);
            }
        }
    };
    let owner = move |mut cpu: Cpu| {
        for _ in 0..20 {
            (cpu.regs_mut().cs, cpu.regs_mut().ss) = (0xe033, 0xe02b);
            cpu.enter();
        }
        w.set(0, 0);
        if flush {
            cpu.flush(&CpuMask::one(1), Flush::All);
        }
        page.info().set_owner(9);
        for _ in 0..20 {
            cpu.enter();
        }
        done.store(1, Relaxed);
    };
    w.machine.run_each(
        seed,
        alloc::vec![alloc::boxed::Box::new(owner), alloc::boxed::Box::new(user)],
    );
}

#[test]
#[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
fn a_flush_before_reuse_is_enough() {
    (0..20).for_each(|seed| reuse(seed, true));
}

#[test]
#[should_panic(expected = "missing flush")]
fn a_missing_flush_is_found() {
    (0..20).for_each(|seed| reuse(seed, false));
}

#[test]
#[cfg_attr(miri, ignore = "CPUs that run side by side are coroutines")]
fn idle_cpus_let_time_pass() {
    for seed in 0..10 {
        let machine = SimMachine::new(16, 3);
        machine.run(seed, |mut cpu| {
            let wait = u64::from(cpu.id() + 1) * 1_000_000;
            cpu.set_timer(Some(wait));
            let vector = cpu.idle().unwrap();
            assert_eq!(cpu.now(), wait);
            cpu.ack(vector);
            if cpu.id() == 2 {
                cpu.kick(0);
            }
            if cpu.id() == 0 {
                let vector = cpu.idle().expect("a kick");
                cpu.ack(vector);
                assert_eq!(cpu.now(), 3_000_000);
            }
        });
    }
}
