//! Failures of targets whose parents may be down: they are deferred until checks of the parents have ended.

use super::ProbeRuns;
use crate::engine::context::Context;
use crate::engine::limits::STALLS_MAX;
use crate::engine::owners::{Owner, RunOwner};
use crate::monitor::{Deferred, Parents, Target, TargetId, TargetSet};
use crate::result::ProbeResult;

impl ProbeRuns {
    /// Defers a failure, at most for the longest timeout of these parents, which are checked unless a check is in flight.
    #[cold]
    pub(super) fn defer(
        &mut self,
        child: TargetId,
        result: ProbeResult,
        parents: Vec<TargetId>,
        cx: &mut Context,
    ) {
        let timeouts = parents.iter().filter_map(|parent| cx.targets.get(*parent)).map(Target::timeout);
        let deadline = cx.now.instant + timeouts.max().unwrap_or_default();
        let deferred = Deferred { result, deadline, stalls: 0, awaited: parents.clone(), failed: Vec::new() };
        if let Some(target) = cx.targets.get_mut(child) {
            target.defer(deferred);
            self.deferred.push(child);
        }
        parents.into_iter().for_each(|parent| self.check_now(parent, cx));
    }

    /// A check has ended, or one of its attempts.
    pub(super) fn note_parent_end(&mut self, parent: TargetId, is_failed: bool, cx: &mut Context) {
        if self.deferred.is_empty() || !cx.targets.get(parent).is_some_and(Target::is_parent) {
            return;
        }
        let mut children = self.deferred.clone();
        children.retain(|child| {
            let deferred = cx.targets.get_mut(*child).and_then(Target::deferred_mut);
            deferred.is_some_and(|deferred| deferred.note_end(parent, is_failed))
        });
        children.retain(|child| self.is_decided(*child, cx));
        self.conclude_deferred(children, cx);
    }

    /// The deadline of a deferred failure has passed.
    #[cold]
    pub(super) fn expire_deferred(&mut self, child: TargetId, cx: &mut Context) {
        if self.is_decided(child, cx) {
            self.conclude_deferred(vec![child], cx);
        }
    }

    /// Parents may be paused or absent now; those that have ended may have replacements.
    pub(super) fn review_deferred(&mut self, ended: &TargetSet, cx: &mut Context) {
        self.deferred.retain(|child| is_deferred(*child, cx));
        let mut decided = Vec::new();
        for child in self.deferred.clone() {
            let deferred = cx.targets.get_mut(child).and_then(Target::deferred_mut);
            let Some(deferred) = deferred else { continue };
            deferred.failed.retain(|parent| !ended.contains(*parent));
            let failed = deferred.failed.clone();
            let Parents::Unverified(parents) = cx.targets.parents_of(child, &failed, cx.now.instant) else {
                decided.push(child);
                continue;
            };
            if let Some(deferred) = cx.targets.get_mut(child).and_then(Target::deferred_mut) {
                deferred.awaited.clone_from(&parents);
            }
            // Checks in flight may have been abandoned.
            parents.into_iter().for_each(|parent| self.check_now(parent, cx));
        }
        self.conclude_deferred(decided, cx);
    }

    pub(super) fn conclude_deferred(&mut self, children: Vec<TargetId>, cx: &mut Context) {
        if children.is_empty() {
            return;
        }
        for child in children {
            let deferred = cx.targets.get_mut(child).and_then(Target::take_deferred);
            let Some(deferred) = deferred else { continue };
            let is_held = cx.targets.parents_of(child, &deferred.failed, cx.now.instant) == Parents::Down;
            self.record(child, deferred.result, is_held, cx);
            self.set_timer(RunOwner::Target(child), cx);
        }
        self.deferred.retain(|child| is_deferred(*child, cx));
    }

    pub(super) fn extend_deferred(&self, delay: std::time::Duration, cx: &mut Context) {
        for child in &self.deferred {
            let deferred = cx.targets.get_mut(*child).and_then(Target::deferred_mut);
            if let Some(deferred) = deferred.filter(|deferred| deferred.stalls < STALLS_MAX) {
                deferred.stalls += 1;
                deferred.deadline += delay;
                cx.timers.set(Owner::Run(RunOwner::Target(*child)), Some(deferred.deadline));
            }
        }
    }

    /// Whether no check of a parent can end in time. One with the same deadline ends in this turn, after which this is
    /// called again.
    fn is_decided(&self, child: TargetId, cx: &Context) -> bool {
        let Some(deferred) = cx.targets.get(child).and_then(Target::deferred) else { return false };
        let is_ending = |parent: &TargetId| {
            let run = self.table.get(RunOwner::Target(*parent));
            run.is_some_and(|run| run.deadline <= cx.now.instant)
                || self.unverified.iter().any(|(id, _)| id == parent)
        };
        deferred.awaited.is_empty()
            || deferred.deadline <= cx.now.instant && !deferred.awaited.iter().any(is_ending)
    }
}

pub(super) fn is_deferred(target: TargetId, cx: &Context) -> bool {
    cx.targets.get(target).is_some_and(|target| target.deferred().is_some())
}
