//! Flushes that must reach the other vCPU's TLB.

use super::{STEP, await_step, joined, on_other, reached, shared_page, the_page};
use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::{hypercall, mem, ok, traps};
use xen_abi::mmu::*;

/// vCPU 1 reads the page; this one takes it away and flushes with `flush`; vCPU 1 must fault.
pub fn shootdown(flush: fn(u64) -> hypercall::HyperResult) -> Outcome {
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

pub fn invlpg_multi() -> Outcome {
    shootdown(|va| {
        let mask = 3u64;
        hypercall::mmuext(MMUEXT_INVLPG_MULTI, va, &raw const mask as u64)
    })
}

pub fn flush_multi() -> Outcome {
    shootdown(|_| {
        let mask = 2u64;
        hypercall::mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, &raw const mask as u64)
    })
}

pub fn flush_all() -> Outcome {
    shootdown(|_| hypercall::mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0))
}

pub fn update_va_all() -> Outcome {
    shootdown(|va| hypercall::update_va_mapping(va, 0, UVMF_INVLPG | UVMF_ALL))
}
