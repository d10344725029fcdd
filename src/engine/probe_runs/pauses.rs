//! Pauses of targets, and checks that are requested.

use std::time::Instant;

use super::dependencies::is_deferred;
use super::{ProbeRuns, RunEvent};
use crate::engine::context::Context;
use crate::engine::owners::{Owner, RunOwner};
use crate::fsm::Change;
use crate::monitor::{TargetId, TargetSet};

impl ProbeRuns {
    /// Ends the attempt in flight, if any, without a result, and removes its deadline.
    pub(in crate::engine) fn abandon(&mut self, owner: RunOwner, cx: &mut Context) {
        self.disconnect(owner, cx);
        if let Some(run) = self.table.remove(owner) {
            self.queue.release(run.connections);
        }
        cx.timers.set(Owner::Run(owner), None);
    }

    pub(in crate::engine) fn pause(
        &mut self,
        targets: &[TargetId],
        until: Option<Instant>,
        cx: &mut Context,
    ) {
        let paused: TargetSet = targets.iter().copied().collect();
        self.queue.retain(|target| !paused.contains(target));
        for (target, change) in cx.targets.pause(targets, until, cx.now) {
            self.abandon(RunOwner::Target(target), cx);
            self.note_pause(target, change, cx);
        }
        self.review_deferred(&TargetSet::default(), cx);
    }

    /// Returns the number of targets that were paused.
    pub(in crate::engine) fn resume(&mut self, targets: &[TargetId], cx: &mut Context) -> usize {
        let resumed = cx.targets.resume(targets, cx.now.instant);
        for target in &resumed {
            self.note_pause(*target, None, cx);
        }
        resumed.len()
    }

    /// Ends a pause whose end has come. Returns whether the target is or was paused, so that no check starts now.
    pub(super) fn end_pause(&mut self, id: TargetId, cx: &mut Context) -> bool {
        let Some(pause) = cx.targets.get(id).and_then(|target| target.pause()) else { return false };
        if pause.until.is_some_and(|until| until <= cx.now.instant) {
            cx.targets.end_pause(id, cx.now.instant);
            self.note_pause(id, None, cx);
        }
        true
    }

    fn note_pause(&mut self, target: TargetId, change: Option<Change>, cx: &mut Context) {
        self.events.push_back(RunEvent::Paused(target, change));
        self.set_timer(RunOwner::Target(target), cx);
    }

    /// Starts checks outside the schedule, of targets without one in flight.
    pub(in crate::engine) fn request_checks(&mut self, targets: &[TargetId], cx: &mut Context) {
        let waiting: TargetSet = self.queue.all_waiting().collect();
        let mut targets = targets.to_vec();
        targets.retain(|target| {
            self.table.get(RunOwner::Target(*target)).is_none()
                && !waiting.contains(*target)
                && !is_deferred(*target, cx)
        });
        for (target, start) in cx.targets.request_checks(&targets, cx.now.instant) {
            let due = cx.targets.get(target).and_then(|target| target.due());
            cx.timers.set(Owner::Run(RunOwner::Target(target)), due.map(|due| due.min(start)));
        }
    }
}
