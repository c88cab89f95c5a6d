//! `mmuext_op` on frames that do not deserve it.

use super::{NOWHERE, free_frame};
use guest_rt::console::is_guest;
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, pte};
use guest_rt::{all_refused, check, hypercall, ok, refused, same};
use xen_abi::mmu::*;

const PINS: [u32; 4] = [
    MMUEXT_PIN_L1_TABLE,
    MMUEXT_PIN_L2_TABLE,
    MMUEXT_PIN_L3_TABLE,
    MMUEXT_PIN_L4_TABLE,
];

pub fn garbage() -> Outcome {
    let page = mem::alloc();
    for i in 0..512 {
        page.set(i, 0xdead_beef_dead_beef | 1);
    }
    ok!(page.protect(false));
    for pin in PINS {
        let result = hypercall::mmuext(pin, page.mfn(), 0);
        // An L1 entry with an absurd frame is I/O space that is not permitted; that it is cached
        // in an unusual way a guest without devices is refused before.
        let io = pin == MMUEXT_PIN_L1_TABLE && !is_guest();
        check!(
            result == Err(if io { 1 } else { 22 }),
            "pin {pin}: {result:?}"
        );
    }
    // A failed pin leaves no type behind.
    ok!(page.protect(true));
    Ok(())
}

pub fn writable() -> Outcome {
    let page = mem::alloc();
    for pin in PINS {
        refused!(hypercall::mmuext(pin, page.mfn(), 0), EINVAL);
    }
    Ok(())
}

pub fn twice() -> Outcome {
    let page = mem::alloc();
    ok!(page.protect(false));
    ok!(hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0));
    refused!(
        hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0),
        EINVAL
    );
    refused!(
        hypercall::mmuext(MMUEXT_PIN_L2_TABLE, page.mfn(), 0),
        EINVAL
    );
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_PIN_L2_TABLE, page.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_UNPIN_TABLE, page.mfn(), 0));
    ok!(page.protect(true));
    Ok(())
}

pub fn foreign() -> Outcome {
    for pin in PINS {
        all_refused! {
            hypercall::mmuext(pin, free_frame(), 0) => EINVAL;
            hypercall::mmuext(pin, 0xf_ffff_ffff, 0) => EINVAL;
            hypercall::mmuext(pin, u64::MAX, 0) => EINVAL;
            hypercall::mmuext(pin, 0xfee00, 0) => EINVAL;
        }
    }
    Ok(())
}

pub fn wrong_type() -> Outcome {
    // A table of one level cannot become one of another while it is in use.
    let l4 = mem::boot_l4_mfn();
    for pin in [
        MMUEXT_PIN_L1_TABLE,
        MMUEXT_PIN_L2_TABLE,
        MMUEXT_PIN_L3_TABLE,
    ] {
        refused!(hypercall::mmuext(pin, l4, 0), EINVAL);
    }
    // A table whose entry maps itself writable.
    let page = mem::alloc();
    page.set(0, pte::entry(page.mfn(), pte::DATA));
    ok!(page.protect(false));
    refused!(hypercall::mmuext(MMUEXT_PIN_L1_TABLE, page.mfn(), 0), EBUSY);
    // An L2 with a superpage entry.
    ok!(page.protect(true));
    page.set(0, pte::entry(page.mfn() & !511, pte::DATA | pte::PSE));
    ok!(page.protect(false));
    refused!(
        hypercall::mmuext(MMUEXT_PIN_L2_TABLE, page.mfn(), 0),
        EINVAL
    );
    ok!(page.protect(true));
    Ok(())
}

pub fn unpin() -> Outcome {
    all_refused! {
        hypercall::mmuext(MMUEXT_UNPIN_TABLE, mem::alloc().mfn(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_UNPIN_TABLE, free_frame(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_UNPIN_TABLE, u64::MAX, 0) => EINVAL;
    }
    Ok(())
}

pub fn baseptr() -> Outcome {
    let page = mem::alloc();
    all_refused! {
        hypercall::mmuext(MMUEXT_NEW_BASEPTR, page.mfn(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_NEW_BASEPTR, free_frame(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_NEW_BASEPTR, 0xf_ffff_ffff, 0) => EINVAL;
        hypercall::mmuext(MMUEXT_NEW_BASEPTR, u64::MAX, 0) => EINVAL;
    }
    ok!(hypercall::mmuext(MMUEXT_NEW_BASEPTR, mem::boot_l4_mfn(), 0));
    Ok(())
}

pub fn user_baseptr() -> Outcome {
    let page = mem::alloc();
    all_refused! {
        hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, page.mfn(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, free_frame(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, 0xf_ffff_ffff, 0) => EINVAL;
    }
    same!(hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), Ok(0));
    Ok(())
}

pub fn unknown() -> Outcome {
    all_refused! {
        hypercall::mmuext(14, 0, 0) => ENOSYS;
        hypercall::mmuext(99, 0, 0) => ENOSYS;
        hypercall::mmuext(MMUEXT_MARK_SUPER, mem::alloc().mfn(), 0) => EOPNOTSUPP;
        hypercall::mmuext(MMUEXT_UNMARK_SUPER, mem::alloc().mfn(), 0) => EOPNOTSUPP;
    }
    let op = |cmd| MmuextOp {
        cmd,
        _pad0: 0,
        arg1: 0,
        arg2: 0,
    };
    let (result, done) = hypercall::mmuext_many(&[
        op(MMUEXT_TLB_FLUSH_LOCAL),
        op(99),
        op(MMUEXT_TLB_FLUSH_LOCAL),
    ]);
    refused!(result, ENOSYS);
    same!(done, 1);
    Ok(())
}

pub fn clear_copy() -> Outcome {
    let (l4, page) = (mem::boot_l4_mfn(), mem::alloc());
    all_refused! {
        hypercall::mmuext(MMUEXT_CLEAR_PAGE, l4, 0) => EINVAL;
        hypercall::mmuext(MMUEXT_CLEAR_PAGE, free_frame(), 0) => EINVAL;
        hypercall::mmuext(MMUEXT_COPY_PAGE, l4, page.mfn()) => EINVAL;
        hypercall::mmuext(MMUEXT_COPY_PAGE, free_frame(), page.mfn()) => EINVAL;
        hypercall::mmuext(MMUEXT_COPY_PAGE, page.mfn(), free_frame()) => EINVAL;
    }
    Ok(())
}

pub fn vcpumask() -> Outcome {
    let va = mem::alloc().va();
    all_refused! {
        hypercall::mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, NOWHERE) => EINVAL;
        hypercall::mmuext(MMUEXT_INVLPG_MULTI, va, NOWHERE) => EINVAL;
        hypercall::mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, 0xffff_82d0_4020_0000) => EINVAL;
    }
    Ok(())
}
