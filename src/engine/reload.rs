//! Other targets in the place of those that are watched, without losing anything of those that stay.

use super::{Conn, Engine, Output, Owner};
use crate::clock::Now;
use crate::monitor::TargetUpdate;

impl Engine {
    /// Watches these targets from now on. What stays keeps its state, its beat and the check under way;
    /// a check of what goes is given up without a verdict. If it can not be, says why and changes nothing.
    #[cold]
    pub(crate) fn replace(&mut self, successors: Vec<TargetUpdate>, now: Now) -> Result<(), String> {
        if let Some(refusal) = self.fleet.refusal(&successors) {
            return Err(refusal);
        }
        let now = self.update_clock(now);
        // Deliveries to webhooks, whose places are behind those of the targets, are nobody's.
        let mut stays = vec![true; self.runs.len()];
        stays[..self.fleet.watches().len()].fill(false);
        for successor in &successors {
            if let TargetUpdate::Keep(place) = successor {
                stays[*place] = true;
            }
        }
        for (place, stays) in stays.into_iter().enumerate() {
            self.timers.set(Owner::Target(place), None);
            if !stays {
                self.abort(place, now);
            }
        }
        let mut moved = self.fleet.replace(successors, now);
        let targets = self.fleet.watches().len();
        let deliveries = self.runs.len() - moved.kept.len();
        moved.kept.extend((targets..targets + deliveries).map(Some));
        self.move_runs(&moved.kept, targets + deliveries);
        self.move_references_to_runs(&moved.kept);
        self.hooks.remap(|target| moved.named[target], &self.fleet);
        self.event_log.remap(&moved, targets);
        self.move_wishes(&moved, now);
        self.unchecked = self.fleet.watches().iter().filter(|watch| watch.fsm().last().is_none()).count();
        (0..self.runs.len()).for_each(|place| self.set_target_timer(place));
        self.note_reload("", now);
        self.drain_resolver(now);
        self.set_wakeup(now);
        Ok(())
    }

    /// Ends a check that nobody wants the result of any more.
    fn abort(&mut self, target: usize, now: Now) {
        self.disconnect(target, now);
        if self.runs[target].take().is_some() {
            self.in_flight -= 1;
        }
    }

    fn move_runs(&mut self, places: &[Option<usize>], total: usize) {
        let before = std::mem::take(&mut self.runs);
        self.runs.resize_with(total, || None);
        for (this, place) in before.into_iter().zip(places) {
            if let Some(place) = place {
                self.runs[*place] = this;
            }
        }
    }

    /// Names targets by their new places wherever one is named. What belonged to checks that were given
    /// up is gone already, except for what merely waits to be told or looked at.
    fn move_references_to_runs(&mut self, places: &[Option<usize>]) {
        let moved = |target: &mut usize| match places[*target] {
            Some(place) => {
                *target = place;
                true
            }
            None => false,
        };
        for conn in self.conns.values_mut() {
            if let Conn::Connecting { target, .. } | Conn::Probed { target, .. } = conn {
                moved(target);
            }
        }
        self.lookups.retain(|_, target| moved(target));
        self.jobs.retain(|_, target| moved(target));
        self.unresolved.retain_mut(moved);
        self.outputs.retain_mut(|output| match output {
            Output::CheckResult(verdict) => moved(&mut verdict.target),
            _ => true,
        });
    }
}
