//! The whole daemon without I/O: connections, deadlines, checks, the API and notifications.
//!
//! ```text
//!  handle_input ──▶ Connecting ─▶ Probed ─▶ probe::Attempt ─ ProbeResult ─▶ Monitor ─▶ FSM ─┐
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
mod clients;
mod connections;
mod event_log;
mod eviction;
mod hooks;
pub(crate) mod ids;
pub(crate) mod limits;
mod messages;
mod names;
mod notices;
mod outbox;
mod process_stats;
mod reload;
mod response_budget;
mod runs;
mod streams;
mod timers;
mod webhooks;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::api::counters::Counters;
use crate::api::host::HostGuard;
use crate::api::response::Date;
use crate::api::response_cache::ResponseCache;
use crate::clock::Now;
use crate::monitor::{Fleet, Monitor};
use crate::probe::connector::AttemptId;
pub(crate) use crate::resolve::Transport;
use crate::resolve::{LookupId, QueryId, Resolver};
use clients::ApiConn;
use event_log::EventLog;
use hooks::Hooks;
pub(crate) use hooks::{HookEnd, HookId};
pub(crate) use ids::ConnId;
use ids::{ById, Ids};
pub(crate) use messages::{CheckResult, Input, JobId, Output};
use notices::ServiceManager;
use outbox::Outbox;
use response_budget::ResponseBudget;
use runs::ProbeRun;
use streams::Stream;
use timers::Timers;
use webhooks::Webhooks;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Target(usize),
    Client(ConnId),
    Resolver,
    Accept,
    Hooks,
    Webhooks,
    Status,
    Watchdog,
}

/// Number of owners that are neither targets nor clients.
const FIXED: usize = 6;

impl timers::Owner for Owner {
    fn place(self) -> usize {
        match self {
            Owner::Resolver => 0,
            Owner::Accept => 1,
            Owner::Hooks => 2,
            Owner::Webhooks => 3,
            Owner::Status => 4,
            Owner::Watchdog => 5,
            Owner::Target(target) => FIXED + 2 * target,
            Owner::Client(id) => FIXED + 1 + 2 * id.place(),
        }
    }
}

/// A connection, by the peer at its other end.
enum Conn {
    /// A probe's connection that is not established.
    Connecting {
        target: usize,
        slot: AttemptId,
        retried_after_eviction: bool,
    },
    /// A probe's established connection.
    Probed {
        target: usize,
        outbox: Outbox,
    },
    Client(Box<ApiConn>),
    Stream(Box<Stream>),
    Query {
        query: QueryId,
        server: SocketAddr,
        transport: Transport,
        outbox: Outbox,
        retried_after_eviction: bool,
    },
}

/// When targets are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Repeatedly, each one at its scheduled times.
    Beat,
    Once,
}

/// The daemon; the module documentation has the contract of its methods.
pub(crate) struct Engine {
    fleet: Fleet,
    schedule: Schedule,
    /// Targets that wait for their only check, in reverse order (with [`Schedule::Once`]).
    backlog: Vec<usize>,
    unchecked: usize,
    /// The targets' checks in the order of the targets, then the deliveries to webhooks.
    runs: Vec<Option<Box<ProbeRun>>>,
    /// Number of entries of `runs` that are `Some`.
    in_flight: usize,
    /// When the loop must wake up although nothing may be due, while checks are in flight. Set by
    /// `handle_timeout`, cleared by the next event: only lateness of a sleep is a scheduling delay.
    wakeup: Option<Instant>,
    conns: ById<Conn>,
    ids: Ids,
    timers: Timers<Owner>,
    resolver: Resolver,
    lookups: BTreeMap<LookupId, usize>,
    queries: Vec<(QueryId, ConnId)>,
    jobs: BTreeMap<JobId, usize>,
    last_job: JobId,
    /// Targets whose lookups start once the files have been refreshed.
    unresolved: Vec<usize>,
    guard: HostGuard,
    date: Date,
    response_cache: ResponseCache,
    clients: usize,
    response_budget: ResponseBudget,
    streams: Vec<ConnId>,
    event_log: EventLog,
    /// When the first event happened that has not been sent to the streams.
    unpublished: Option<Now>,
    counters: Counters,
    /// When the daemon started, as the time since 1970.
    started: Duration,
    accept_paused: bool,
    hooks: Hooks,
    webhooks: Webhooks,
    manager: Option<ServiceManager>,
    /// A watchdog ping is due.
    watchdog_due: bool,
    outputs: VecDeque<Output>,
    /// The latest `now`.
    seen: Instant,
}

impl Engine {
    /// Monitors these targets from `now` on.
    pub(crate) fn new(
        monitors: Vec<Monitor>,
        schedule: Schedule,
        resolver: Resolver,
        guard: HostGuard,
        now: Now,
    ) -> Self {
        let mut engine = Engine {
            unchecked: monitors.len(),
            runs: (0..monitors.len() + limits::WEBHOOKS_PARALLEL).map(|_| None).collect(),
            in_flight: 0,
            wakeup: None,
            event_log: EventLog::new(monitors.len(), now),
            fleet: Fleet::new(monitors, now),
            schedule,
            backlog: Vec::new(),
            conns: ById::new(),
            ids: Ids::new(),
            timers: Timers::new(now.instant),
            resolver,
            lookups: BTreeMap::new(),
            queries: Vec::new(),
            jobs: BTreeMap::new(),
            last_job: JobId(0),
            unresolved: Vec::new(),
            guard,
            date: Date::default(),
            response_cache: ResponseCache::default(),
            clients: 0,
            response_budget: ResponseBudget::default(),
            streams: Vec::new(),
            unpublished: None,
            counters: Counters::default(),
            started: now.unix,
            accept_paused: false,
            hooks: Hooks::default(),
            webhooks: Webhooks::default(),
            manager: None,
            watchdog_due: false,
            outputs: VecDeque::new(),
            seen: now.instant,
        };
        engine.start_schedule(now);
        engine
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    pub(crate) fn handle_input(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let now = self.update_clock(now);
        match self.conns.get_mut(id) {
            None => return,
            Some(Conn::Connecting { .. }) => self.handle_connecting(id, input, now),
            Some(Conn::Probed { target, outbox }) => {
                if let Input::Sent(count) = input {
                    outbox.advance(count);
                    return;
                }
                let target = *target;
                self.handle_probed(id, target, input, now);
            }
            Some(Conn::Client(_)) => self.handle_client(id, input, now),
            Some(Conn::Stream(_)) => self.handle_stream(id, input, now),
            Some(Conn::Query { .. }) => self.handle_query(id, input, now),
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
        while let Some(owner) = self.timers.take_due(now.instant) {
            match owner {
                Owner::Target(target) => self.handle_target_timeout(target, now),
                Owner::Client(id) if self.is_stream(id) => self.handle_stream_timeout(id, now),
                Owner::Client(id) => self.handle_client_timeout(id, now),
                Owner::Resolver => self.resolver.handle_timeout(now.instant),
                Owner::Accept => self.resume_accept(),
                Owner::Hooks => self.handle_hooks_timeout(now),
                Owner::Webhooks => self.start_deliveries(now),
                Owner::Status => self.send_status(now),
                Owner::Watchdog => self.watchdog_due = true,
            }
            self.drain_resolver(now);
        }
        if std::mem::take(&mut self.watchdog_due) {
            self.handle_watchdog(now);
        }
        self.set_wakeup(now);
    }

    /// Returns the next operation for the caller to carry out.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        // Streams receive the events of one turn together.
        if let Some(now) = self.unpublished.take_if(|_| self.outputs.is_empty()) {
            self.publish(now);
        }
        self.outputs.pop_front()
    }

    /// When [`Engine::handle_timeout`] must be called next; always later than its last call.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.wakeup).min()
    }

    pub(crate) fn unsent(&self, id: ConnId) -> &[u8] {
        match self.conns.get(id) {
            Some(Conn::Probed { outbox, .. } | Conn::Query { outbox, .. }) => outbox.unsent(),
            Some(Conn::Client(conn)) => conn.unsent(),
            Some(Conn::Stream(stream)) => stream.outbox.unsent(),
            Some(Conn::Connecting { .. }) | None => &[],
        }
    }

    /// How many bytes may be read from a connection now. Zero is back-pressure: received bytes stay in
    /// the kernel until [`Output::Read`].
    pub(crate) fn room(&self, id: ConnId) -> usize {
        match self.conns.get(id) {
            Some(Conn::Probed { .. } | Conn::Query { .. } | Conn::Stream(_)) => usize::MAX,
            Some(Conn::Client(conn)) => conn.room(),
            Some(Conn::Connecting { .. }) | None => 0,
        }
    }

    /// Whether every target has had its only check (with [`Schedule::Once`]).
    pub(crate) fn is_finished(&self) -> bool {
        self.schedule == Schedule::Once && self.unchecked == 0
    }

    /// Stores `now`. If the loop itself was delayed since the last call (process stopped, machine
    /// suspended), deadlines are extended by the gap, so that no target is reported down for it.
    ///
    /// Outputs are carried out with the time at which the turn began, deadlines with a later one: the
    /// returned time is never before an earlier one.
    fn update_clock(&mut self, now: Now) -> Now {
        let gap = now.instant.saturating_duration_since(self.seen);
        if gap.is_zero() {
            return Now { instant: self.seen, ..now };
        }
        let late = self.poll_timeout().map(|due| now.instant.saturating_duration_since(due));
        if late.is_some_and(|late| late >= limits::CLOCK_STALL) {
            self.extend_runs(gap);
            self.resolver.extend(gap);
        }
        (self.seen, self.wakeup) = (now.instant, None);
        now
    }

    /// Processes the resolver's outputs, then the requests that were deferred and now fit the budget.
    fn drain_resolver(&mut self, now: Now) {
        while let Some(output) = self.resolver.poll_output() {
            self.handle_resolver(output, now);
        }
        self.timers.set(Owner::Resolver, self.resolver.poll_timeout());
        self.release_held(now);
    }

    pub(crate) fn is_stream(&self, id: ConnId) -> bool {
        matches!(self.conns.get(id), Some(Conn::Stream(_)))
    }

    fn add(&mut self, conn: Conn) -> ConnId {
        let id = self.ids.take();
        self.conns.insert(id, conn);
        id
    }

    fn close(&mut self, id: ConnId) {
        if let Some(Conn::Probed { outbox, .. }) = self.conns.get(id) {
            if !outbox.is_empty() {
                self.outputs.push_back(Output::FinalWrite(id, outbox.unsent().to_vec()));
            }
        }
        if self.drop_conn(id) {
            self.outputs.push_back(Output::Close(id));
        }
    }

    /// Removes a connection that is closed already. Returns whether it existed.
    fn drop_conn(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.remove(id) else { return false };
        self.ids.give_back(id);
        match conn {
            Conn::Client(conn) => {
                self.clients -= 1;
                self.response_budget.sub(conn.size, conn.outbox.held());
                self.response_budget.leave(id);
                self.timers.set(Owner::Client(id), None);
            }
            Conn::Stream(_) => {
                self.streams.retain(|stream| *stream != id);
                self.timers.set(Owner::Client(id), None);
            }
            Conn::Query { query, .. } => {
                self.queries.retain(|(open, _)| *open != query);
            }
            Conn::Connecting { .. } | Conn::Probed { .. } => {}
        }
        if self.accept_paused {
            self.resume_accept();
        }
        true
    }
}

#[cfg(test)]
mod tests;
