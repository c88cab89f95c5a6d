//! The timers of vCPUs and domains: one queue for each CPU.
//!
//! A vCPU has one entry in the queue of its *home*, due when the first of its timers is. Lock:
//! the queue's, which guards the timers of the vCPUs at home there; `home` itself changes only
//! under the locks of both queues. An entry stays in its queue when no timer runs, so setting
//! one allocates nothing.

#[cfg(any(test, feature = "sim"))]
pub mod inspect;

use super::heap::{Heap, Item, NEVER, NOWHERE};
use crate::domain::Vcpu;
use crate::hv::Hypervisor;
use crate::locks;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use machine::lock::lock_pair;
use machine::{Cpu, CpuApi, Lock};
use xen_abi::Errno;

/// A timer that a vCPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// One-shot: the guest's own.
    Singleshot,
    /// Periodic; runs while the vCPU is on a CPU.
    Periodic,
    /// Ends `SCHEDOP_poll`.
    Poll,
    /// A watchdog of the domain; vCPU 0 has it.
    Watchdog0,
    /// Another.
    Watchdog1,
    /// Of a virtual local APIC.
    Lapic,
}

/// All of them.
const TIMERS: [Timer; 6] = [
    Timer::Singleshot,
    Timer::Periodic,
    Timer::Poll,
    Timer::Watchdog0,
    Timer::Watchdog1,
    Timer::Lapic,
];

/// Most vCPUs whose timers are collected under one hold of the lock.
const BATCH: usize = 8;

/// A vCPU's timers.
pub struct VcpuTimers {
    /// When each is due, nanoseconds since boot.
    due: [AtomicU64; TIMERS.len()],
    /// The CPU in whose queue the entry stands or will stand.
    home: AtomicU32,
    /// Its place there.
    place: AtomicU32,
}

impl Default for VcpuTimers {
    fn default() -> Self {
        VcpuTimers {
            due: [const { AtomicU64::new(NEVER) }; TIMERS.len()],
            home: AtomicU32::new(0),
            place: AtomicU32::new(NOWHERE),
        }
    }
}

impl VcpuTimers {
    fn first_due(&self) -> u64 {
        self.due
            .iter()
            .fold(NEVER, |first, due| first.min(due.load(Ordering::Relaxed)))
    }

    fn slot(&self, timer: Timer) -> Option<&AtomicU64> {
        self.due.get(timer as usize)
    }
}

impl Item for Arc<Vcpu> {
    #[inline(always)]
    fn place(&self) -> &AtomicU32 {
        &self.time.timers.place
    }
}

/// A CPU's queue.
pub struct TimerQueue {
    heap: Heap<Arc<Vcpu>>,
    /// When the vCPU that runs has to make room.
    slice_end: u64,
    /// When the console's line has to be asked.
    poll: u64,
    /// What the CPU's timer interrupt is armed for. It may be early: an interrupt too many is
    /// cheaper than arming at each change.
    armed: u64,
}

impl Default for TimerQueue {
    fn default() -> Self {
        TimerQueue {
            heap: Heap::default(),
            slice_end: NEVER,
            poll: NEVER,
            armed: NEVER,
        }
    }
}

impl TimerQueue {
    fn wanted(&self) -> u64 {
        self.heap.first_due().min(self.slice_end).min(self.poll)
    }

    /// Arms the interrupt of this CPU, whose queue this is, if it would come too late.
    #[inline]
    fn arm(&mut self, cpu: &mut Cpu) {
        let wanted = self.wanted();
        if wanted < self.armed {
            self.armed = wanted;
            cpu.set_timer(Some(wanted));
        }
    }
}

/// The queues of all CPUs.
pub struct Timers {
    queues: Vec<Lock<TimerQueue>>,
}

/// What was due for one vCPU.
struct Due {
    vcpu: Arc<Vcpu>,
    timers: [bool; TIMERS.len()],
}

impl Timers {
    /// No timer. Errors: `ENOMEM`.
    pub fn new(cpus: u32) -> Result<Timers, Errno> {
        let mut queues = Vec::new();
        queues
            .try_reserve_exact(cpus as usize)
            .map_err(|_| Errno::ENOMEM)?;
        queues.resize_with(cpus as usize, || {
            Lock::new(locks::TIMERS, TimerQueue::default())
        });
        Ok(Timers { queues })
    }

    fn queue(&self, cpu: u32) -> Option<&Lock<TimerQueue>> {
        self.queues.get(cpu as usize)
    }

    /// Sets a timer to `due`, or stops it with [`NEVER`]. Errors: `ENOMEM`, the first time.
    #[inline]
    pub fn set(
        &self,
        cpu: &mut Cpu,
        vcpu: &Arc<Vcpu>,
        timer: Timer,
        due: u64,
    ) -> Result<(), Errno> {
        loop {
            let own = &vcpu.time.timers;
            let home = own.home.load(Ordering::Relaxed);
            let Some(queue) = self.queue(home) else {
                return Err(Errno::EINVAL);
            };
            let mut queue = queue.lock();
            if own.home.load(Ordering::Relaxed) != home {
                continue;
            }
            let place = own.place.load(Ordering::Relaxed);
            if place == NOWHERE {
                if due == NEVER {
                    return Ok(());
                }
                queue.heap.insert(vcpu.clone(), due)?;
            }
            if let Some(slot) = own.slot(timer) {
                slot.store(due, Ordering::Relaxed);
            }
            if place != NOWHERE {
                queue.heap.set_due(place, own.first_due());
            }
            if home == cpu.id() {
                queue.arm(cpu);
            } else if queue.wanted() < queue.armed {
                // That CPU arms its timer when it is told to look.
                cpu.kick(home);
            }
            return Ok(());
        }
    }

    /// Stops a timer.
    pub fn stop(&self, cpu: &mut Cpu, vcpu: &Arc<Vcpu>, timer: Timer) {
        // Stopping allocates nothing, so it cannot fail.
        let _ = self.set(cpu, vcpu, timer, NEVER);
    }

    /// Brings the timers of a vCPU that came to this CPU here. When memory is short they stay
    /// where they are and work from there.
    #[inline]
    pub fn bring_home(&self, cpu: &mut Cpu, vcpu: &Arc<Vcpu>) {
        if vcpu.time.timers.home.load(Ordering::Relaxed) != cpu.id() {
            self.move_home(cpu, vcpu);
        }
    }

    #[cold]
    fn move_home(&self, cpu: &mut Cpu, vcpu: &Arc<Vcpu>) {
        let own = &vcpu.time.timers;
        let home = own.home.load(Ordering::Relaxed);
        let (Some(from), Some(to)) = (self.queue(home), self.queue(cpu.id())) else {
            return;
        };
        let (mut from, to) = lock_pair(from, to);
        let Some(mut to) = to else { return };
        // Only the CPU that runs a vCPU brings its timers home, so `home` is still the same.
        let place = own.place.load(Ordering::Relaxed);
        if place != NOWHERE {
            if to.heap.reserve().is_err() {
                return;
            }
            if let Some(entry) = from.heap.remove(place) {
                // There is room.
                let _ = to.heap.insert(entry, own.first_due());
            }
        }
        own.home.store(cpu.id(), Ordering::Relaxed);
        to.arm(cpu);
    }

    /// Takes all timers of a vCPU away for good.
    pub fn forget(&self, vcpu: &Arc<Vcpu>) {
        let own = &vcpu.time.timers;
        loop {
            let home = own.home.load(Ordering::Relaxed);
            let Some(queue) = self.queue(home) else {
                return;
            };
            let mut queue = queue.lock();
            if own.home.load(Ordering::Relaxed) != home {
                continue;
            }
            for due in &own.due {
                due.store(NEVER, Ordering::Relaxed);
            }
            queue.heap.remove(own.place.load(Ordering::Relaxed));
            return;
        }
    }

    /// Sets when the vCPU on this CPU has to make room; [`NEVER`] for when it need not.
    #[inline]
    pub fn set_slice_end(&self, cpu: &mut Cpu, end: u64) {
        let Some(queue) = self.queue(cpu.id()) else {
            return;
        };
        let mut queue = queue.lock();
        queue.slice_end = end;
        queue.arm(cpu);
    }

    /// Sets when this CPU asks the console's line.
    pub fn set_poll(&self, cpu: &mut Cpu, due: u64) {
        if let Some(queue) = self.queue(cpu.id()) {
            let mut queue = queue.lock();
            queue.poll = due;
            queue.arm(cpu);
        }
    }

    /// Fires what is due on this CPU and arms its timer for the rest. `struck` says that the
    /// timer's interrupt came.
    pub fn run(&self, hv: &Hypervisor, cpu: &mut Cpu, struck: bool) {
        let Some(queue) = self.queue(cpu.id()) else {
            return;
        };
        let now = cpu.now();
        if struck {
            let mut queue = queue.lock();
            queue.armed = NEVER;
            if queue.slice_end <= now {
                queue.slice_end = NEVER;
            }
            if queue.poll <= now {
                queue.poll = NEVER;
                drop(queue);
                crate::console::poll(hv, cpu);
            }
        }
        // Whatever fires is set again to later than `now`, so this ends.
        loop {
            let mut due: [Option<Due>; BATCH] = [const { None }; BATCH];
            let mut guard = queue.lock();
            let found = take_due(&mut guard, now, &mut due);
            if !found {
                guard.arm(cpu);
                return;
            }
            drop(guard);
            for due in due.iter().flatten() {
                fire(hv, cpu, due);
            }
        }
    }

    /// When the first timer of `cpu` is due, and what its interrupt is armed for.
    pub fn armed(&self, cpu: u32) -> Option<(u64, u64)> {
        let queue = self.queue(cpu)?.lock();
        Some((queue.wanted(), queue.armed))
    }

    /// Timers that run on `cpu`: vCPU and when, for the debug keys.
    pub fn first_due(&self, cpu: u32) -> Option<u64> {
        self.queue(cpu)
            .map(|queue| queue.lock().wanted())
            .filter(|&due| due != NEVER)
    }
}

/// Fills `due` with vCPUs that have timers due at `now`, and sets those timers on. Whether
/// there was any.
#[inline]
fn take_due(queue: &mut TimerQueue, now: u64, due: &mut [Option<Due>; BATCH]) -> bool {
    let mut found = false;
    for slot in due {
        if queue.heap.first_due() > now {
            break;
        }
        let Some(vcpu) = queue.heap.first().cloned() else {
            break;
        };
        let own = &vcpu.time.timers;
        let mut timers = [false; TIMERS.len()];
        for (timer, (at, fired)) in TIMERS.iter().zip(own.due.iter().zip(&mut timers)) {
            if at.load(Ordering::Relaxed) <= now {
                *fired = true;
                let next = match timer {
                    Timer::Periodic => vcpu.time.next_tick(now),
                    _ => NEVER,
                };
                at.store(next, Ordering::Relaxed);
            }
        }
        queue
            .heap
            .set_due(own.place.load(Ordering::Relaxed), own.first_due());
        *slot = Some(Due { vcpu, timers });
        found = true;
    }
    found
}

fn fire(hv: &Hypervisor, cpu: &mut Cpu, due: &Due) {
    let vcpu = &due.vcpu;
    let Some(dom) = vcpu.domain.upgrade() else {
        return;
    };
    let [singleshot, periodic, poll, watchdog0, watchdog1, lapic] = due.timers;
    if singleshot || periodic {
        crate::event::send_virq(hv, cpu, &dom, vcpu, xen_abi::xen::VIRQ_TIMER);
    }
    if lapic {
        vcpu.posted.look();
        hv.sched.notify(cpu, &dom, vcpu);
    }
    if poll {
        crate::sched::poll_timed_out(hv, cpu, &dom, vcpu);
    }
    if (watchdog0 || watchdog1) && !dom.is_shut_down() {
        crate::log!(hv, Warning, "domain {}: watchdog fired", dom.id);
        dom.shut_down(hv, cpu, xen_abi::sched::SHUTDOWN_watchdog);
    }
}
