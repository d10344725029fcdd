//! The schedule of the targets, and the attempts in flight.

mod dependencies;
mod outputs;
mod pauses;
mod programs;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check_queue::CheckQueue;
use super::context::Context;
use super::ids::ConnId;
use super::limits::*;
use super::lookups::{LookupUpdate, Lookups};
use super::messages::{Input, JobId, Output};
use super::outbox::Outbox;
use super::owners::{Owner, RequestKind, RunOwner};
use super::probe_run::ProbeRun;
use super::run_table::RunTable;
use crate::fsm::Change;
use crate::monitor::{Target, TargetId, TargetSet};
use crate::network::Network;
use crate::probe::connector::AttemptId;
use crate::probe::guard::{discard, guarded};
use crate::probe::{self, Attempt};
use crate::resolve::LookupId;
use crate::result::ProbeResult;
use dependencies::is_deferred;
use programs::unkillable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Repeatedly, each one at its scheduled times.
    Repeated,
    Once,
}

pub(super) struct ProbeRuns {
    schedule: Schedule,
    /// Targets without a check (with [`Schedule::Once`]).
    unchecked: usize,
    table: RunTable,
    pub(super) queue: CheckQueue,
    last_job: JobId,
    events: VecDeque<RunEvent>,
    /// Checks whose failures count if this machine has an address.
    unverified: VecDeque<(TargetId, ProbeResult)>,
    /// Targets whose last failure is deferred.
    deferred: Vec<TargetId>,
    /// Checks without a result since the last line of the log about them.
    without_result: u64,
    logged_no_result: Option<Instant>,
}

pub(super) enum RunEvent {
    /// The run waits for [`ProbeRuns::handle_files`].
    Resolve(RunOwner),
    /// The run waits for [`ProbeRuns::handle_random`].
    Random(RunOwner),
    Cancel(LookupId),
    Checked(TargetId, Option<Change>),
    /// A pause has begun or ended.
    Paused(TargetId, Option<Change>),
    Delivered(usize, Box<ProbeResult>),
    /// The run waits for [`ProbeRuns::handle_content`].
    Content(RequestKind),
    Requested(RequestKind, Box<ProbeResult>),
}

impl ProbeRuns {
    /// `connections_max` limits the connections of all runs together.
    pub(super) fn new(schedule: Schedule, connections_max: usize, cx: &mut Context) -> Self {
        let runs = ProbeRuns {
            schedule,
            unchecked: unchecked(cx),
            table: RunTable::default(),
            queue: CheckQueue::new(connections_max),
            last_job: JobId(0),
            events: VecDeque::new(),
            unverified: VecDeque::new(),
            deferred: Vec::new(),
            without_result: 0,
            logged_no_result: None,
        };
        runs.set_timers(cx);
        if schedule == Schedule::Repeated && runs.unchecked > connections_max {
            cx.log(format!(
                "the limit of open files (ulimit -n) allows {connections_max} connections to targets at the same \
                 time: checks of the {} targets may start late",
                runs.unchecked
            ));
        }
        runs
    }

    pub(super) fn get(&self, owner: RunOwner) -> Option<&ProbeRun> {
        self.table.get(owner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there may be something to do before the next deadline.
    pub(super) fn is_busy(&self) -> bool {
        self.table.len() > 0 || !self.queue.execs.waiting.is_empty()
    }

    pub(super) fn poll_event(&mut self) -> Option<RunEvent> {
        self.events.pop_front()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.schedule == Schedule::Once && self.unchecked == 0
    }

    pub(super) fn start_waiting(&mut self, cx: &mut Context) {
        let max = if self.schedule == Schedule::Once { ONCE_PARALLEL } else { usize::MAX };
        while self.table.len() < max {
            let Some(target) = self.queue.next(cx.now.instant) else { break };
            self.begin_check(target, cx);
        }
    }

    /// A check is due, or an attempt in flight has a deadline. `describe` returns the state of a lookup.
    pub(super) fn handle_timeout(
        &mut self,
        owner: RunOwner,
        describe: impl FnOnce(LookupId) -> Option<String>,
        cx: &mut Context,
    ) {
        let Some(run) = self.table.get_mut(owner) else {
            match owner {
                RunOwner::Target(target) if is_deferred(target, cx) => self.expire_deferred(target, cx),
                RunOwner::Target(target) => self.enqueue(target, cx),
                _ => {}
            }
            return;
        };
        if run.deadline <= cx.now.instant {
            let lookup = run.lookup.and_then(describe);
            return self.expire(owner, lookup, cx);
        }
        if let Some(connector) = &mut run.connector {
            connector.handle_timeout(cx.now.instant);
        }
        if run.timer.is_some_and(|at| at <= cx.now.instant) {
            run.timer = None;
            run.handle_input(probe::Input::TimerExpired, cx.now);
        }
        self.poll_attempt(owner, cx);
    }

    pub(super) fn check_now(&mut self, target: TargetId, cx: &mut Context) {
        if !self.is_checked(target, cx) {
            cx.timers.set(Owner::Run(RunOwner::Target(target)), None);
            self.enqueue(target, cx);
        }
    }

    /// Whether a check is in flight, waits to start, or has a result that is not processed.
    fn is_checked(&self, target: TargetId, cx: &Context) -> bool {
        self.table.get(RunOwner::Target(target)).is_some()
            || self.queue.all_waiting().any(|waiting| waiting == target)
            || self.unverified.iter().any(|(id, _)| *id == target)
            || is_deferred(target, cx)
    }

    fn begin_check(&mut self, target: TargetId, cx: &mut Context) {
        let owner = RunOwner::Target(target);
        let begin = || {
            let attempt = cx.targets.begin(target, cx.now)?;
            let target = cx.targets.get(target)?;
            Some((attempt, target.timeout(), target.network()))
        };
        match guarded(begin) {
            Ok(Some((attempt, ..))) if self.is_blocked(target, cx) => {
                discard(attempt);
                self.finish(owner, unkillable().into(), cx);
            }
            Ok(Some((attempt, timeout, network))) => self.begin(owner, attempt, timeout, network, cx),
            Ok(None) => {}
            Err(failure) => self.finish(owner, failure.into(), cx),
        }
    }

    pub(super) fn begin(
        &mut self,
        owner: RunOwner,
        attempt: Box<dyn Attempt>,
        timeout: Duration,
        network: Option<Arc<Network>>,
        cx: &mut Context,
    ) {
        self.queue.connections += CONNECTIONS_PER_CHECK;
        self.table.insert(owner, ProbeRun::new(attempt, timeout, network, cx.now));
        self.poll_attempt(owner, cx);
    }

    pub(super) fn handle_connecting(
        &mut self,
        (owner, attempt): (RunOwner, AttemptId),
        id: ConnId,
        input: Input<'_>,
        cx: &mut Context,
    ) {
        let Some(run) = self.table.get_mut(owner) else { return };
        let Some(connector) = &mut run.connector else { return };
        match input {
            Input::Connected => connector.handle_connected(attempt),
            Input::Failed(failure) => {
                connector.handle_failed(attempt, failure, cx.now.instant);
                run.take_attempt(attempt);
                cx.drop_conn(id);
            }
            _ => return,
        }
        self.poll_attempt(owner, cx);
    }

    pub(super) fn handle_connected(
        &mut self,
        owner: RunOwner,
        id: ConnId,
        input: Input<'_>,
        cx: &mut Context,
    ) {
        let Some(run) = self.table.get_mut(owner) else { return };
        match input {
            Input::Sent(count) => {
                run.handle_sent(count, cx);
                return self.request_content(owner);
            }
            Input::Received(bytes) | Input::Datagram(_, bytes) => {
                run.handle_input(probe::Input::Received(bytes), cx.now);
            }
            Input::IcmpMessage { bytes, hop_limit } => {
                run.handle_input(probe::Input::IcmpMessage { bytes, hop_limit }, cx.now);
            }
            Input::IcmpError { failure, quoted } => {
                run.handle_input(probe::Input::IcmpError { failure, quoted }, cx.now);
            }
            Input::Closed => run.handle_input(probe::Input::Closed, cx.now),
            Input::Failed(failure) => {
                run.conn = None;
                run.outbox = Outbox::default();
                run.handle_input(probe::Input::Failed(failure), cx.now);
                cx.drop_conn(id);
            }
            Input::Connected => return,
        }
        self.poll_attempt(owner, cx);
    }

    /// The files have been refreshed: a run that waits for them starts its lookup, or connects to the name server.
    pub(super) fn handle_files(&mut self, owner: RunOwner, lookups: &mut Lookups, cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        let Some(connector) = run.connector.as_mut().filter(|_| run.awaits_files) else { return };
        run.awaits_files = false;
        match connector.host() {
            Some(host) => run.lookup = Some(lookups.start(owner, host, run.network.as_ref(), cx)),
            None => {
                let (server, network) = lookups.resolver.name_server(run.network.as_ref());
                run.network = network;
                connector.handle_name_server(server, cx.now.instant);
                self.poll_attempt(owner, cx);
            }
        }
    }

    pub(super) fn handle_lookup(&mut self, owner: RunOwner, update: LookupUpdate, cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        if update.is_last() {
            run.lookup = None;
        }
        if let Some(connector) = &mut run.connector {
            match update {
                LookupUpdate::Found { addresses, last, held } => {
                    run.is_held |= held;
                    connector.handle_addresses(&addresses, last, cx.now.instant);
                }
                LookupUpdate::Failed(failure) => connector.handle_unresolved(failure, cx.now.instant),
            }
        }
        self.poll_attempt(owner, cx);
    }

    pub(super) fn handle_random(&mut self, owner: RunOwner, number: u64, cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        run.handle_input(probe::Input::Random(number), cx.now);
        self.poll_attempt(owner, cx);
    }

    /// The next piece of the body of a request; empty at its end.
    pub(super) fn handle_content(&mut self, owner: RunOwner, piece: &[u8], cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        run.handle_input(probe::Input::Content(piece), cx.now);
        self.poll_attempt(owner, cx);
    }

    pub(super) fn handle_worked(&mut self, job: JobId, result: ProbeResult, cx: &mut Context) {
        let Some((owner, run)) = self.table.iter_mut().find(|(_, run)| run.jobs.contains(&job)) else {
            return;
        };
        run.jobs.retain(|known| *known != job);
        run.handle_input(probe::Input::Worked(result), cx.now);
        self.poll_attempt(owner, cx);
    }

    pub(super) fn extend(&mut self, delay: Duration, cx: &mut Context) {
        for (owner, run) in self.table.iter_mut().filter(|(_, run)| run.stalls < STALLS_MAX) {
            run.stalls += 1;
            run.deadline += delay;
            cx.timers.set(Owner::Run(owner), Some(run.poll_timeout()));
        }
        self.extend_deferred(delay, cx);
    }

    /// Processes a changed list of targets: `ended` were removed or replaced.
    pub(super) fn handle_reload(&mut self, ended: &[TargetId], cx: &mut Context) {
        for target in ended {
            self.abandon(RunOwner::Target(*target), cx);
        }
        let ended: TargetSet = ended.iter().copied().collect();
        cx.outputs.retain(|output| match output {
            Output::CheckResult(check) => !ended.contains(check.target),
            _ => true,
        });
        self.queue.retain(|target| !ended.contains(target));
        self.unchecked = unchecked(cx);
        self.set_timers(cx);
        self.review_deferred(&ended, cx);
    }

    /// Whether every due check has started or waits, and every expired one has ended. It reads the checks, not
    /// the timers: a lost timer must stop the watchdog pings.
    pub(super) fn is_on_time(&self, cx: &Context) -> bool {
        let is_late = |at: Instant| at + WATCHDOG_SLACK < cx.now.instant;
        let unverified = self.unverified.iter().map(|(id, _)| *id);
        let waiting: TargetSet = self.queue.all_waiting().chain(unverified).collect();
        let is_late_target = |target: &Target| {
            target.due().is_some_and(is_late)
                && self.table.get(RunOwner::Target(target.id())).is_none()
                && !waiting.contains(target.id())
        };
        !self.table.iter().any(|run| is_late(run.deadline)) && !cx.targets.list().iter().any(is_late_target)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn iter(&self) -> impl Iterator<Item = &ProbeRun> {
        self.table.iter()
    }

    #[cfg(test)]
    pub(super) fn jobs(&self) -> Vec<JobId> {
        self.table.iter().flat_map(|run| &run.jobs).copied().collect()
    }

    pub(super) fn set_timers(&self, cx: &mut Context) {
        let owners: Vec<_> = cx.targets.ids().map(RunOwner::Target).collect();
        owners.into_iter().for_each(|owner| self.set_timer(owner, cx));
        for target in self.queue.all_waiting() {
            cx.timers.set(Owner::Run(RunOwner::Target(target)), None);
        }
    }

    pub(super) fn set_timer(&self, owner: RunOwner, cx: &mut Context) {
        let at = match (self.table.get(owner), owner) {
            (Some(run), _) => Some(run.poll_timeout()),
            (None, RunOwner::Delivery(_) | RunOwner::Request(_)) => None,
            (None, RunOwner::Target(target)) if self.unverified.iter().any(|(id, _)| *id == target) => None,
            (None, RunOwner::Target(target)) => {
                cx.targets.get(target).and_then(|target| match self.schedule {
                    Schedule::Repeated => target.due(),
                    Schedule::Once if target.heartbeat().is_some() => None,
                    // Its first check starts at once, and there is no second one.
                    Schedule::Once if target.fsm().last().is_none() => {
                        Some(target.retry_at().unwrap_or(cx.now.instant))
                    }
                    Schedule::Once => None,
                })
            }
        };
        cx.timers.set(Owner::Run(owner), at);
    }
}

/// The number of targets that are probed and have no result.
fn unchecked(cx: &Context) -> usize {
    let is_unchecked = |target: &&Target| target.fsm().last().is_none() && target.heartbeat().is_none();
    cx.targets.list().iter().filter(is_unchecked).count()
}
