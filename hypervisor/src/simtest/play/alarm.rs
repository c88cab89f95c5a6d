//! Whether a guest's one-shot timer comes neither early nor never.
//!
//! A kernel that has bound `VIRQ_TIMER` sets its timer and looks for the pending bit. What could
//! set or clear that bit by other ways makes a domain's timers unknown: a mapping of the shared
//! page as writable, events in FIFO form, a periodic timer.

#![allow(
    non_upper_case_globals,
    reason = "operations are named as in Xen's headers"
)]

use super::Play;
use crate::domain::Domain;
use crate::event::inspect::virq_port;
use crate::simtest::judge::{self, Kind};
use crate::simtest::layout::*;
use crate::simtest::script::Who;
use crate::time::{NEVER, inspect};
use core::sync::atomic::Ordering;
use xen_abi::hypercall as nr;
use xen_abi::vcpu::{VCPUOP_initialise, VCPUOP_set_periodic_timer, VCPUOP_set_singleshot_timer};
use xen_abi::xen::VIRQ_TIMER;

/// First word of the pending bits in the shared page.
const PENDING: usize = 256;
/// Ports that have their bits in that word.
const PORTS: u32 = 64;

/// What a vCPU's kernel knows of its timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    /// The port that tells of it, while that was the same, else 0.
    port: u32,
    /// The port's bit when it was looked at last.
    pending: bool,
    /// The first and the last deadline that were asked for since the bit was seen set; [`NEVER`]
    /// for none.
    first: u64,
    last: u64,
    /// The call that is under way asks for this deadline.
    asking: Option<u64>,
    /// The bit rose while it was.
    rose: bool,
    /// Something else may tell of the timer, too.
    unknown: bool,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm {
            port: 0,
            pending: false,
            // Whatever was asked for before.
            first: 0,
            last: NEVER,
            asking: None,
            rose: false,
            unknown: true,
        }
    }
}

impl Alarm {
    /// The bit is `pending` at `now`, `port` is the port. Errors: what is wrong with that.
    fn look(&mut self, port: u32, pending: bool, now: u64) -> Result<bool, &'static str> {
        if self.unknown || port != self.port || port == 0 || port >= PORTS {
            let asking = self.asking;
            *self = Alarm {
                port,
                pending,
                asking,
                unknown: false,
                ..Alarm::default()
            };
            return Ok(false);
        }
        if self.pending && self.last <= now {
            // It may have come while the bit was set.
            self.last = NEVER;
        }
        let rose = pending && !self.pending;
        self.pending = pending;
        if rose {
            if self.first > now {
                return Err("came too early");
            }
            if self.last <= now {
                self.last = NEVER;
            }
            self.rose = true;
            self.first = self.last.min(self.asking.unwrap_or(NEVER));
            return Ok(true);
        }
        if !pending && self.last.saturating_add(judge::LATE) < now {
            return Err("did not come");
        }
        Ok(false)
    }
}

/// When a deadline given to `set_timer_op` at `now` may be due.
fn meant(deadline: u64, now: u64) -> u64 {
    let absurd = deadline as i64 <= 0 || deadline.saturating_sub(now) >= 1 << 50;
    match deadline {
        0 => NEVER,
        _ if absurd => now,
        _ => deadline,
    }
}

impl Play {
    /// A call is about to be made at `now`.
    pub(super) fn alarm_asked(&mut self, who: Who, call: (u32, u32), args: &[u64; 6], now: u64) {
        let due = match call {
            (nr::SET_TIMER_OP, _) => meant(args[0], now),
            // Other ways to set a timer, and what sets it where.
            (nr::MULTICALL, _) | (nr::VCPU_OP, VCPUOP_set_singleshot_timer) => now,
            (nr::VCPU_OP, VCPUOP_set_periodic_timer | VCPUOP_initialise) => {
                for vcpu in 0..VCPUS {
                    let other = Who { vcpu, ..who };
                    self.tracks[other.index()].alarm = Alarm::default();
                }
                return;
            }
            _ => return,
        };
        let alarm = &mut self.tracks[who.index()].alarm;
        (alarm.asking, alarm.rose) = (Some(due), false);
        alarm.first = alarm.first.min(due);
        // Until it is known what the call did.
        alarm.last = NEVER;
    }

    /// The call that was under way was answered, or what became of it is not known.
    pub(super) fn alarm_answered(&mut self, who: Who, call: Option<u32>, value: i64) {
        let alarm = &mut self.tracks[who.index()].alarm;
        let Some(due) = alarm.asking.take() else {
            return;
        };
        // If it rose in between it may have been this one's doing.
        if call == Some(nr::SET_TIMER_OP) && value == 0 && !alarm.rose {
            alarm.last = due;
            if !alarm.pending {
                // Whatever ran before does not any more.
                alarm.first = due;
            }
        }
    }

    /// Looks at the timers of all vCPUs of a domain, one of which is about to go on. Panics when
    /// one is wrong.
    pub(super) fn look_at_alarms(&mut self, dom: &Domain, now: u64) {
        let defaults = dom.all_vcpus().filter(|vcpu| vcpu.has_default_info());
        let holders = 1 + defaults.count();
        let open = dom.shared_info.info().page_type().1 as usize != holders;
        let word = dom.shared_info.words()[PENDING].load(Ordering::Relaxed);
        for vcpu in dom.all_vcpus().filter(|vcpu| vcpu.id < VCPUS.into()) {
            let who = Who {
                slot: dom.id as u8,
                vcpu: vcpu.id as u8,
            };
            let alarm = &mut self.tracks[who.index()].alarm;
            let unknown = open || dom.events.is_fifo() || inspect::ticks(vcpu);
            alarm.unknown |= unknown;
            let port = virq_port(vcpu, VIRQ_TIMER);
            let pending = port < PORTS && word >> port & 1 != 0;
            let result = alarm.look(port, pending, now);
            alarm.unknown |= unknown;
            match result {
                Ok(true) => judge::count(Kind::Alarms),
                Ok(false) => {}
                Err(what) => panic!(
                    "the timer of d{}v{} {what}: {alarm:?}, and it is {now}",
                    who.slot, who.vcpu
                ),
            }
        }
    }

    /// The bits of a byte of the pending bits that timers have: a kernel leaves them alone.
    pub(super) fn alarm_bits(&self, slot: u8, byte: usize) -> u8 {
        let vcpus = self.known.iter().filter(|vcpu| vcpu.domid == slot.into());
        vcpus.fold(0, |bits, vcpu| {
            let port = virq_port(vcpu, VIRQ_TIMER) as usize;
            let here = port != 0 && byte == PENDING * 8 + port / 8;
            bits | if here { 1 << (port % 8) } else { 0 }
        })
    }
}
