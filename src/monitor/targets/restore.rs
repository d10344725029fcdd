//! Targets continue from a state file.

use super::{Targets, first_checks};
use crate::clock::Now;
use crate::monitor::Saved;

impl Targets {
    /// Restores the target of this name if its settings are the same. `expected` is the position at which it is looked
    /// for first, and afterwards that of the next one.
    pub(crate) fn restore(&mut self, saved: Saved, expected: &mut usize, now: Now) {
        let is_named = |position: &usize| self.list.get(*position).is_some_and(|it| it.name() == saved.name);
        let Some(position) = Some(*expected).filter(is_named).or_else(|| (0..self.list.len()).find(is_named))
        else {
            return;
        };
        *expected = position + 1;
        let (index, total) = (position as u32, self.list.len() as u32);
        let target = &mut self.list[position];
        if target.settings() != saved.settings {
            return;
        }
        *self.counts.of(target) -= 1;
        target.restore(saved, first_checks(index, total, target.interval), now);
        *self.counts.of(target) += 1;
        self.changes += 1;
    }

    /// Brings the history of a target up to date, and returns what a state file has of it. `None` after the last one.
    pub(crate) fn save(&mut self, position: usize, now: Now) -> Option<Saved> {
        Some(self.list.get_mut(position)?.save(now))
    }
}
