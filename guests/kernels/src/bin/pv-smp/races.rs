//! Both vCPUs at the same entry, frame, port or lock.

use super::{ERRORS, ROUNDS, STEP, joined, on_other, shared_page, the_page};
use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, pte};
use guest_rt::{events, hypercall, ok, same, smp};
use xen_abi::mmu::*;

pub fn flip_entry() {
    let page = the_page();
    let slot = mem::l1_slot(page.va());
    for i in 0..ROUNDS {
        let entry = if i % 2 == 0 {
            pte::entry(page.mfn(), pte::DATA)
        } else {
            0
        };
        if hypercall::set_entry(slot.ma, entry).is_err() {
            ERRORS.fetch_add(1, SeqCst);
        }
    }
}

pub fn race_mmu_update() -> Outcome {
    let page = shared_page();
    ERRORS.store(0, SeqCst);
    on_other(flip_entry)?;
    flip_entry();
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    // The counts came out even: the page can be mapped, given another type, and freed of it.
    ok!(hypercall::update_va_mapping(
        page.va(),
        pte::entry(page.mfn(), pte::RO),
        UVMF_TLB_FLUSH | UVMF_ALL
    ));
    ok!(hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn pin_and_unpin() {
    let page = the_page();
    for _ in 0..ROUNDS / 4 {
        let _ = hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0);
        let _ = hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0);
    }
}

pub fn race_pin() -> Outcome {
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

pub fn race_pin_map() -> Outcome {
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
    guest_rt::println!(
        "race-pin-and-map: {mapped} mapped, {} pinned",
        STEP.load(SeqCst)
    );
    ok!(page.protect(true));
    Ok(())
}

pub fn open_and_close() {
    for _ in 0..ROUNDS / 4 {
        match events::pair() {
            Ok((a, b)) => {
                if hypercall::send(b).is_err()
                    || events::close(a).is_err()
                    || events::close(b).is_err()
                {
                    ERRORS.fetch_add(1, SeqCst);
                }
            }
            Err(_) => {
                ERRORS.fetch_add(1, SeqCst);
            }
        }
    }
}

pub fn race_ports() -> Outcome {
    ERRORS.store(0, SeqCst);
    on_other(open_and_close)?;
    open_and_close();
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    Ok(())
}

pub fn race_update_va() -> Outcome {
    // Two vCPUs map the same frame at two addresses of one L1 table.
    let target = shared_page();
    let here = mem::alloc();
    ERRORS.store(0, SeqCst);
    on_other(|| {
        let (target, there) = (the_page(), mem::alloc());
        for i in 0..ROUNDS {
            let entry = if i % 2 == 0 {
                pte::entry(target.mfn(), pte::DATA)
            } else {
                0
            };
            if there.map(entry).is_err() {
                ERRORS.fetch_add(1, SeqCst);
            }
        }
    })?;
    for i in 0..ROUNDS {
        let entry = if i % 2 == 0 {
            pte::entry(target.mfn(), pte::RO)
        } else {
            0
        };
        ok!(here.map(entry));
    }
    joined()?;
    same!(ERRORS.load(SeqCst), 0);
    Ok(())
}

static COUNTER: smp::Lock<u64> = smp::Lock::new(0);

pub fn count() {
    for _ in 0..ROUNDS {
        *COUNTER.lock() += 1;
    }
}

pub fn lock() -> Outcome {
    on_other(count)?;
    count();
    joined()?;
    same!(*COUNTER.lock(), u64::from(ROUNDS) * 2);
    Ok(())
}
