//! Checks in flight: each one an attempt with a deadline, from its scheduled time to its result.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::limits::{ONCE_PARALLEL, PROBE_OUTPUTS_MAX, STALLS_MAX, WAKEUP_INTERVAL, YIELD_DELAY};
use super::outbox::Outbox;
use super::{CheckResult, ConnId, Engine, JobId, Output, Owner, Schedule};
use crate::clock::Now;
use crate::probe::connector::{AttemptId, Connector};
use crate::probe::guard::{discard, guarded};
use crate::probe::words::seconds;
use crate::probe::{self, Attempt};
use crate::resolve::LookupId;
use crate::result::{Failure, Phases, ProbeResult, Reason};

pub(super) struct ProbeRun {
    attempt: Box<dyn Attempt>,
    timeout: Duration,
    deadline: Instant,
    /// How often the deadline was extended.
    stalls: u8,
    /// Present while connecting.
    pub(super) connector: Option<Connector>,
    /// The lookup waits for [`Output::RefreshFiles`].
    pub(super) awaits_files: bool,
    pub(super) lookup: Option<LookupId>,
    /// A client was evicted for the connector's next connection.
    pub(super) retried_after_eviction: bool,
    /// The connector's connection attempts.
    pub(super) attempts: Vec<(AttemptId, ConnId)>,
    /// The established connection.
    pub(super) conn: Option<ConnId>,
    /// The unsent bytes of `conn`.
    pub(super) outbox: Outbox,
    /// Only `resolve` and `connect` are set.
    phases: Phases,
    /// The last address connected to.
    pub(super) address: Option<SocketAddr>,
    pub(super) jobs: Vec<JobId>,
    outputs: usize,
    /// The attempt has panicked and is not called any more.
    panic: Option<Failure>,
}

impl Engine {
    /// Sets the timers of the first checks.
    pub(super) fn start_schedule(&mut self, now: Now) {
        let targets = 0..self.cx.targets.watches().len();
        if self.schedule == Schedule::Beat {
            targets.for_each(|target| self.set_target_timer(target));
            return;
        }
        self.backlog = targets.rev().collect();
        for _ in 0..ONCE_PARALLEL {
            self.start_backlog(now);
        }
    }

    fn start_backlog(&mut self, now: Now) {
        if let Some(target) = self.backlog.pop() {
            self.cx.timers.set(Owner::Target(target), Some(now.instant));
        }
    }

    pub(super) fn handle_target_timeout(&mut self, target: usize, now: Now) {
        match &mut self.runs[target] {
            Some(run) if run.deadline <= now.instant => self.expire(target, now),
            Some(run) => {
                if let Some(connector) = &mut run.connector {
                    connector.handle_timeout(now.instant);
                }
                self.poll_attempt(target, now);
            }
            None => self.begin(target, now),
        }
    }

    /// Extends the deadlines of all checks in flight after a delay of the loop.
    pub(super) fn extend_runs(&mut self, gap: Duration) {
        for target in 0..self.runs.len() {
            if let Some(run) = self.runs[target].as_mut().filter(|run| run.stalls < STALLS_MAX) {
                run.stalls += 1;
                run.deadline += gap;
                self.set_target_timer(target);
            }
        }
    }

    /// Wakes the loop up regularly while checks are in flight, and soon if deferred requests wait for it.
    pub(super) fn set_wakeup(&mut self, now: Now) {
        self.wakeup = match self.response_budget.turn_quota_reached() {
            true => Some(now.instant + YIELD_DELAY),
            false => (self.in_flight > 0).then(|| now.instant + WAKEUP_INTERVAL),
        };
    }

    fn begin(&mut self, target: usize, now: Now) {
        match guarded(|| (self.cx.targets.begin(target, now), self.cx.targets.watch(target).timeout())) {
            Ok((attempt, timeout)) => self.begin_run(target, attempt, timeout, now),
            Err(failure) => self.finish(target, failure.into(), now),
        }
    }

    pub(super) fn begin_run(&mut self, place: usize, attempt: Box<dyn Attempt>, timeout: Duration, now: Now) {
        self.runs[place] = Some(Box::new(ProbeRun::new(attempt, timeout, now)));
        self.in_flight += 1;
        self.poll_attempt(place, now);
    }

    /// Ends a check at its deadline. The attempt may still return a result with a more precise detail.
    fn expire(&mut self, target: usize, now: Now) {
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        let timeout = format!("timed out after {}", seconds(run.timeout));
        match &run.connector {
            Some(connector) => {
                let lookup = run.lookup.and_then(|lookup| self.lookups.resolver.describe(lookup));
                let mut failure = connector.timed_out(lookup);
                failure.detail = format!("{timeout}: {}", failure.detail);
                run.handle_input(probe::Input::Failed(failure), now);
            }
            None => run.handle_input(probe::Input::TimedOut, now),
        }
        while let Some(output) = self.runs[target].as_deref_mut().and_then(ProbeRun::poll) {
            match output {
                probe::Output::Done(result) => return self.finish(target, result, now),
                probe::Output::Send(bytes) => {
                    self.send(target, bytes);
                }
                probe::Output::BlockingTask(task) => discard(task),
                probe::Output::Connect { .. } => {}
            }
        }
        self.finish(target, ProbeResult::down(Reason::Custom, &timeout), now);
    }

    /// Processes the outputs of a check until there are none.
    pub(super) fn poll_attempt(&mut self, target: usize, now: Now) {
        while let Some(run) = self.runs[target].as_deref_mut() {
            if let Some(output) = run.connector.as_mut().and_then(Connector::poll_output) {
                self.handle_connector(target, output, now);
                continue;
            }
            match run.poll() {
                None => break,
                Some(probe::Output::Done(result)) => return self.finish(target, result, now),
                Some(probe::Output::Connect { host, port }) => {
                    self.disconnect(target, now);
                    if let Some(run) = self.runs[target].as_deref_mut() {
                        run.connector = Some(Connector::new(host, port, now.instant));
                    }
                }
                Some(probe::Output::Send(bytes)) => {
                    if !self.send(target, bytes) {
                        let failure =
                            Failure::new(Reason::Custom, "the probe sends more than the peer takes");
                        return self.finish(target, failure.into(), now);
                    }
                }
                Some(probe::Output::BlockingTask(task)) => {
                    self.last_job.0 += 1;
                    self.jobs.insert(self.last_job, target);
                    run.jobs.push(self.last_job);
                    self.cx.outputs.push_back(Output::BlockingTask(self.last_job, task));
                }
            }
        }
        self.set_target_timer(target);
    }

    /// The result of [`Output::BlockingTask`]. Ignored if the check has ended.
    pub(crate) fn handle_worked(&mut self, job: JobId, result: ProbeResult, now: Now) {
        let now = self.update_clock(now);
        let Some(target) = self.jobs.remove(&job) else { return };
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        run.jobs.retain(|known| *known != job);
        run.handle_input(probe::Input::Worked(result), now);
        self.poll_attempt(target, now);
        self.drain_resolver(now);
    }

    /// Starts a check outside the schedule, unless one is in flight.
    pub(crate) fn check_now(&mut self, target: usize, now: Now) {
        let now = self.update_clock(now);
        if self.runs[target].is_none() {
            self.begin(target, now);
            self.drain_resolver(now);
            self.set_wakeup(now);
        }
    }

    fn finish(&mut self, target: usize, mut result: ProbeResult, now: Now) {
        self.disconnect(target, now);
        if let Some(run) = self.runs[target].take() {
            run.complete(&mut result);
            self.in_flight -= 1;
        }
        if let Some(slot) = self.slot(target) {
            self.set_target_timer(target);
            return self.handle_delivered(slot, &result, now);
        }
        let watch = self.cx.targets.watch_mut(target);
        if watch.retry(&result, now.instant) {
            return self.set_target_timer(target);
        }
        watch.apply_slow_threshold(&mut result);
        if self.cx.targets.watch(target).fsm().last().is_none() {
            self.unchecked -= 1;
        }
        let change = self.cx.targets.fire(target, &result, now);
        if self.schedule == Schedule::Beat {
            self.note_check(target, change.as_ref(), now);
        }
        let notified = change.clone().filter(|_| self.schedule == Schedule::Beat);
        self.cx.outputs.push_back(Output::CheckResult(CheckResult { target, result, change }));
        if let Some(change) = notified {
            self.notify_state_change(target, &change, now);
        }
        self.cx.targets.watch_mut(target).advance(now.instant);
        self.set_target_timer(target);
        if self.schedule == Schedule::Once {
            self.start_backlog(now);
        }
    }

    pub(super) fn set_target_timer(&mut self, target: usize) {
        let at = match &self.runs[target] {
            Some(run) => {
                let connector = run.connector.as_ref().and_then(Connector::poll_timeout);
                Some(connector.map_or(run.deadline, |at| at.min(run.deadline)))
            }
            None if self.slot(target).is_some() => None,
            None => {
                let watch = self.cx.targets.watch(target);
                match self.schedule {
                    Schedule::Beat => Some(watch.due()),
                    Schedule::Once => watch.retry_at(),
                }
            }
        };
        self.cx.timers.set(Owner::Target(target), at);
    }
}

/// Replaces an attempt when a run is dropped.
struct Finished;

impl Attempt for Finished {
    fn handle_input(&mut self, _input: probe::Input<'_>, _now: Now) {}

    fn poll_output(&mut self) -> Option<probe::Output> {
        None
    }
}

impl Drop for ProbeRun {
    fn drop(&mut self) {
        discard(std::mem::replace(&mut self.attempt, Box::new(Finished)));
    }
}

impl ProbeRun {
    fn new(attempt: Box<dyn Attempt>, timeout: Duration, now: Now) -> Self {
        ProbeRun {
            attempt,
            timeout,
            deadline: now.instant + timeout,
            stalls: 0,
            connector: None,
            awaits_files: false,
            retried_after_eviction: false,
            lookup: None,
            attempts: Vec::new(),
            conn: None,
            outbox: Outbox::default(),
            phases: Phases::default(),
            address: None,
            jobs: Vec::new(),
            outputs: 0,
            panic: None,
        }
    }

    /// Drops the connector and adds its durations to `phases`.
    pub(super) fn end_connecting(&mut self, now: Now) {
        let Some(connector) = self.connector.take() else { return };
        let (resolve, connect) = connector.spent(now.instant);
        for (phase, span) in [(&mut self.phases.resolve, resolve), (&mut self.phases.connect, connect)] {
            if let Some(span) = span {
                Phases::extend(phase, span);
            }
        }
        self.address = connector.tried().or(self.address);
    }

    /// Adds phases and address, which the attempt does not know.
    fn complete(&self, result: &mut ProbeResult) {
        result.phases.resolve = self.phases.resolve.or(result.phases.resolve);
        result.phases.connect = self.phases.connect.or(result.phases.connect);
        result.address = self.address.or(result.address);
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn handle_input(&mut self, input: probe::Input<'_>, now: Now) {
        self.outputs = 0;
        if self.panic.is_none() {
            self.panic = guarded(|| self.attempt.handle_input(input, now)).err();
        }
    }

    /// The attempt's next output; after [`PROBE_OUTPUTS_MAX`] without input, a failure.
    fn poll(&mut self) -> Option<probe::Output> {
        self.outputs += 1;
        if self.outputs > PROBE_OUTPUTS_MAX {
            let failure = Failure::new(Reason::Custom, "the probe never stops asking for things");
            return Some(probe::Output::Done(failure.into()));
        }
        let failure = match self.panic.take() {
            Some(failure) => failure,
            None => match guarded(|| self.attempt.poll_output()) {
                Ok(output) => return output,
                Err(failure) => failure,
            },
        };
        Some(probe::Output::Done(failure.into()))
    }

    pub(super) fn take_attempt(&mut self, attempt: AttemptId) -> Option<ConnId> {
        let place = self.attempts.iter().position(|(open, _)| *open == attempt)?;
        Some(self.attempts.remove(place).1)
    }
}
