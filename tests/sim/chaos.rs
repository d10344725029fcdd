//! What happens to the machine itself: it is late, its clock is set, its descriptors run out.

use super::plan::{MS, S};
use super::world::{Event, World};
use crate::engine::Engine;
use crate::engine::limits::{ACCEPT_PAUSE, CLOCK_STALL};

impl World {
    /// How late the loop is this time.
    pub(super) fn lateness(&mut self, next: u64) -> u64 {
        if next <= self.at {
            return 0;
        }
        let asking = self.asked.iter().any(|asked| asked.open > 0);
        if self.rng.permille(self.plan.weather.stall * if asking { 4 } else { 1 }) {
            let span = self.rng.pick(&[100, 150, 400, 1000, 3000, 20_000, 170_000]) * MS;
            return span + self.rng.below(span);
        }
        match self.rng.below(20) {
            0 => self.rng.below(3 * MS),
            1 => self.rng.below(20 * MS),
            // The system's timeouts are whole milliseconds.
            2..=10 => next.div_ceil(MS) * MS - next,
            _ => 0,
        }
    }

    /// What the loop loses is given back if a deadline was due for long; else it counts.
    pub(super) fn note_lateness(&mut self, late: u64, due: Option<u64>) {
        let stalled = due.is_some_and(|due| self.at.saturating_sub(due) >= CLOCK_STALL.as_nanos() as u64);
        if stalled {
            self.counters.add("loop: stalls");
        } else {
            self.runs.iter_mut().flatten().for_each(|this| this.cost += late);
            if late >= 100 * MS {
                self.mislead_all();
            }
        }
        // Lies that came meanwhile are learned, and remembered, so much later.
        for asked in self.asked.iter_mut().filter(|asked| asked.open > 0) {
            asked.partial_until += late;
            asked.poisoned_until += late;
        }
        if late >= 20 * MS {
            self.excuse_clients();
        }
    }

    /// What is being asked for by now may come to nothing, for reasons that no try is to blame for.
    pub(super) fn mislead_all(&mut self) {
        for (name, asked) in self.asked.iter_mut().enumerate().filter(|(_, asked)| asked.open > 0) {
            asked.dirty = true;
            asked.partial_until = asked.partial_until.max(self.at + 31 * S);
            for this in self.runs.iter_mut().flatten() {
                this.misled |= this.names.contains(&name);
            }
        }
    }

    /// Something happens to the machine.
    pub(super) fn chaos(&mut self) {
        match self.rng.below(6) {
            0 => {
                self.next_wall_s += self.rng.range(0, 200_000) as i64 - 100_000;
                if self.rng.permille(100) {
                    self.next_wall_s = -10_000_000_000;
                }
                self.counters.add("clock: stepped");
            }
            1 => self.next_files = self.rng.index(self.plan.files.len()),
            2 => self.ask_for_check(),
            // It gets its addresses back soon.
            3 => self.has_address = !self.has_address || self.rng.permille(700),
            _ if self.plan.weather.local > 0 && self.accept_paused.is_none() => {
                self.drain();
                self.call(self.at, Engine::handle_accept_failed);
                self.counters.add("accept: failed");
                self.accept_paused = Some(self.seen + ACCEPT_PAUSE.as_nanos() as u64);
            }
            _ => {}
        }
        let after = self.rng.below(4 * S);
        self.schedule(after, Event::Chaos);
    }

    /// Somebody wants a target checked now, whatever its scheduled time.
    fn ask_for_check(&mut self) {
        self.drain();
        let place = self.rng.index(self.present.len().max(1));
        let Some(target) = self.present.get(place).copied() else { return };
        if self.plan.targets[target].is_heartbeat() {
            return;
        }
        let busy = self.runs[target].is_some();
        if self.schedules[target].pause_end().is_some() {
            let id = self.ids[target];
            self.call(self.at, |engine, now| engine.check_now(id, now));
            return self.end_pause(target);
        }
        if !busy {
            self.urgent.insert(target);
        }
        let id = self.ids[target];
        let begins = self.begins[target];
        self.call(self.at, |engine, now| engine.check_now(id, now));
        let waits = self.engine.audit().waiting.contains(&id);
        let has_begun = busy || self.begins[target] > begins;
        assert!(waits || has_begun, "target {target} is not checked at once");
        if !busy {
            self.counters.add("tries: outside the schedule");
        }
    }
}
