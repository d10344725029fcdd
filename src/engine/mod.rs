//! The whole daemon minus the I/O: connections, deadlines, and what each peer is owed.
//!
//! The engine never touches a socket or a clock. It is told what happened and asked what it wants:
//! `handle_input` and `handle_timeout` in, `poll_output` and `poll_timeout` out. The reactor below
//! main does it over real sockets, the simulation over scripted ones.

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
use clients::Caller;
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

/// What a deadline belongs to.
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

/// Owners of deadlines of which there is only one each.
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

/// All that can be at the other end of a connection.
enum Conn {
    /// A probe's connection that does not stand yet.
    Connecting {
        target: usize,
        slot: AttemptId,
        /// A client has given way for it.
        retried_after_eviction: bool,
    },
    /// A probe's connection.
    Probed { target: usize, outbox: Outbox },
    /// An API client.
    Client(Box<Caller>),
    /// An API client that is told of what comes.
    Stream(Box<Stream>),
    /// A name server.
    Query {
        query: QueryId,
        server: SocketAddr,
        transport: Transport,
        outbox: Outbox,
        /// A client has given way for it.
        retried_after_eviction: bool,
    },
}

/// When targets are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// On their beat, for ever.
    Beat,
    /// Each one once, as soon as may be.
    Once,
}

/// The daemon.
pub(crate) struct Engine {
    fleet: Fleet,
    schedule: Schedule,
    /// Targets that wait for their only check, last first (with [`Schedule::Once`]).
    backlog: Vec<usize>,
    /// Targets that have not had a verdict yet.
    unchecked: usize,
    /// The targets' checks in the order of the targets, and behind them the deliveries to webhooks.
    runs: Vec<Option<Box<ProbeRun>>>,
    /// How many of them there are.
    in_flight: usize,
    /// When the loop is to turn although nothing may be due, as long as there are any; from its seeing to
    /// the deadlines until the next news. It tells of time lost in sleep: in between, time goes into work.
    wakeup: Option<Instant>,
    conns: ById<Conn>,
    ids: Ids,
    timers: Timers<Owner>,
    resolver: Resolver,
    /// Whose name a lookup resolves.
    lookups: BTreeMap<LookupId, usize>,
    /// Which connection carries a query.
    queries: Vec<(QueryId, ConnId)>,
    /// Whose check waits for a piece of work.
    jobs: BTreeMap<JobId, usize>,
    last_job: JobId,
    /// Targets that want a name resolved once the files are known to be fresh.
    unresolved: Vec<usize>,
    guard: HostGuard,
    date: Date,
    response_cache: ResponseCache,
    clients: usize,
    response_budget: ResponseBudget,
    streams: Vec<ConnId>,
    event_log: EventLog,
    /// Since when there is something that the streams have not been told.
    news: Option<Now>,
    counters: Counters,
    /// When the daemon started, on the wall clock.
    started: Duration,
    accept_paused: bool,
    hooks: Hooks,
    webhooks: Webhooks,
    /// Who started the daemon and wants to be told about it.
    manager: Option<ServiceManager>,
    /// The manager's sign of life is due.
    watched: bool,
    outputs: VecDeque<Output>,
    /// The latest moment it was told of.
    seen: Instant,
}

impl Engine {
    /// A daemon that watches these targets from `now` on.
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
            news: None,
            counters: Counters::default(),
            started: now.unix,
            accept_paused: false,
            hooks: Hooks::default(),
            webhooks: Webhooks::default(),
            manager: None,
            watched: false,
            outputs: VecDeque::new(),
            seen: now.instant,
        };
        engine.start_schedule(now);
        engine
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Tells what happened to a connection. News of one that is gone is ignored.
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

    /// Tells that time has passed. Readiness that came with it must be told before: what is
    /// already here is not late.
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
                Owner::Status => self.tell_status(now),
                Owner::Watchdog => self.watched = true,
            }
            self.drain_resolver(now);
        }
        if std::mem::take(&mut self.watched) {
            self.handle_watchdog(now);
        }
        self.set_wakeup(now);
    }

    /// What is to be done next.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        // Streams hear of all that has happened in one turn at once.
        if let Some(now) = self.news.take_if(|_| self.outputs.is_empty()) {
            self.publish(now);
        }
        self.outputs.pop_front()
    }

    /// When [`Engine::handle_timeout`] wants to be called; always later than its last call.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.wakeup).min()
    }

    /// The bytes that wait to be sent over a connection.
    pub(crate) fn unsent(&self, id: ConnId) -> &[u8] {
        match self.conns.get(id) {
            Some(Conn::Probed { outbox, .. } | Conn::Query { outbox, .. }) => outbox.unsent(),
            Some(Conn::Client(caller)) => caller.unsent(),
            Some(Conn::Stream(stream)) => stream.outbox.unsent(),
            Some(Conn::Connecting { .. }) | None => &[],
        }
    }

    /// How many bytes may be read from a connection now. Zero is back-pressure: what the peer has
    /// sent stays with the system until [`Output::Read`].
    pub(crate) fn room(&self, id: ConnId) -> usize {
        match self.conns.get(id) {
            Some(Conn::Probed { .. } | Conn::Query { .. } | Conn::Stream(_)) => usize::MAX,
            Some(Conn::Client(caller)) => caller.room(),
            Some(Conn::Connecting { .. }) | None => 0,
        }
    }

    /// Whether every target has had its only check (with [`Schedule::Once`]).
    pub(crate) fn is_finished(&self) -> bool {
        self.schedule == Schedule::Once && self.unchecked == 0
    }

    /// Notes the moment, and whether the loop itself lost time since the last one: what this machine
    /// slept through is not held against the targets.
    ///
    /// The loop carries things out by the moment at which its turn began, and deadlines by a later one.
    /// Time does not run backwards for that: the moment given back is never before the last.
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

    /// Carries out what follows from what has been told: what the resolver wants, and answers that
    /// waited for others to be sent.
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

    /// Closes a connection, if it is there.
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

    /// Drops what is known of a connection that is gone; says whether anything was.
    fn drop_conn(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.remove(id) else { return false };
        self.ids.give_back(id);
        match conn {
            Conn::Client(caller) => {
                self.clients -= 1;
                self.response_budget.sub(caller.size, caller.outbox.held());
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
