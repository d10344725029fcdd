//! Starts checks when they are due. Above the limit of connections, they wait in order.
//!
//! Each check in flight counts with the connections that it may need at once. A waiting check has no timer.

use std::collections::VecDeque;
use std::time::Instant;

use super::limits::{CONNECTIONS_PER_CHECK, ONCE_PARALLEL, WATCHDOG_SLACK};
use super::owners::{Owner, RunOwner};
use super::{Engine, Schedule};
use crate::clock::Now;
use crate::monitor::{Target, TargetId};
use crate::probe::guard::guarded;

pub(super) struct CheckQueue {
    waiting: VecDeque<TargetId>,
    /// Connections of the checks in flight, and of deliveries to webhooks.
    connections: usize,
    connections_max: usize,
}

impl CheckQueue {
    pub(super) fn new(connections_max: usize) -> Self {
        CheckQueue { waiting: VecDeque::new(), connections: 0, connections_max }
    }

    /// Queues a check that is due. It starts when [`CheckQueue::next`] returns it.
    pub(super) fn push(&mut self, target: TargetId) {
        self.waiting.push_back(target);
    }

    /// Removes the first check if it can start now.
    pub(super) fn next(&mut self) -> Option<TargetId> {
        let is_free = self.connections + CONNECTIONS_PER_CHECK <= self.connections_max;
        if is_free { self.waiting.pop_front() } else { None }
    }

    pub(super) fn waiting(&self) -> &VecDeque<TargetId> {
        &self.waiting
    }

    /// Removes the waiting checks for which `keep` returns false.
    pub(super) fn retain(&mut self, keep: impl FnMut(&TargetId) -> bool) {
        self.waiting.retain(keep);
    }

    /// Counts [`CONNECTIONS_PER_CHECK`] connections of a check that starts.
    pub(super) fn begin(&mut self) {
        self.connections += CONNECTIONS_PER_CHECK;
    }

    /// Counts one more connection of a check in flight, if one is free.
    pub(super) fn take_connection(&mut self) -> bool {
        let is_free = self.connections < self.connections_max;
        self.connections += usize::from(is_free);
        is_free
    }

    /// A check needs this number of connections no longer.
    pub(super) fn release(&mut self, connections: usize) {
        self.connections -= connections;
    }

    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.connections
    }
}

impl Engine {
    /// Sets the timers of the first checks.
    pub(super) fn start_schedule(&mut self, now: Now) {
        let targets: Vec<_> = self.cx.targets.ids().collect();
        let (count, max) = (targets.len(), self.shares.checks);
        for target in targets {
            match self.schedule {
                Schedule::Beat => self.set_run_timer(RunOwner::Target(target)),
                Schedule::Once => self.cx.timers.set(Owner::Run(RunOwner::Target(target)), Some(now.instant)),
            }
        }
        if self.schedule == Schedule::Beat && count > max {
            self.cx.log(format!(
                "the limit of open files (ulimit -n) allows {max} connections to targets at the same time: checks \
                 of the {count} targets may start late"
            ));
        }
    }

    /// Starts waiting checks as far as the limits allow.
    pub(super) fn start_waiting(&mut self, now: Now) {
        let max = if self.schedule == Schedule::Once { ONCE_PARALLEL } else { usize::MAX };
        while self.runs.len() < max {
            let Some(target) = self.queue.next() else { break };
            self.begin(target, now);
        }
    }

    /// Starts a check outside the schedule, unless one is in flight or waits.
    pub(crate) fn check_now(&mut self, target: TargetId, now: Now) {
        let now = self.update_clock(now);
        let owner = RunOwner::Target(target);
        if self.runs.get(owner).is_none() && !self.queue.waiting().contains(&target) {
            self.cx.timers.set(Owner::Run(owner), None);
            self.queue.push(target);
            self.drain_resolver(now);
            self.set_wakeup(now);
        }
    }

    fn begin(&mut self, target: TargetId, now: Now) {
        let begin = || Some((self.cx.targets.begin(target, now)?, self.cx.targets.get(target)?.timeout()));
        match guarded(begin) {
            Ok(Some((attempt, timeout))) => self.begin_run(RunOwner::Target(target), attempt, timeout, now),
            Ok(None) => {}
            Err(failure) => self.finish(RunOwner::Target(target), failure.into(), now),
        }
    }

    /// Whether every due check has started or waits, and every expired one has ended. It reads the checks, not
    /// the timers: a lost timer must stop the watchdog pings.
    pub(super) fn is_on_time(&self, now: Now) -> bool {
        let is_late = |at: Instant| at + WATCHDOG_SLACK < now.instant;
        let mut waiting: Vec<_> = self.queue.waiting().iter().copied().collect();
        waiting.sort_unstable();
        let is_idle = |target: &&Target| {
            self.runs.get(RunOwner::Target(target.id())).is_none()
                && waiting.binary_search(&target.id()).is_err()
        };
        self.runs.iter().all(|run| !is_late(run.deadline))
            && self.cx.targets.list().iter().filter(is_idle).all(|target| !is_late(target.due()))
    }
}
