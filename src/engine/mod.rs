//! The whole daemon without I/O: connections, deadlines, checks, the API and notifications.
//!
//! ```text
//!  handle_input ───▶ by ConnOwner          handle_timeout ──▶ by Owner of the timer
//!                        │                                        │
//!       ┌────────────────┼────────────────────────────┬───────────┘
//!       ▼                ▼                            ▼
//!   ProbeRuns ──────▶ Lookups                    API clients ◀── EventLog
//!       │  ◀─ addresses ─┘                            │              ▲
//!       │                                             │              │
//!       ├── RunEvent::Checked: end of a check, change of state ──────┼──▶ Hooks
//!       │                                             │              └──▶ ServiceManager
//!       ├── RunEvent::Delivered ──▶ Webhooks ──▶ ProbeRuns
//!       └── RunEvent::Content, Requested ──▶ PeriodicRequests ──▶ ProbeRuns
//!
//!       all of them: Context { targets, timers, outputs, connections, counters }
//!                                      │                  │
//!                                      ▼                  ▼
//!                                 poll_timeout       poll_output
//! ```
//!
//! The polling contract, for the reactor (real sockets) and the simulation (scripted ones):
//!
//! - [`Engine::handle_input`] takes one event of one connection. Events of unknown ids are ignored. Other
//!   events and the results of outputs have methods of their own (`accept`, `handle_files` …).
//! - [`Engine::handle_timeout`] is called once per turn of the loop, after the inputs of that turn: data that
//!   has arrived is not late.
//! - [`Engine::poll_output`] is called until it returns `None`, after any of the calls above.
//! - [`Engine::poll_timeout`] then returns the latest time of the next [`Engine::handle_timeout`].
//!
//! `now` is an argument of each method; the engine has neither sockets nor a clock.
//!
//! Scheduling delays: while the process is stopped, starved or swapped out, or the machine is suspended, replies
//! can arrive in time and deadlines can pass. No target is reported down for that:
//!
//! - The loop was delayed if a method is called [`limits::CLOCK_STALL`] or more after [`Engine::poll_timeout`].
//!   Deadlines of checks and lookups are then extended by the time since the last call, each check
//!   [`limits::STALLS_MAX`] times at most: on a machine that is always late, silent targets must be reported.
//! - While checks are in flight, [`Engine::poll_timeout`] is at most [`limits::WAKEUP_INTERVAL`] away, so that
//!   a delay is noticed although nothing else was due. An event clears this time: only a sleep can be late.
//! - The reactor fetches the events of a delay within a turn before it calls [`Engine::handle_timeout`].

mod addresses;
mod api_conn;
mod api_conns;
#[cfg(any(test, fuzzing))]
mod audit;
mod check_queue;
mod context;
mod control;
mod controls;
mod event_log;
mod eviction;
mod exec_slots;
mod heartbeats;
mod hooks;
pub(crate) mod ids;
pub(crate) mod limits;
mod listings;
mod liveness;
mod lookups;
mod messages;
mod notification;
mod notify;
mod outbox;
mod owners;
mod periodic;
mod probe_run;
mod probe_runs;
mod process_stats;
mod reload;
mod requests;
mod run_table;
mod service_manager;
mod state_file;
mod streams;
mod timers;
mod webhooks;

use std::time::{Duration, Instant};

use crate::api::access::Access;
use crate::clock::Now;
use crate::monitor::{Monitor, Target, Targets};
use crate::probe::Exit;
use crate::resolve::Resolver;
pub(crate) use crate::resolve::Transport;
use crate::result::{Failure, ProbeResult};
use api_conns::ApiConns;
use context::Context;
use event_log::EventLog;
pub(crate) use hooks::HookEnd;
use hooks::Hooks;
pub(crate) use ids::ConnId;
use limits::{ACCEPT_PAUSE, CLOCK_STALL, Shares, WAKEUP_INTERVAL, YIELD_DELAY};
use lookups::Lookups;
pub(crate) use messages::{CheckResult, HookId, Input, JobId, Output, StatePiece};
pub(crate) use notification::Notification;
use owners::{ConnOwner, Owner};
use periodic::PeriodicRequests;
pub(crate) use probe_runs::Schedule;
use probe_runs::{ProbeRuns, RunEvent};
use service_manager::ServiceManager;
use state_file::StateFile;
use webhooks::Webhooks;

pub(crate) struct Engine {
    cx: Context,
    runs: ProbeRuns,
    /// When the loop must wake up although nothing may be due: see scheduling delays, above.
    wakeup: Option<Instant>,
    lookups: Lookups,
    api: ApiConns,
    event_log: EventLog,
    /// The event log has events that have not been sent to the streams.
    has_unpublished: bool,
    /// When the daemon started, as the time since 1970.
    started: Duration,
    hooks: Hooks,
    webhooks: Webhooks,
    manager: Option<ServiceManager>,
    watchdog_due: bool,
    requests: PeriodicRequests,
    state_file: Option<Box<StateFile>>,
}

impl Engine {
    pub(crate) fn new(
        monitors: Vec<Monitor>,
        schedule: Schedule,
        mut resolver: Resolver,
        access: Access,
        shares: Shares,
        now: Now,
    ) -> Self {
        resolver.limit_queries(shares.queries);
        let mut cx = Context::new(Targets::new(monitors, now), now);
        Engine {
            runs: ProbeRuns::new(schedule, shares.checks, &mut cx),
            event_log: EventLog::new(cx.targets.list().len(), now),
            cx,
            api: ApiConns::new(access, &shares),
            wakeup: None,
            lookups: Lookups::new(resolver),
            has_unpublished: false,
            started: now.unix,
            hooks: Hooks::new(shares.hooks),
            webhooks: Webhooks::default(),
            manager: None,
            watchdog_due: false,
            requests: PeriodicRequests::default(),
            state_file: None,
        }
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.cx.targets
    }

    pub(crate) fn handle_input(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        self.update_clock(now);
        match self.cx.owner(id) {
            None => return,
            Some(ConnOwner::Connecting { run, attempt }) => {
                self.runs.handle_connecting((run, attempt), id, input, &mut self.cx);
            }
            Some(ConnOwner::Connected(run)) => self.runs.handle_connected(run, id, input, &mut self.cx),
            Some(ConnOwner::Client) => {
                self.api.handle_input(id, input, &mut self.event_log, &mut self.cx);
            }
            Some(ConnOwner::Query(query)) => self.lookups.handle_query(query, input, &mut self.cx),
        }
        self.process_events();
    }

    pub(crate) fn accept(&mut self, now: Now) -> ConnId {
        self.update_clock(now);
        self.api.accept(&mut self.cx)
    }

    pub(crate) fn accepts_per_turn(&self) -> usize {
        self.api.accepts_per_turn()
    }

    /// Accepting a client failed. [`Output::Accept`] follows after a pause, or when a connection is closed.
    pub(crate) fn handle_accept_failed(&mut self, now: Now) {
        self.update_clock(now);
        self.cx.accept_paused = true;
        self.cx.timers.set(Owner::Accept, Some(self.cx.now.instant + ACCEPT_PAUSE));
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        let now = self.update_clock(now);
        self.api.listings.begin_turn();
        self.hooks.begin_turn(&mut self.cx);
        self.runs.queue.execs.begin_turn();
        if self.runs.has_startable(&self.cx) {
            self.process_events();
        }
        while let Some(owner) = self.cx.timers.take_due(now.instant) {
            match owner {
                Owner::Run(owner) => {
                    let describe = |lookup| self.lookups.resolver.describe(lookup);
                    self.runs.handle_timeout(owner, describe, &mut self.cx);
                }
                Owner::Client(id) => self.api.handle_timeout(id, &mut self.cx),
                Owner::Resolver => self.lookups.resolver.handle_timeout(now.instant),
                Owner::Accept => self.cx.resume_accept(),
                Owner::Hooks => self.hooks.handle_timeout(&mut self.cx),
                Owner::Webhooks => self.start_deliveries(),
                Owner::Status => {
                    if let Some(manager) = &mut self.manager {
                        manager.send_status(&mut self.cx);
                    }
                }
                Owner::Watchdog => self.watchdog_due = true,
                Owner::Liveness => {}
                Owner::Request(kind) => self.requests.note_due(kind),
                Owner::StateFile => self.begin_state(),
            }
            self.process_events();
        }
        self.process_liveness();
        self.start_requests();
        self.set_wakeup();
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        // Streams receive the events of one turn together.
        if self.cx.outputs.is_empty() && std::mem::take(&mut self.has_unpublished) {
            self.api.publish(&mut self.event_log, &mut self.cx);
        }
        self.cx.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.cx.timers.next().into_iter().chain(self.wakeup).min()
    }

    pub(crate) fn unsent(&self, id: ConnId) -> &[u8] {
        match self.cx.owner(id) {
            Some(ConnOwner::Connected(run)) => self.runs.get(run).map_or(&[], |run| run.outbox.unsent()),
            Some(ConnOwner::Query(query)) => self.lookups.unsent(query),
            Some(ConnOwner::Client) => self.api.unsent(id),
            Some(ConnOwner::Connecting { .. }) | None => &[],
        }
    }

    /// How many bytes may be read from a connection now. Zero is back-pressure: received bytes stay in
    /// the kernel until [`Output::Read`].
    pub(crate) fn room(&self, id: ConnId) -> usize {
        match self.cx.owner(id) {
            Some(ConnOwner::Connected(_) | ConnOwner::Query(_)) => usize::MAX,
            Some(ConnOwner::Client) => self.api.room(id),
            Some(ConnOwner::Connecting { .. }) | None => 0,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.runs.is_finished()
    }

    /// Sends READY=1 to a service manager, and from now on its status and, if requested, watchdog pings at
    /// this interval.
    pub(crate) fn attach_service_manager(&mut self, watchdog: Option<Duration>, now: Now) {
        self.update_clock(now);
        self.manager = Some(ServiceManager::new(watchdog, &mut self.cx));
    }

    pub(crate) fn notify(&mut self, text: &str) {
        if self.manager.is_some() {
            self.cx.outputs.push_back(Output::Notify(text.to_owned()));
        }
    }

    /// The result of [`Output::Spawn`]. `output` is the first line that the hook has printed.
    #[cold]
    pub(crate) fn handle_hook_ended(&mut self, id: HookId, end: &HookEnd, output: &str, now: Now) {
        self.update_clock(now);
        self.hooks.handle_ended(id, end, output, &mut self.cx);
    }

    /// Starts no further hooks: the daemon is about to stop.
    #[cold]
    pub(crate) fn start_no_hooks(&mut self) {
        self.hooks.start_no_more();
    }

    #[cold]
    pub(crate) fn stop(&mut self) {
        self.notify("STOPPING=1");
        self.runs.stop(&self.cx);
        self.hooks.stop(&mut self.cx);
        self.webhooks.stop(&mut self.cx);
    }

    /// The result of [`Output::RefreshFiles`]: the files that changed since the last time.
    pub(crate) fn handle_files(&mut self, hosts: Option<Vec<u8>>, resolv_conf: Option<&[u8]>, now: Now) {
        self.update_clock(now);
        for owner in self.lookups.handle_files(hosts, resolv_conf, &mut self.cx) {
            self.runs.handle_files(owner, &mut self.lookups, &mut self.cx);
        }
        self.process_events();
    }

    /// The result of [`Output::BlockingTask`]. Ignored if the check has ended.
    pub(crate) fn handle_worked(&mut self, job: JobId, result: ProbeResult, now: Now) {
        self.update_clock(now);
        self.runs.handle_worked(job, result, &mut self.cx);
        self.process_events();
    }

    /// The result of [`Output::Exec`]: how the program ended and what it printed, or why it was not started.
    pub(crate) fn handle_exited(&mut self, job: JobId, end: Result<(Exit, &[u8]), Failure>, now: Now) {
        self.update_clock(now);
        self.runs.handle_exited(job, end, &mut self.cx);
        self.process_events();
    }

    /// Processes what one concern has for another, until there is nothing more.
    fn process_events(&mut self) {
        for (target, result) in std::mem::take(&mut self.api.heartbeats) {
            self.runs.record_heartbeat(target, result, &mut self.cx);
        }
        self.process_controls();
        loop {
            self.runs.start_waiting(&mut self.cx);
            if let Some(event) = self.runs.poll_event() {
                self.handle_run_event(event);
            } else if let Some((owner, update)) = self.lookups.poll_update(&mut self.cx) {
                self.runs.handle_lookup(owner, update, &mut self.cx);
            } else {
                break;
            }
        }
    }

    fn handle_run_event(&mut self, event: RunEvent) {
        match event {
            RunEvent::Resolve(owner) => self.lookups.request(owner, &mut self.cx),
            RunEvent::Cancel(lookup) => self.lookups.cancel(lookup),
            RunEvent::Random(owner) => {
                self.runs.handle_random(owner, self.lookups.resolver.random(), &mut self.cx)
            }
            RunEvent::Checked(target, change) => {
                let Some(fsm) = self.cx.targets.get(target).map(Target::fsm) else { return };
                let Some(last) = fsm.last() else { return };
                let has_event = self.event_log.note(target, last, change.as_ref(), fsm.state());
                self.has_unpublished |= has_event && !self.api.streams.is_empty();
                self.notify_receivers(target, change.as_ref());
                if let Some(manager) = self.manager.as_mut().filter(|_| change.is_some()) {
                    manager.schedule_status(&mut self.cx);
                }
            }
            RunEvent::Paused(target, change) => self.note_pause(target, change.as_ref()),
            RunEvent::Delivered(slot, result) => {
                self.webhooks.handle_result(slot, &result, &mut self.cx);
                self.start_deliveries();
            }
            RunEvent::Content(kind) => self.send_content(kind),
            RunEvent::Requested(kind, result) => self.requests.handle_result(kind, &result, &mut self.cx),
        }
    }

    /// Stores `now`, and extends deadlines after a scheduling delay.
    ///
    /// Outputs are executed with the time at which the turn began, deadlines with a later one: the
    /// returned time is never before an earlier one.
    fn update_clock(&mut self, now: Now) -> Now {
        let gap = now.instant.saturating_duration_since(self.cx.now.instant);
        if gap.is_zero() {
            self.cx.now.unix = now.unix;
            return self.cx.now;
        }
        let late = self.poll_timeout().map(|due| now.instant.saturating_duration_since(due));
        if late.is_some_and(|late| late >= CLOCK_STALL) {
            self.runs.extend(gap, &mut self.cx);
            self.lookups.resolver.extend(gap);
        }
        (self.cx.now, self.wakeup) = (now, None);
        now
    }

    fn set_wakeup(&mut self) {
        let now = self.cx.now.instant;
        self.wakeup = match self.runs.has_startable(&self.cx) {
            true => Some(now + YIELD_DELAY),
            false => self.runs.is_busy().then(|| now + WAKEUP_INTERVAL),
        };
    }
}

#[cfg(test)]
mod tests;
