//! The whole daemon without I/O: connections, deadlines, checks, the API and notifications.
//!
//! ```text
//!  handle_input ──▶ Connecting ─▶ Connected ─▶ probe::Attempt ─ ProbeResult ─▶ Monitor ─▶ FSM ┐
//!  (id, Input)      Query ◀─▶ Resolver                                                      │
//!                   Client ─ request ─▶ routes ─ response ─▶ Outbox                         │ Change
//!                   Stream ◀─ EventLog ◀────────────────────────────────────────────────────┤
//!  handle_timeout ▶ Timers: checks, clients, resolver, status, watchdog                     │
//!                   Hooks, Webhooks, ServiceManager ◀───────────────────────────────────────┘
//!                            │                                      │
//!                            ▼                                      ▼
//!                       poll_output                            poll_timeout
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

#[cfg(test)]
mod audit;
mod check_queue;
mod clients;
mod connections;
mod context;
mod event_log;
mod eviction;
mod hooks;
pub(crate) mod ids;
pub(crate) mod limits;
mod messages;
mod names;
mod outbox;
mod owners;
mod process_stats;
mod reload;
mod response_budget;
mod runs;
mod service_manager;
mod streams;
mod timers;
mod webhooks;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::host::HostGuard;
use crate::api::response::Date;
use crate::api::response_cache::ResponseCache;
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Monitor, TargetId, Targets};
use crate::probe::build::DELIVERY_TIMEOUT;
use crate::resolve::Resolver;
pub(crate) use crate::resolve::Transport;
use check_queue::CheckQueue;
use clients::ApiPeer;
use context::Context;
use event_log::EventLog;
use hooks::Hooks;
pub(crate) use hooks::{HookEnd, HookId};
use ids::ById;
pub(crate) use ids::ConnId;
use limits::Shares;
pub(crate) use messages::{CheckResult, Input, JobId, Output};
use names::Lookups;
use owners::{ConnOwner, Owner, RunOwner};
use response_budget::ResponseBudget;
use runs::ProbeRuns;
use service_manager::ServiceManager;
use webhooks::Webhooks;

/// When targets are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Repeatedly, each one at its scheduled times.
    Beat,
    Once,
}

/// The daemon; the module documentation has the contract of its methods.
pub(crate) struct Engine {
    cx: Context,
    schedule: Schedule,
    shares: Shares,
    unchecked: usize,
    runs: ProbeRuns,
    queue: CheckQueue,
    /// When the loop must wake up although nothing may be due, while checks are in flight. Set by
    /// `handle_timeout`, cleared by the next event: only lateness of a sleep is a scheduling delay.
    wakeup: Option<Instant>,
    lookups: Lookups,
    jobs: BTreeMap<JobId, RunOwner>,
    last_job: JobId,
    guard: HostGuard,
    date: Date,
    response_cache: ResponseCache,
    api: ById<ApiPeer>,
    clients: usize,
    response_budget: ResponseBudget,
    streams: Vec<ConnId>,
    event_log: EventLog,
    /// When the first event happened that has not been sent to the streams.
    unpublished: Option<Now>,
    /// When the daemon started, as the time since 1970.
    started: Duration,
    hooks: Hooks,
    webhooks: Webhooks,
    manager: Option<ServiceManager>,
    /// A watchdog ping is due.
    watchdog_due: bool,
}

impl Engine {
    /// Monitors these targets from `now` on, with this share of the file descriptors.
    pub(crate) fn new(
        monitors: Vec<Monitor>,
        schedule: Schedule,
        mut resolver: Resolver,
        guard: HostGuard,
        shares: Shares,
        now: Now,
    ) -> Self {
        resolver.limit_queries(shares.queries);
        let mut engine = Engine {
            unchecked: monitors.len(),
            runs: ProbeRuns::default(),
            queue: CheckQueue::new(shares.checks),
            wakeup: None,
            event_log: EventLog::new(monitors.len(), now),
            cx: Context::new(Targets::new(monitors, now), now),
            schedule,
            shares,
            lookups: Lookups::new(resolver),
            jobs: BTreeMap::new(),
            last_job: JobId(0),
            guard,
            date: Date::default(),
            response_cache: ResponseCache::default(),
            api: ById::new(),
            clients: 0,
            response_budget: ResponseBudget::default(),
            streams: Vec::new(),
            unpublished: None,
            started: now.unix,
            hooks: Hooks::default(),
            webhooks: Webhooks::default(),
            manager: None,
            watchdog_due: false,
        };
        engine.start_schedule(now);
        engine
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.cx.targets
    }

    pub(crate) fn handle_input(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let now = self.update_clock(now);
        match self.cx.owner(id) {
            None => return,
            Some(ConnOwner::Connecting { run, attempt }) => {
                self.handle_connecting(id, run, attempt, input, now);
            }
            Some(ConnOwner::Connected(run)) => {
                if let Input::Sent(count) = input {
                    if let Some(run) = self.runs.get_mut(run) {
                        run.outbox.advance(count);
                    }
                    return;
                }
                self.handle_probed(id, run, input, now);
            }
            Some(ConnOwner::Client) if self.is_stream(id) => self.handle_stream(id, input, now),
            Some(ConnOwner::Client) => self.handle_client(id, input, now),
            Some(ConnOwner::Query(query)) => self.handle_query(query, input, now),
        }
        self.drain_resolver(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        let now = self.update_clock(now);
        self.response_budget.begin_turn();
        if self.hooks.begin_turn() {
            self.start_hooks(now);
        }
        self.release_held(now);
        while let Some(owner) = self.cx.timers.take_due(now.instant) {
            match owner {
                Owner::Run(owner) => self.handle_run_timeout(owner, now),
                Owner::Client(id) if self.is_stream(id) => self.handle_stream_timeout(id, now),
                Owner::Client(id) => self.handle_client_timeout(id, now),
                Owner::Resolver => self.lookups.resolver.handle_timeout(now.instant),
                Owner::Accept => self.cx.resume_accept(),
                Owner::Hooks => self.handle_hooks_timeout(now),
                Owner::Webhooks => self.start_deliveries(now),
                Owner::Status => {
                    if let Some(manager) = &mut self.manager {
                        manager.send_status(&mut self.cx);
                    }
                }
                Owner::Watchdog => self.watchdog_due = true,
            }
            self.drain_resolver(now);
        }
        if std::mem::take(&mut self.watchdog_due) {
            let is_on_time = self.is_on_time(now);
            if let Some(manager) = &mut self.manager {
                manager.handle_watchdog(is_on_time, &mut self.cx);
            }
        }
        self.set_wakeup(now);
    }

    /// Returns the next operation for the caller to carry out.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        // Streams receive the events of one turn together.
        if let Some(now) = self.unpublished.take_if(|_| self.cx.outputs.is_empty()) {
            self.publish(now);
        }
        self.cx.outputs.pop_front()
    }

    /// When [`Engine::handle_timeout`] must be called next; always later than its last call.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.cx.timers.next().into_iter().chain(self.wakeup).min()
    }

    pub(crate) fn unsent(&self, id: ConnId) -> &[u8] {
        match self.cx.owner(id) {
            Some(ConnOwner::Connected(run)) => self.runs.get(run).map_or(&[], |run| run.outbox.unsent()),
            Some(ConnOwner::Query(query)) => self.lookups.unsent(query),
            Some(ConnOwner::Client) => self.api.get(id).map_or(&[], ApiPeer::unsent),
            Some(ConnOwner::Connecting { .. }) | None => &[],
        }
    }

    /// How many bytes may be read from a connection now. Zero is back-pressure: received bytes stay in
    /// the kernel until [`Output::Read`].
    pub(crate) fn room(&self, id: ConnId) -> usize {
        match self.cx.owner(id) {
            Some(ConnOwner::Connected(_) | ConnOwner::Query(_)) => usize::MAX,
            Some(ConnOwner::Client) => self.api.get(id).map_or(0, ApiPeer::room),
            Some(ConnOwner::Connecting { .. }) | None => 0,
        }
    }

    /// Whether every target has had its only check (with [`Schedule::Once`]).
    pub(crate) fn is_finished(&self) -> bool {
        self.schedule == Schedule::Once && self.unchecked == 0
    }

    /// Sends READY=1 to a service manager, and from now on its status and, if requested, watchdog pings at
    /// this interval.
    pub(crate) fn attach_service_manager(&mut self, watchdog: Option<Duration>, now: Now) {
        self.update_clock(now);
        self.manager = Some(ServiceManager::new(watchdog, &mut self.cx));
    }

    /// Sends a message to the service manager, if there is one.
    pub(crate) fn notify(&mut self, text: &str) {
        if self.manager.is_some() {
            self.cx.outputs.push_back(Output::Notify(text.to_owned()));
        }
    }

    /// Records that a reload was refused.
    #[cold]
    pub(crate) fn note_refused_reload(&mut self, error: &str, now: Now) {
        let now = self.update_clock(now);
        if let Some(manager) = &mut self.manager {
            manager.note_reload(error, &mut self.cx);
        }
        self.set_wakeup(now);
    }

    /// Reports pending hooks and deliveries, as the daemon stops.
    #[cold]
    pub(crate) fn stop(&mut self) {
        self.notify("STOPPING=1");
        self.stop_hooks();
        self.webhooks.stop(&mut self.cx);
    }

    /// Notifies the target's hook, its webhook and the service manager of a change of state.
    fn notify_state_change(&mut self, target: TargetId, change: &Change, now: Now) {
        self.queue_hook(target, change, now);
        self.webhooks.queue(target, change, &mut self.cx);
        self.start_deliveries(now);
        if let Some(manager) = &mut self.manager {
            manager.schedule_status(&mut self.cx);
        }
    }

    fn start_deliveries(&mut self, now: Now) {
        while let Some((slot, attempt)) = self.webhooks.next_attempt(&mut self.cx) {
            self.begin_run(RunOwner::Delivery(slot), attempt, DELIVERY_TIMEOUT, now);
        }
    }

    /// Stores `now`. If the loop itself was delayed since the last call (process stopped, machine
    /// suspended), deadlines are extended by the gap, so that no target is reported down for it.
    ///
    /// Outputs are carried out with the time at which the turn began, deadlines with a later one: the
    /// returned time is never before an earlier one.
    fn update_clock(&mut self, now: Now) -> Now {
        let gap = now.instant.saturating_duration_since(self.cx.now.instant);
        if gap.is_zero() {
            self.cx.now.unix = now.unix;
            return self.cx.now;
        }
        let late = self.poll_timeout().map(|due| now.instant.saturating_duration_since(due));
        if late.is_some_and(|late| late >= limits::CLOCK_STALL) {
            self.extend_runs(gap);
            self.lookups.resolver.extend(gap);
        }
        (self.cx.now, self.wakeup) = (now, None);
        now
    }

    /// Starts waiting checks and processes the resolver's outputs, then the requests that were deferred and
    /// now fit the budget.
    fn drain_resolver(&mut self, now: Now) {
        loop {
            self.start_waiting(now);
            let Some(output) = self.lookups.resolver.poll_output() else { break };
            self.handle_resolver(output, now);
        }
        self.cx.timers.set(Owner::Resolver, self.lookups.resolver.poll_timeout());
        self.release_held(now);
    }

    pub(crate) fn is_stream(&self, id: ConnId) -> bool {
        matches!(self.api.get(id), Some(ApiPeer::Stream(_)))
    }
}

#[cfg(test)]
mod tests;
