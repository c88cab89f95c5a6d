//! The timer: it counts bus cycles, divided, down to zero; or waits for the time stamp counter to
//! reach a deadline. When that is, the owner has to say, who knows the counter.

use super::registers::MASKED;
use super::{BUS_NS, Effect, Vlapic};

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timer {
    /// When it runs out, nanoseconds; `None` when it stands still.
    due: Option<u64>,
    /// IA32_TSC_DEADLINE; zero when the timer does not wait for one.
    deadline: u64,
}

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Once,
    Periodic,
    Deadline,
    /// Reserved: it does not count.
    Other,
}

impl Mode {
    fn counts(self) -> bool {
        matches!(self, Mode::Once | Mode::Periodic)
    }
}

impl Vlapic {
    pub(super) fn timer_mode(&self) -> Mode {
        match self.lvt(0) >> 17 & 3 {
            0 => Mode::Once,
            1 => Mode::Periodic,
            2 => Mode::Deadline,
            _ => Mode::Other,
        }
    }

    /// Nanoseconds of a count: 1, 2, 4 ... 128 bus cycles.
    fn unit(&self) -> u64 {
        let code = self.divide & 3 | self.divide >> 1 & 4;
        BUS_NS << ((code + 1) & 7)
    }

    fn period(&self) -> u64 {
        u64::from(self.initial).saturating_mul(self.unit())
    }

    pub(super) fn stop(&mut self) {
        self.timer = Timer::default();
    }

    /// IA32_TSC_DEADLINE.
    pub fn tsc_deadline(&self) -> u64 {
        self.timer.deadline
    }

    /// Writes IA32_TSC_DEADLINE, which has an effect only while the timer waits for deadlines: zero
    /// stops it. [`Vlapic::set_due`] has to follow.
    pub fn set_tsc_deadline(&mut self, value: u64) {
        if self.timer_mode() == Mode::Deadline {
            self.timer = Timer {
                due: None,
                deadline: value,
            };
        }
    }

    /// The deadline of which it is not known when it is; it is not while the counter may change.
    pub fn unknown_deadline(&self) -> Option<u64> {
        let waits = self.timer.deadline != 0 && self.timer.due.is_none();
        waits.then_some(self.timer.deadline)
    }

    /// The counter was set: when the deadline is, is not known any more.
    pub fn counter_changed(&mut self) {
        if self.timer.deadline != 0 {
            self.timer.due = None;
        }
    }

    /// The counter reaches the deadline at `due`, nanoseconds.
    pub fn set_due(&mut self, due: u64) {
        if self.timer.deadline != 0 {
            self.timer.due = Some(due);
        }
    }

    /// The initial count was written.
    pub(super) fn start(&mut self, now: u64) {
        if self.timer_mode() == Mode::Deadline {
            return;
        }
        let runs = self.initial != 0 && self.timer_mode().counts();
        self.timer.due = runs.then(|| now.saturating_add(self.period()));
    }

    /// The divider changed with `left` counts to go.
    pub(super) fn restart(&mut self, left: u32, now: u64) {
        if self.timer.due.is_some() && self.timer_mode().counts() {
            let rest = u64::from(left).saturating_mul(self.unit());
            self.timer.due = Some(now.saturating_add(rest));
        }
    }

    /// Counts to go.
    pub(super) fn current(&self, now: u64) -> u32 {
        if !self.timer_mode().counts() {
            return 0;
        }
        let left = self.timer.due.map_or(0, |due| due.saturating_sub(now));
        // A periodic timer that is overdue, because nobody ticked it yet, goes on meanwhile.
        let left = match self.timer.due {
            Some(due) if due <= now && self.timer_mode() == Mode::Periodic => {
                let period = self.period().max(1);
                period - (now - due) % period
            }
            _ => left,
        };
        left.div_ceil(self.unit()).min(u64::from(u32::MAX)) as u32
    }

    /// When [`Vlapic::tick`] has to be called, in nanoseconds.
    pub fn deadline(&self) -> Option<u64> {
        self.timer.due
    }

    /// Time has passed: requests the timer's interrupt when it is due. Ticks that were missed
    /// are one.
    pub fn tick(&mut self, now: u64) -> Effect {
        let Some(due) = self.timer.due.filter(|due| *due <= now) else {
            return Effect::default();
        };
        self.timer.due = match self.timer_mode() {
            Mode::Periodic => {
                let period = self.period().max(1);
                let missed = (now - due) / period;
                Some(due.saturating_add((missed + 1).saturating_mul(period)))
            }
            _ => None,
        };
        self.timer.deadline = 0;
        let lvt = self.lvt(0);
        if lvt & MASKED == 0 {
            self.request(lvt as u8, false);
        }
        Effect {
            timer: true,
            ..Effect::default()
        }
    }

    /// The timer goes on with `left` counts to go, or stands still without.
    pub(super) fn resume(&mut self, left: u32, now: u64) {
        let rest = u64::from(left).saturating_mul(self.unit());
        let runs = left != 0 && self.timer_mode().counts();
        self.timer.due = runs.then(|| now.saturating_add(rest));
    }
}
