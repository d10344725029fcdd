//! Pauses, and checks outside the schedule, of one target or of many.

use std::time::Instant;

use super::{Targets, first_checks};
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Pause, TargetId};

impl Targets {
    /// Pauses targets; for those that are paused already, this pause replaces the other one. Returns the targets and
    /// their changes of state.
    pub(crate) fn pause(
        &mut self,
        ids: &[TargetId],
        until: Option<Instant>,
        now: Now,
    ) -> Vec<(TargetId, Option<Change>)> {
        let mut paused = Vec::with_capacity(ids.len());
        for (id, index) in ids.iter().zip(0..) {
            let Some(position) = self.positions.get(*id) else { continue };
            let target = &mut self.list[position];
            *self.counts.of(target) -= 1;
            let change = target.begin_pause(Pause { until }, now);
            *self.counts.of(target) += 1;
            if let Some(until) = until {
                // Targets that are paused together are checked again like those that start together.
                target.reschedule(until, first_checks(index, total(ids), target.interval));
            }
            paused.push((*id, change));
        }
        self.changes += 1;
        paused
    }

    /// Ends the pauses of targets, whose first checks are scheduled as at the start. Returns the targets that were
    /// paused.
    pub(crate) fn resume(&mut self, ids: &[TargetId], now: Instant) -> Vec<TargetId> {
        let mut resumed = ids.to_vec();
        resumed.retain(|id| self.end_pause(*id, now));
        for (id, index) in resumed.iter().zip(0..) {
            if let Some(target) = self.get_mut(*id) {
                target.reschedule(now, first_checks(index, total(&resumed), target.interval));
            }
        }
        resumed
    }

    /// Ends the pause of a target; its schedule continues. Returns whether it was paused.
    pub(crate) fn end_pause(&mut self, id: TargetId, now: Instant) -> bool {
        let Some(position) = self.positions.get(id) else { return false };
        let target = &mut self.list[position];
        if !target.is_paused() {
            return false;
        }
        *self.counts.of(target) -= 1;
        target.end_pause(now);
        *self.counts.of(target) += 1;
        self.changes += 1;
        true
    }

    /// When the requested checks of targets start: one at once, several like first checks. Without the targets for
    /// which a check was requested within the last second.
    pub(crate) fn request_checks(&mut self, ids: &[TargetId], now: Instant) -> Vec<(TargetId, Instant)> {
        let start = |(id, index): (&TargetId, u32)| {
            let target = self.get_mut(*id)?;
            let (delay, _) = first_checks(index, total(ids), target.interval);
            Some((*id, target.request_check(delay, now)?))
        };
        ids.iter().zip(0..).filter_map(start).collect()
    }
}

fn total(ids: &[TargetId]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX).max(1)
}
