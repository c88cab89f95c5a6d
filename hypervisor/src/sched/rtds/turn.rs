//! Who gets a CPU, until when, and who makes room.

use super::*;

impl Rtds {
    /// Counts the time that the unit on `cpu` used up to `now`.
    fn count(&mut self, cpu: u32, now: u64) {
        let Some(turn) = self.turn_mut(cpu) else {
            return;
        };
        let used = now.saturating_sub(turn.counted);
        turn.counted = now;
        if let Some(slot) = turn.unit
            && let Some(entry) = self.entry_mut(slot)
        {
            entry.left = entry.left.saturating_sub(used);
        }
    }

    /// Begins new periods for all that are awake and whose period ended.
    fn renew(&mut self, now: u64) {
        for slot in 0..self.entries.len() as Slot {
            let Some(entry) = self.entry_mut(slot) else {
                continue;
            };
            if entry.state == State::Asleep || now < entry.deadline {
                continue;
            }
            entry.renew(now);
            if entry.state == State::Used {
                self.set_state(slot, State::Waiting);
            }
        }
    }

    /// When the first budget is filled up of those that wait for that.
    fn next_fill(&self) -> u64 {
        let entries = self.entries.iter().flatten();
        let used = entries.filter(|entry| entry.state == State::Used);
        used.map(|entry| entry.deadline).min().unwrap_or(NEVER)
    }

    /// The waiting unit that comes first, of those that `may` picks.
    pub(super) fn first_waiting(&self, may: impl Fn(&Entry) -> bool) -> Option<Slot> {
        self.first_by(may, |_| 0)
    }

    /// The same; of equals, the one with the least `cost`.
    fn first_by(&self, may: impl Fn(&Entry) -> bool, cost: impl Fn(&Entry) -> u32) -> Option<Slot> {
        let slots = (0..).zip(&self.entries);
        let waiting = slots.filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)));
        waiting
            .filter(|(_, entry)| entry.state == State::Waiting && may(entry))
            .min_by_key(|(_, entry)| (entry.rank(), cost(entry)))
            .map(|(slot, _)| slot)
    }

    pub(super) fn next_turn(&mut self, cpu: u32, now: u64, leaves: Leaves) -> Choice {
        self.count(cpu, now);
        self.renew(now);
        self.idle.clear(cpu);
        let Some(turn) = self.turn_mut(cpu) else {
            return Choice::IDLE;
        };
        turn.end = NEVER;
        let last = turn.unit.take();
        if let Some(last) = last
            && let Some(entry) = self.entry_mut(last)
        {
            let state = match leaves {
                Leaves::Asleep => State::Asleep,
                Leaves::Ready | Leaves::Yields => entry.ready(),
            };
            self.set_state(last, state);
        }
        if !self.group.contains(cpu) {
            return Choice {
                tell: self.hand_over(now),
                ..Choice::IDLE
            };
        }
        let may = |entry: &Entry| entry.unit.hard.contains(cpu);
        let cost = |entry: &Entry| {
            let (moves, soft) = (entry.unit.cpu != cpu, entry.unit.soft.contains(cpu));
            u32::from(moves).saturating_add(if soft { 0 } else { 2 })
        };
        // Who yields and comes first goes on: its deadline is the first all the same.
        let chosen = self.first_by(may, cost);
        let mut end = self.next_fill();
        match chosen {
            Some(slot) => {
                self.set_state(slot, State::Running);
                if let Some(entry) = self.entry_mut(slot) {
                    entry.unit.cpu = cpu;
                    let left = now.saturating_add(entry.left);
                    end = end.min(left).min(entry.deadline);
                }
            }
            None => self.idle.set(cpu),
        }
        if let Some(turn) = self.turn_mut(cpu) {
            *turn = CpuTurn {
                unit: chosen,
                counted: now,
                end,
            };
        }
        Choice {
            unit: chosen,
            until: end,
            tell: self.tell_other(now),
        }
    }

    /// A CPU that should take a unit that waits: an idle one, which then counts as told, or one
    /// whose unit comes after it, whose turn then ends.
    pub(super) fn tell_other(&mut self, now: u64) -> Option<u32> {
        if self.waiting == 0 {
            return None;
        }
        let has_cpu = |entry: &Entry| self.cpu_for(entry, now).is_some();
        let slot = self.first_waiting(has_cpu)?;
        let cpu = self.cpu_for(self.entry(slot)?, now)?;
        if self.idle.contains(cpu) {
            self.idle.clear(cpu);
            return Some(cpu);
        }
        self.end_turn(cpu)
    }

    /// A CPU that should ask so that this unit runs.
    fn cpu_for(&self, entry: &Entry, now: u64) -> Option<u32> {
        let (hard, soft, last) = (entry.unit.hard, entry.unit.soft, entry.unit.cpu);
        let may = self.idle.intersect(&hard);
        if !may.is_empty() {
            let should = may.intersect(&soft);
            let best = if should.is_empty() { may } else { should };
            return if best.contains(last) {
                Some(last)
            } else {
                best.iter().next()
            };
        }
        let group = self.group.intersect(&hard);
        let behind = group.iter().filter_map(|cpu| {
            let turn = self.turn(cpu).filter(|turn| turn.end > now)?;
            let rank = self.entry(turn.unit?)?.rank();
            (rank > entry.rank()).then_some((rank, cpu))
        });
        behind.max().map(|(_, cpu)| cpu)
    }

    /// As [`Rtds::tell_other`]; if no unit needs it, makes sure that some CPU asks when the next
    /// budget is filled up.
    pub(super) fn hand_over(&mut self, now: u64) -> Option<u32> {
        let told = self.tell_other(now);
        if told.is_some() {
            // It looks after the budgets, too.
            return told;
        }
        let fill = self.next_fill();
        if fill == NEVER {
            return None;
        }
        let asks = |cpu: &u32| self.turn(*cpu).is_some_and(|turn| turn.end <= fill);
        if self.group.iter().any(|cpu| asks(&cpu)) {
            return None;
        }
        let cpu = self.group.iter().next()?;
        self.idle.clear(cpu);
        self.turn_mut(cpu)?.end = fill;
        Some(cpu)
    }
}
