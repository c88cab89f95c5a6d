//! A look at timers from outside, for whoever checks that none is lost.

use super::{NOWHERE, Timers};
use crate::domain::Vcpu;
use crate::time::NEVER;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// When the first of a vCPU's timers is due, nanoseconds since boot; [`NEVER`] without any.
pub fn first_due(vcpu: &Vcpu) -> u64 {
    vcpu.time.timers.first_due()
}

/// Whether a vCPU has a periodic timer, running or not.
pub fn ticks(vcpu: &Vcpu) -> bool {
    vcpu.time.period.load(Ordering::Relaxed) != 0
}

impl Timers {
    /// What is wrong with the place of a vCPU's timers in the queues, if anything is.
    pub fn misplaced(&self, vcpu: &Arc<Vcpu>) -> Option<&'static str> {
        let own = &vcpu.time.timers;
        let queue = self.queue(own.home.load(Ordering::Relaxed))?.lock();
        let place = own.place.load(Ordering::Relaxed);
        let first = own.first_due();
        match queue.heap.at(place) {
            None if place == NOWHERE && first == NEVER => None,
            None => Some("are in no queue"),
            Some((item, _)) if !Arc::ptr_eq(item, vcpu) => Some("are where another's stand"),
            Some((_, due)) if due != first => Some("stand in their queue for another time"),
            Some(_) if !queue.heap.is_sound() => Some("stand in a queue out of order"),
            Some(_) => None,
        }
    }
}
