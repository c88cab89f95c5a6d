//! What is served at all: each operation is made once with an argument of zeros.

use super::{Family, Form};
use crate::fail::Fail;
use crate::hypercall::{TABLE, dispatch_pv};
use crate::testing::{ARG_PAGE, DATA_VA, World};
use alloc::collections::BTreeSet;
use core::sync::atomic::Ordering;
use machine::PAGE_SIZE;
use xen_abi::xen::DOMID_SELF;
use xen_abi::{Errno, event_channel, hypercall as nr};

/// Calls and operations that answer anything but `ENOSYS` and `EOPNOTSUPP`; calls without
/// operations as number 0.
pub fn served() -> BTreeSet<(u16, u32)> {
    let mut served = BTreeSet::new();
    for row in TABLE.iter().filter(|row| row.pv) {
        let Some(family) = super::family(row.nr) else {
            if row.nr != nr::XENPMU_OP {
                served.insert((row.nr as u16, 0));
            }
            continue;
        };
        let world = World::new(1);
        for (id, (_, op)) in (1..).zip(family.ops) {
            let absent = [Errno::ENOSYS, Errno::EOPNOTSUPP].map(|errno| Err(Fail::Errno(errno)));
            if !absent.contains(&answer(&world, id, family, *op)) {
                served.insert((row.nr as u16, *op));
            }
        }
    }
    served
}

/// Makes one call with an argument of zeros, in a domain of its own.
pub fn answer(world: &World, id: u16, family: &Family, op: u32) -> Result<i64, Fail> {
    let (number, form) = (family.nr, family.form);
    // What a privileged domain does to itself it does to the machine.
    let privileged = !matches!(number, nr::SCHED_OP | nr::VCPU_OP);
    let domain = world.domain(id, privileged, 1);
    let at = DATA_VA + (ARG_PAGE * PAGE_SIZE) as u64;
    let words = domain.data[ARG_PAGE].words();
    let args = match form {
        Form::Pointer => [op.into(), at, 0, 0],
        Form::Array => [op.into(), at, 1, 0],
        Form::Vcpu => [op.into(), 0, at, 0],
        Form::List => {
            words[0].store(op.into(), Ordering::Relaxed);
            [at, 1, 0, DOMID_SELF.into()]
        }
        Form::Versioned(version) => {
            words[0].store(u64::from(version) << 32 | u64::from(op), Ordering::Relaxed);
            if number == nr::DOMCTL {
                words[1].store(id.into(), Ordering::Relaxed);
            }
            [at, 0, 0, 0]
        }
    };
    world.on(&domain, 0, 0, |cx| {
        if number == nr::EVENT_CHANNEL_OP
            && matches!(
                op,
                event_channel::EVTCHNOP_expand_array | event_channel::EVTCHNOP_set_priority
            )
        {
            // These are there once the domain has asked for FIFO events.
            words[0].store(domain.data[0].mfn().0, Ordering::Relaxed);
            cx.set_args([event_channel::EVTCHNOP_init_control.into(), at]);
            assert_eq!(dispatch_pv(cx, number.into()), Ok(0));
            words
                .iter()
                .for_each(|word| word.store(0, Ordering::Relaxed));
        }
        cx.set_args(args);
        dispatch_pv(cx, number.into())
    })
}
