//! Who gets a CPU, for how long, and who makes room for a unit that woke.

use super::*;

impl Credit2 {
    /// Counts the time that the unit on `cpu` used up to `now`.
    fn count(&mut self, cpu: u32, now: u64) {
        let level = self.level;
        let Some(turn) = self.turn_mut(cpu) else {
            return;
        };
        let used = now.saturating_sub(turn.counted);
        turn.counted = now;
        let Some(slot) = turn.unit else { return };
        if let Some(entry) = self.entry_mut(slot) {
            entry.vtime = entry.vtime.saturating_add(entry.unit.share.weighted(used));
            entry.unit.share.draw(used);
            entry.clamp(level);
        }
    }

    /// Brings the level up to date before a unit joins. While nobody waited, nobody's use of
    /// time was at another's cost: those that run then stand at one level.
    pub(super) fn settle(&mut self, now: u64) {
        for at in 0..self.cpus.len() {
            self.count(self.first_cpu.saturating_add(at as u32), now);
        }
        if !self.parked.is_empty() {
            self.unpark(now);
        }
        if let Some(first) = self.waiting.first_vtime() {
            self.level = self.level.max(first.saturating_sub(LAG));
            return;
        }
        let Credit2 {
            cpus,
            entries,
            level,
            ..
        } = self;
        let running = || cpus.iter().filter_map(|turn| turn.unit);
        for slot in running() {
            if let Some(Some(entry)) = entries.get(slot as usize) {
                *level = (*level).max(entry.vtime);
            }
        }
        for slot in running() {
            if let Some(Some(entry)) = entries.get_mut(slot as usize) {
                entry.vtime = *level;
            }
        }
    }

    /// Finds a CPU for a unit that waits: an idle one, or the one whose unit is furthest along.
    /// A CPU that should ask, if any.
    pub(super) fn place(&mut self, slot: Slot, now: u64) -> Option<u32> {
        let entry = self.entry(slot)?;
        let (hard, soft, last) = (entry.unit.hard, entry.unit.soft, entry.unit.cpu);
        let vtime = entry.vtime;
        let may = self.idle.intersect(&hard);
        if !may.is_empty() {
            let should = may.intersect(&soft);
            let best = if should.is_empty() { may } else { should };
            let cpu = if best.contains(last) {
                last
            } else {
                best.iter().next()?
            };
            self.idle.clear(cpu);
            return Some(cpu);
        }
        let mut victim: Option<(u64, u32)> = None;
        for cpu in self.group.intersect(&hard).iter() {
            let unit = self.turn(cpu).and_then(|turn| turn.unit);
            let Some(entry) = unit.and_then(|slot| self.entry(slot)) else {
                continue;
            };
            let mut along = entry.vtime;
            if cpu == last {
                along = along.saturating_add(MOVE_COST);
            }
            if soft.contains(cpu) {
                along = along.saturating_add(SOFT_COST);
            }
            if victim.is_none_or(|(most, _)| along > most) {
                victim = Some((along, cpu));
            }
        }
        let (_, cpu) = victim?;
        let unit = self.turn(cpu)?.unit?;
        let entry = self.entry(unit)?;
        let allowance = match entry.vtime.saturating_sub(vtime) {
            ahead if ahead > PREEMPT => 0,
            _ => self.allowance(unit, vtime, PREEMPT),
        };
        let rate_limit = self.rate_limit();
        let turn = self.turn_mut(cpu)?;
        let end = now
            .saturating_add(allowance)
            .max(turn.since.saturating_add(rate_limit));
        if turn.end <= end {
            return None;
        }
        turn.end = end;
        Some(cpu)
    }

    /// How long `slot` may run, to end up `grain` further along than the next that waits.
    fn allowance(&self, slot: Slot, next: u64, grain: u64) -> u64 {
        let Some(entry) = self.entry(slot) else {
            return SHORTEST;
        };
        let shortest = self.rate_limit().max(SHORTEST);
        let lead = next.saturating_add(grain).saturating_sub(entry.vtime);
        entry
            .unit
            .share
            .unweighted(lead)
            .clamp(shortest, LONGEST.max(shortest))
    }

    /// A unit was parked: makes sure that some CPU asks when its budget is filled up. A CPU
    /// that should ask, if any.
    pub(super) fn watch_fill(&mut self, slot: Slot) -> Option<u32> {
        let entry = self.entry(slot)?;
        let (cpu, fill) = (entry.unit.cpu, entry.unit.share.next_fill());
        let cpu = if self.group.contains(cpu) {
            cpu
        } else {
            self.first_cpu
        };
        self.idle.clear(cpu);
        let turn = self.turn_mut(cpu)?;
        turn.end = turn.end.min(fill);
        Some(cpu)
    }

    /// The best waiting unit for `cpu`, and how far along the first other one is that could run
    /// here. `avoid` is taken only if there is no other.
    fn choose(&self, cpu: u32, avoid: Option<Slot>) -> (Option<Slot>, Option<u64>) {
        let mut best: Option<(u64, u64, Slot)> = None;
        let mut first: Option<(u64, Slot)> = None;
        let mut second: Option<u64> = None;
        for (vtime, slot) in self.waiting.iter() {
            if best.is_some_and(|(score, ..)| vtime >= score) && second.is_some() {
                break;
            }
            let Some(entry) = self.entry(slot) else {
                continue;
            };
            if !entry.unit.hard.contains(cpu) {
                continue;
            }
            match first {
                None => first = Some((vtime, slot)),
                Some(_) if second.is_none() => second = Some(vtime),
                Some(_) => {}
            }
            let mut score = vtime;
            if entry.unit.cpu != cpu {
                score = score.saturating_add(MOVE_COST);
            }
            if !entry.unit.soft.contains(cpu) {
                score = score.saturating_add(SOFT_COST);
            }
            if avoid == Some(slot) {
                score = u64::MAX;
            }
            if best.is_none_or(|(other, ..)| score < other) {
                best = Some((score, vtime, slot));
            }
        }
        let Some((_, _, chosen)) = best else {
            return (None, None);
        };
        let other = match first {
            Some((vtime, slot)) if slot != chosen => Some(vtime),
            _ => second,
        };
        (Some(chosen), other)
    }

    pub(super) fn next_turn(&mut self, cpu: u32, now: u64, leaves: Leaves) -> Choice {
        self.count(cpu, now);
        self.idle.clear(cpu);
        let Some(turn) = self.turn_mut(cpu) else {
            return Choice::IDLE;
        };
        let last = turn.unit.take();
        let since = turn.since;
        if !self.parked.is_empty() {
            self.unpark(now);
        }
        if let Some(last) = last {
            match leaves {
                Leaves::Asleep => self.set_state(last, State::Asleep),
                Leaves::Ready | Leaves::Yields => {
                    self.put_waiting(last, now);
                }
            }
        }
        let avoid = last.filter(|_| leaves == Leaves::Yields);
        let (chosen, other) = self.choose(cpu, avoid);
        let fill = self.next_fill();
        let Some(slot) = chosen else {
            self.idle.set(cpu);
            if let Some(turn) = self.turn_mut(cpu) {
                turn.end = fill;
            }
            return Choice {
                unit: None,
                until: fill,
                tell: self.tell_other(now),
            };
        };
        let mut end = fill;
        let vtime = self.entry(slot).map_or(0, |entry| entry.vtime);
        self.waiting.remove(vtime, slot);
        if let Some(other) = other {
            self.level = self.level.max(vtime.min(other));
            end = end.min(now.saturating_add(self.allowance(slot, other, GRAIN)));
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.state = State::Running;
            entry.unit.cpu = cpu;
            if let Some(left) = entry.unit.share.left(now) {
                end = end.min(now.saturating_add(left));
            }
        }
        let since = if last == Some(slot) { since } else { now };
        if let Some(turn) = self.turn_mut(cpu) {
            *turn = CpuTurn {
                unit: Some(slot),
                since,
                counted: now,
                end,
            };
        }
        Choice {
            unit: Some(slot),
            until: end,
            tell: self.tell_other(now),
        }
    }

    /// How far along the first waiting unit is that may run on `cpu`.
    fn first_for(&self, cpu: u32) -> Option<u64> {
        let may = |slot| {
            self.entry(slot)
                .is_some_and(|entry| entry.unit.hard.contains(cpu))
        };
        self.waiting
            .iter()
            .find(|&(_, slot)| may(slot))
            .map(|(vtime, _)| vtime)
    }

    /// A CPU that should take a unit that still waits: an idle one, which then counts as told,
    /// or one whose turn has no end yet and gets one.
    fn tell_other(&mut self, now: u64) -> Option<u32> {
        if self.waiting.is_empty() {
            return None;
        }
        if !self.idle.is_empty() {
            let entries = self.waiting.iter().filter_map(|(_, slot)| self.entry(slot));
            let mut idle = entries.map(|entry| self.idle.intersect(&entry.unit.hard));
            if let Some(may) = idle.find(|may| !may.is_empty()) {
                let cpu = may.iter().next()?;
                self.idle.clear(cpu);
                return Some(cpu);
            }
        }
        let endless = |turn: &CpuTurn| turn.unit.is_some() && turn.end == NEVER;
        let (cpu, vtime) = self.cpus.iter().enumerate().find_map(|(at, turn)| {
            let cpu = self.first_cpu.saturating_add(at as u32);
            endless(turn)
                .then(|| self.first_for(cpu))
                .flatten()
                .map(|vtime| (cpu, vtime))
        })?;
        self.count(cpu, now);
        let end = now.saturating_add(self.allowance(self.turn(cpu)?.unit?, vtime, GRAIN));
        self.turn_mut(cpu)?.end = end;
        Some(cpu)
    }
}
