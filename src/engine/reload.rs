//! Reload: replaces the list of targets without losing the state of those that stay.

use super::{ConnOwner, Engine, Output, Owner};
use crate::clock::Now;
use crate::monitor::TargetUpdate;

impl Engine {
    /// Replaces the targets. Targets that stay keep their state, schedule and check in flight; checks of
    /// removed targets end without a result. On an error, nothing changes.
    #[cold]
    pub(crate) fn replace(&mut self, updates: Vec<TargetUpdate>, now: Now) -> Result<(), String> {
        if let Some(refusal) = self.cx.targets.refusal(&updates) {
            return Err(refusal);
        }
        let now = self.update_clock(now);
        // Deliveries to webhooks, after the targets in `runs`, belong to no target.
        let mut stays = vec![true; self.runs.len()];
        stays[..self.cx.targets.watches().len()].fill(false);
        for update in &updates {
            if let TargetUpdate::Keep(place) = update {
                stays[*place] = true;
            }
        }
        for (place, stays) in stays.into_iter().enumerate() {
            self.cx.timers.set(Owner::Target(place), None);
            if !stays {
                self.abort(place, now);
            }
        }
        let mut moved = self.cx.targets.replace(updates, now);
        let targets = self.cx.targets.watches().len();
        let deliveries = self.runs.len() - moved.kept.len();
        moved.kept.extend((targets..targets + deliveries).map(Some));
        self.move_runs(&moved.kept, targets + deliveries);
        self.move_references_to_runs(&moved.kept);
        self.hooks.remap(|target| moved.named[target], &self.cx.targets);
        self.event_log.remap(&moved, targets);
        self.move_wishes(&moved, now);
        self.unchecked =
            self.cx.targets.watches().iter().filter(|watch| watch.fsm().last().is_none()).count();
        (0..self.runs.len()).for_each(|place| self.set_target_timer(place));
        self.note_reload("", now);
        self.drain_resolver(now);
        self.set_wakeup(now);
        Ok(())
    }

    /// Ends a check without a result.
    fn abort(&mut self, target: usize, now: Now) {
        self.disconnect(target, now);
        if self.runs[target].take().is_some() {
            self.in_flight -= 1;
        }
    }

    fn move_runs(&mut self, places: &[Option<usize>], total: usize) {
        let before = std::mem::take(&mut self.runs);
        self.runs.resize_with(total, || None);
        for (run, place) in before.into_iter().zip(places) {
            if let Some(place) = place {
                self.runs[*place] = run;
            }
        }
    }

    /// Updates all stored indexes. Aborted checks have removed their own, except from `unresolved` and
    /// `outputs`.
    fn move_references_to_runs(&mut self, places: &[Option<usize>]) {
        let moved = |target: &mut usize| match places[*target] {
            Some(place) => {
                *target = place;
                true
            }
            None => false,
        };
        for owner in self.cx.owners_mut() {
            if let ConnOwner::Connecting { target, .. } | ConnOwner::Probe { target } = owner {
                moved(target);
            }
        }
        self.lookups.waiting.retain(|_, target| moved(target));
        self.jobs.retain(|_, target| moved(target));
        self.lookups.unresolved.retain_mut(moved);
        self.cx.outputs.retain_mut(|output| match output {
            Output::CheckResult(check) => moved(&mut check.target),
            _ => true,
        });
    }
}
