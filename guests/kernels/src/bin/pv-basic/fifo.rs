//! Event channels of the FIFO form; the last case, since the form cannot be changed back.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::events;
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, mem, ok, refused, same, traps};
use xen_abi::event_channel::*;

pub fn fifo() -> Outcome {
    let (control, array) = (mem::alloc(), mem::alloc());
    let mut init = EvtchnInitControl {
        control_gfn: control.mfn(),
        offset: 0,
        vcpu: 0,
        ..Default::default()
    };
    ok!(hypercall::evtchn(EVTCHNOP_init_control, &mut init));
    same!(init.link_bits, 17);
    ok!(hypercall::evtchn(
        EVTCHNOP_expand_array,
        &mut EvtchnExpandArray {
            array_gfn: array.mfn()
        }
    ));
    let (a, b) = events::pair()?;
    let word = array.dword(a as usize);
    check!(
        word.load(SeqCst) >> EVTCHN_FIFO_MASKED & 1 == 0,
        "word {:#x} of a new port",
        word.load(SeqCst)
    );
    let queue = EVTCHN_FIFO_PRIORITY_DEFAULT as usize;
    // Binding raised the local end, and earlier cases' ports may be pending: take them all.
    check!(
        control.dword(2 + queue).load(SeqCst) != 0,
        "nothing is queued"
    );
    (0..1024).for_each(|i| array.dword(i).store(0, SeqCst));
    (0..18).for_each(|i| control.dword(i).store(0, SeqCst));
    traps::upcall_pending().store(0, SeqCst);
    ok!(hypercall::send(b));
    let seen = word.load(SeqCst);
    check!(
        seen >> EVTCHN_FIFO_PENDING & 1 == 1 && seen >> EVTCHN_FIFO_LINKED & 1 == 1,
        "word {seen:#x} after send"
    );
    check!(traps::upcall_pending().load(SeqCst) != 0, "no upcall");
    check!(
        control.dword(0).load(SeqCst) >> queue & 1 == 1,
        "ready {:#x}",
        control.dword(0).load(SeqCst)
    );
    same!(control.dword(2 + queue).load(SeqCst), a);
    // The guest takes it: head, ready, linked and pending.
    control.dword(2 + queue).store(0, SeqCst);
    control.dword(0).store(0, SeqCst);
    word.store(0, SeqCst);
    // Masked, it is pending but not linked; unmask links it.
    word.fetch_or(1 << EVTCHN_FIFO_MASKED, SeqCst);
    traps::upcall_pending().store(0, SeqCst);
    ok!(hypercall::send(b));
    let seen = word.load(SeqCst);
    check!(
        seen >> EVTCHN_FIFO_PENDING & 1 == 1 && seen >> EVTCHN_FIFO_LINKED & 1 == 0,
        "masked word {seen:#x}"
    );
    same!(traps::upcall_pending().load(SeqCst), 0);
    ok!(events::unmask(a));
    let seen = word.load(SeqCst);
    check!(
        seen >> EVTCHN_FIFO_MASKED & 1 == 0 && seen >> EVTCHN_FIFO_LINKED & 1 == 1,
        "unmasked word {seen:#x}"
    );
    // Another priority goes to another queue.
    let (c, d) = events::pair()?;
    ok!(hypercall::evtchn(
        EVTCHNOP_set_priority,
        &mut EvtchnSetPriority {
            port: c,
            priority: 3
        }
    ));
    ok!(hypercall::send(d));
    same!(control.dword(2 + 3).load(SeqCst), c);
    refused!(
        hypercall::evtchn(
            EVTCHNOP_set_priority,
            &mut EvtchnSetPriority {
                port: c,
                priority: 16
            }
        ),
        EINVAL
    );
    Ok(())
}
