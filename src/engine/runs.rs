//! Checks in flight: each one an attempt with a deadline, from its scheduled time to its result.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::limits::*;
use super::outbox::Outbox;
use super::owners::{Owner, RunOwner};
use super::{CheckResult, ConnId, Engine, JobId, Output, Schedule};
use crate::clock::Now;
use crate::probe::connector::{AttemptId, Connector};
use crate::probe::guard::{discard, guarded};
use crate::probe::words::seconds;
use crate::probe::{self, Attempt};
use crate::resolve::LookupId;
use crate::result::{Failure, Phases, ProbeResult, Reason};

/// The attempts in flight, at most one for each owner.
#[derive(Default)]
pub(super) struct ProbeRuns {
    /// By [`RunOwner::place`].
    runs: Vec<Option<Box<ProbeRun>>>,
    in_flight: usize,
}

impl ProbeRuns {
    pub(super) fn get(&self, owner: RunOwner) -> Option<&ProbeRun> {
        self.runs.get(owner.place())?.as_deref().filter(|run| run.owner == owner)
    }

    pub(super) fn get_mut(&mut self, owner: RunOwner) -> Option<&mut ProbeRun> {
        self.runs.get_mut(owner.place())?.as_deref_mut().filter(|run| run.owner == owner)
    }

    fn insert(&mut self, run: Box<ProbeRun>) {
        let place = run.owner.place();
        if place >= self.runs.len() {
            self.runs.resize_with(place + 1, || None);
        }
        self.runs[place] = Some(run);
        self.in_flight += 1;
    }

    pub(super) fn remove(&mut self, owner: RunOwner) -> Option<Box<ProbeRun>> {
        let run = self.runs.get_mut(owner.place())?.take_if(|run| run.owner == owner)?;
        self.in_flight -= 1;
        Some(run)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ProbeRun> {
        self.runs.iter().filter_map(Option::as_deref)
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight
    }
}

pub(super) struct ProbeRun {
    pub(super) owner: RunOwner,
    attempt: Box<dyn Attempt>,
    timeout: Duration,
    pub(super) deadline: Instant,
    /// How often the deadline was extended.
    stalls: u8,
    /// Present while connecting.
    pub(super) connector: Option<Connector>,
    /// The lookup waits for [`Output::RefreshFiles`].
    pub(super) awaits_files: bool,
    pub(super) lookup: Option<LookupId>,
    /// The connections that it counts with in the queue.
    pub(super) connections: usize,
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
    pub(super) fn handle_run_timeout(&mut self, owner: RunOwner, now: Now) {
        match (self.runs.get_mut(owner), owner) {
            (Some(run), _) if run.deadline <= now.instant => self.expire(owner, now),
            (Some(run), _) => {
                if let Some(connector) = &mut run.connector {
                    connector.handle_timeout(now.instant);
                }
                self.poll_attempt(owner, now);
            }
            (None, RunOwner::Target(target)) => self.queue.push(target),
            (None, RunOwner::Delivery(_)) => {}
        }
    }

    /// Extends the deadlines of all checks in flight after a delay of the loop.
    pub(super) fn extend_runs(&mut self, gap: Duration) {
        let owners: Vec<_> = self.runs.iter().map(|run| run.owner).collect();
        for owner in owners {
            if let Some(run) = self.runs.get_mut(owner).filter(|run| run.stalls < STALLS_MAX) {
                run.stalls += 1;
                run.deadline += gap;
                self.set_run_timer(owner);
            }
        }
    }

    /// Wakes the loop up regularly while checks are in flight, and soon if deferred requests wait for it.
    pub(super) fn set_wakeup(&mut self, now: Now) {
        self.wakeup = match self.response_budget.turn_quota_reached() {
            true => Some(now.instant + YIELD_DELAY),
            false => (self.runs.len() > 0).then(|| now.instant + WAKEUP_INTERVAL),
        };
    }

    pub(super) fn begin_run(
        &mut self,
        owner: RunOwner,
        attempt: Box<dyn Attempt>,
        timeout: Duration,
        now: Now,
    ) {
        self.queue.begin();
        self.runs.insert(Box::new(ProbeRun::new(owner, attempt, timeout, now)));
        self.poll_attempt(owner, now);
    }

    /// Ends a check at its deadline. The attempt may still return a result with a more precise detail.
    fn expire(&mut self, owner: RunOwner, now: Now) {
        let Some(run) = self.runs.get_mut(owner) else { return };
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
        while let Some(output) = self.runs.get_mut(owner).and_then(ProbeRun::poll) {
            match output {
                probe::Output::Done(result) => return self.finish(owner, result, now),
                probe::Output::Send(bytes) => {
                    self.send(owner, bytes);
                }
                probe::Output::BlockingTask(task) => discard(task),
                probe::Output::Connect { .. } => {}
            }
        }
        self.finish(owner, ProbeResult::down(Reason::Custom, &timeout), now);
    }

    /// Processes the outputs of a check until there are none.
    pub(super) fn poll_attempt(&mut self, owner: RunOwner, now: Now) {
        while let Some(run) = self.runs.get_mut(owner) {
            if let Some(output) = run.connector.as_mut().and_then(Connector::poll_output) {
                self.handle_connector(owner, output, now);
                continue;
            }
            match run.poll() {
                None => break,
                Some(probe::Output::Done(result)) => return self.finish(owner, result, now),
                Some(probe::Output::Connect { host, port }) => {
                    self.disconnect(owner, now);
                    if let Some(run) = self.runs.get_mut(owner) {
                        run.connector = Some(Connector::new(host, port, now.instant));
                    }
                }
                Some(probe::Output::Send(bytes)) => {
                    if !self.send(owner, bytes) {
                        let failure =
                            Failure::new(Reason::Custom, "the probe sends more than the peer takes");
                        return self.finish(owner, failure.into(), now);
                    }
                }
                Some(probe::Output::BlockingTask(task)) => {
                    self.last_job.0 += 1;
                    self.jobs.insert(self.last_job, owner);
                    run.jobs.push(self.last_job);
                    self.cx.outputs.push_back(Output::BlockingTask(self.last_job, task));
                }
            }
        }
        if let Some(run) = self.runs.get_mut(owner) {
            let needed = run.connections_needed().min(run.connections);
            self.queue.release(std::mem::replace(&mut run.connections, needed) - needed);
        }
        self.set_run_timer(owner);
    }

    /// The result of [`Output::BlockingTask`]. Ignored if the check has ended.
    pub(crate) fn handle_worked(&mut self, job: JobId, result: ProbeResult, now: Now) {
        let now = self.update_clock(now);
        let Some(owner) = self.jobs.remove(&job) else { return };
        let Some(run) = self.runs.get_mut(owner) else { return };
        run.jobs.retain(|known| *known != job);
        run.handle_input(probe::Input::Worked(result), now);
        self.poll_attempt(owner, now);
        self.drain_resolver(now);
    }

    pub(super) fn finish(&mut self, owner: RunOwner, mut result: ProbeResult, now: Now) {
        self.disconnect(owner, now);
        if let Some(run) = self.runs.remove(owner) {
            self.queue.release(run.connections);
            run.complete(&mut result);
        }
        let id = match owner {
            RunOwner::Target(target) => target,
            RunOwner::Delivery(slot) => {
                self.set_run_timer(owner);
                self.webhooks.handle_result(slot, &result, &mut self.cx);
                return self.start_deliveries(now);
            }
        };
        let Some(target) = self.cx.targets.get_mut(id) else { return };
        if target.retry(&result, now.instant) {
            return self.set_run_timer(owner);
        }
        target.apply_slow_threshold(&mut result);
        if target.fsm().last().is_none() {
            self.unchecked -= 1;
        }
        let change = self.cx.targets.fire(id, &result, now);
        if self.schedule == Schedule::Beat {
            self.note_check(id, change.as_ref(), now);
        }
        let notified = change.clone().filter(|_| self.schedule == Schedule::Beat);
        self.cx.outputs.push_back(Output::CheckResult(CheckResult { target: id, result, change }));
        if let Some(change) = notified {
            self.notify_state_change(id, &change, now);
        }
        if let Some(target) = self.cx.targets.get_mut(id) {
            target.advance(now.instant);
        }
        self.set_run_timer(owner);
    }

    pub(super) fn set_run_timer(&mut self, owner: RunOwner) {
        let at = match (self.runs.get(owner), owner) {
            (Some(run), _) => {
                let connector = run.connector.as_ref().and_then(Connector::poll_timeout);
                Some(connector.map_or(run.deadline, |at| at.min(run.deadline)))
            }
            (None, RunOwner::Delivery(_)) => None,
            (None, RunOwner::Target(target)) => {
                self.cx.targets.get(target).and_then(|target| match self.schedule {
                    Schedule::Beat => Some(target.due()),
                    Schedule::Once => target.retry_at(),
                })
            }
        };
        self.cx.timers.set(Owner::Run(owner), at);
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
    fn new(owner: RunOwner, attempt: Box<dyn Attempt>, timeout: Duration, now: Now) -> Self {
        ProbeRun {
            owner,
            attempt,
            timeout,
            deadline: now.instant + timeout,
            stalls: 0,
            connector: None,
            awaits_files: false,
            connections: CONNECTIONS_PER_CHECK,
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

    /// The connections that it has or may need at once.
    fn connections_needed(&self) -> usize {
        match &self.connector {
            Some(connector) if !connector.is_literal() => self.attempts.len().max(CONNECTIONS_PER_CHECK),
            _ => 1,
        }
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
