//! The world around one engine: the clock, the network, and the loop that carries news between them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::client::Client;
use super::dns::Query;
use super::model::Model;
use super::names::{self, hosts};
use super::plan::{MS, Plan, S};
use super::rng::Rng;
use super::site::{Site, Try};
use super::spy::Ledger;
use super::tally::Tally;
use crate::api::host::HostGuard;
use crate::clock::{Now, test_now};
use crate::engine::limits::{STALL, STALLS_MAX};
use crate::engine::{ConnId, Engine, Input, Output, Schedule, Transport};
use crate::resolve::Resolver;
use crate::verdict::{Failure, Reason};

/// What the network does to a connection.
#[derive(Debug)]
pub(super) enum News {
    Connected,
    Bytes(Vec<u8>),
    Datagram(SocketAddr, Vec<u8>),
    /// The system takes bytes again.
    Writable,
    Closed,
    Failed(Reason),
}

pub(super) enum Event {
    News(ConnId, News),
    /// The client goes on with its script.
    Client(ConnId),
    /// Somebody knocks at the API's door.
    Knock,
    /// Something happens to the machine.
    Chaos,
}

/// The world's side of a connection.
pub(super) enum Sock {
    Target(Site),
    Query(Query),
    Client(Box<Client>),
}

/// What the world knows of a name that is being asked for.
#[derive(Clone, Default)]
pub(super) struct Asked {
    /// Queries open for it.
    pub(super) open: usize,
    /// One of them has been lied to: what it leads to is anybody's guess.
    pub(super) dirty: bool,
    /// False addresses may have been learned, until then.
    pub(super) poisoned_until: u64,
    /// The addresses of one family may be all that is remembered, until then.
    pub(super) partial_until: u64,
    /// Healthy answers are under way, until then.
    pub(super) busy_until: u64,
    /// This machine had no socket for a query.
    pub(super) local: bool,
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) start: Now,
    /// Nanoseconds since the start: of this turn, and the latest that the engine was told of.
    pub(super) at: u64,
    pub(super) seen: u64,
    /// By how much the wall clock has been set, in seconds: as of this turn, and of the next.
    wall_s: i64,
    pub(super) next_wall_s: i64,
    pub(super) events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(super) socks: BTreeMap<ConnId, Sock>,
    used: BTreeSet<ConnId>,
    /// Connections that broke: the engine may not have known when it closed them.
    broken: BTreeSet<ConnId>,
    /// Some that are gone, to bring late news of.
    dead: Vec<ConnId>,
    writes: Vec<ConnId>,
    pub(super) hot: BTreeSet<ConnId>,
    pub(super) ledger: Ledger,
    pub(super) begins: Vec<u64>,
    pub(super) tries: Vec<Option<Try>>,
    pub(super) models: Vec<Model>,
    /// When each target's next try is due.
    pub(super) beats: Vec<u64>,
    pub(super) asked: Vec<Asked>,
    pub(super) files: Option<usize>,
    pub(super) next_files: usize,
    pub(super) accept_paused: Option<u64>,
    farewell: Option<ConnId>,
    pub(super) tally: Tally,
    pub(super) hasher: DefaultHasher,
    pub(super) turns: u64,
    /// Every step is told of.
    pub(super) loud: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let plan = Plan::roll(&mut rng);
        let start = test_now();
        let ledger = Ledger::new(plan.targets.len());
        let monitors = plan.targets.iter().enumerate().map(|(i, t)| t.monitor(i, &ledger)).collect();
        let mut ids = Rng::new(seed ^ 0xffff);
        let mdns = names::MDNS.parse().unwrap();
        let resolver = Resolver::new(Vec::new(), mdns, Box::new(move || ids.next() as u16));
        let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new());
        let engine = Engine::new(monitors, Schedule::Beat, resolver, guard, start);
        let count = plan.targets.len();
        let total = count as u32;
        let spread =
            |i: usize| (Duration::from_nanos(plan.targets[i].interval) / total * i as u32).as_nanos() as u64;
        World {
            beats: (0..count).map(spread).collect(),
            models: plan.targets.iter().map(|t| Model::new(t.initial, t.policy.clone(), t.history)).collect(),
            tries: (0..count).map(|_| None).collect(),
            begins: vec![0; count],
            asked: vec![Asked::default(); hosts().len()],
            engine,
            plan,
            rng,
            start,
            at: 0,
            seen: 0,
            wall_s: 0,
            next_wall_s: 0,
            events: BTreeMap::new(),
            sequence: 0,
            socks: BTreeMap::new(),
            used: BTreeSet::new(),
            broken: BTreeSet::new(),
            dead: Vec::new(),
            writes: Vec::new(),
            hot: BTreeSet::new(),
            ledger,
            files: None,
            next_files: 0,
            accept_paused: None,
            farewell: None,
            tally: Tally::default(),
            hasher: DefaultHasher::new(),
            turns: 0,
            loud: false,
        }
    }

    pub(super) fn run(&mut self) {
        self.schedule(0, Event::Chaos);
        if self.plan.weather.clients > 0 || self.plan.flood.is_some() {
            self.schedule(0, Event::Knock);
        }
        while self.turns < self.plan.turns {
            self.turns += 1;
            self.turn();
        }
    }

    pub(super) fn schedule(&mut self, after: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.at + after, self.sequence), event);
    }

    /// A moment on both clocks.
    pub(super) fn moment(&self, at: u64) -> Now {
        let unix = self.start.unix.as_secs() as i64 + self.wall_s;
        let unix = Duration::from_secs(unix.max(0) as u64) + Duration::from_nanos(at);
        Now { instant: self.start.instant + Duration::from_nanos(at), unix }
    }

    pub(super) fn since_start(&self, instant: Instant) -> u64 {
        (instant - self.start.instant).as_nanos() as u64
    }

    /// One turn of the loop, as the reactor makes it: readiness, then deadlines, then writing.
    fn turn(&mut self) {
        let due = self.engine.poll_timeout().map(|due| self.since_start(due));
        let news = self.events.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = due.into_iter().chain(news).min() else { return };
        let next = if self.hot.is_empty() && self.writes.is_empty() { next.max(self.at) } else { self.at };
        self.at = next + self.lateness(next);
        self.note_lateness(self.at - next, due);
        self.wall_s = self.next_wall_s;
        for id in std::mem::take(&mut self.hot) {
            self.feed(id);
        }
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= self.at) {
            let event = entry.remove();
            self.happen(event);
            if !self.plan.lazy {
                self.drain();
                self.check_step();
            }
        }
        self.drain();
        self.check_step();
        let later = self.at + self.rng.pick(&[0, 0, 0, 900, 30_000]);
        self.call(later, |engine, now| engine.handle_timeout(now));
        // What is carried out now still goes by the moment at which the turn began.
        self.drain();
        self.check_step();
        self.check_deadlines(later);
        for id in std::mem::take(&mut self.writes) {
            self.write(id);
        }
        self.drain();
        self.check_step();
        self.check_turn();
    }

    /// How late the loop is this time.
    fn lateness(&mut self, next: u64) -> u64 {
        if next <= self.at {
            return 0;
        }
        let asking = self.asked.iter().any(|asked| asked.open > 0);
        if self.rng.permille(self.plan.weather.stall * if asking { 4 } else { 1 }) {
            let span = self.rng.pick(&[100, 150, 400, 1000, 3000, 20_000, 170_000]) * MS;
            return span + self.rng.below(span);
        }
        match self.rng.below(20) {
            0 => self.rng.below(3 * MS),
            1 => self.rng.below(20 * MS),
            // The system's timeouts are whole milliseconds.
            2..=10 => next.div_ceil(MS) * MS - next,
            _ => 0,
        }
    }

    /// What the loop loses is given back if a deadline was due for long; else it counts.
    fn note_lateness(&mut self, late: u64, due: Option<u64>) {
        let stalled = due.is_some_and(|due| self.at.saturating_sub(due) >= STALL.as_nanos() as u64);
        if stalled {
            self.tally.add("loop: stalls");
        } else {
            self.tries.iter_mut().flatten().for_each(|this| this.cost += late);
            if late >= 100 * MS {
                self.mislead_all();
            }
        }
        // Lies that came meanwhile are learned, and remembered, so much later.
        for asked in self.asked.iter_mut().filter(|asked| asked.open > 0) {
            asked.partial_until += late;
            asked.poisoned_until += late;
        }
        if late >= 20 * MS {
            self.excuse_clients();
        }
    }

    /// What is being asked for by now may come to nothing, for reasons that no try is to blame for.
    pub(super) fn mislead_all(&mut self) {
        for (name, asked) in self.asked.iter_mut().enumerate().filter(|(_, asked)| asked.open > 0) {
            asked.dirty = true;
            asked.partial_until = asked.partial_until.max(self.at + 31 * S);
            for this in self.tries.iter_mut().flatten() {
                this.misled |= this.names.contains(&name);
            }
        }
    }

    /// Tells the engine something, and notes what it did with the time.
    pub(super) fn call<R>(&mut self, at: u64, tell: impl FnOnce(&mut Engine, Now) -> R) -> R {
        if at > self.seen {
            let due = self.engine.poll_timeout().map(|due| self.since_start(due));
            if due.is_some_and(|due| at.saturating_sub(due) >= STALL.as_nanos() as u64) {
                let gap = at - self.seen;
                for this in self.tries.iter_mut().flatten().filter(|this| this.stalls < STALLS_MAX) {
                    this.stalls += 1;
                    this.deadline += gap;
                }
                self.asked.iter_mut().for_each(|asked| asked.busy_until += gap);
            }
            self.seen = at;
        }
        let now = self.moment(at);
        let result = tell(&mut self.engine, now);
        self.notice_begins();
        result
    }

    /// Tells it at the moment of this turn.
    pub(super) fn tell(&mut self, id: ConnId, input: Input<'_>) {
        if self.loud {
            println!("{:>12} us  {id:?} {input:?}", self.at / 1000);
        }
        self.call(self.at, |engine, now| engine.handle_input(id, input, now));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::News(id, news) => self.deliver(id, news),
            Event::Client(id) => self.go_on(id),
            Event::Knock => self.knock(),
            Event::Chaos => self.chaos(),
        }
    }

    fn deliver(&mut self, id: ConnId, news: News) {
        if !self.socks.contains_key(&id) {
            if self.rng.permille(self.plan.weather.stale) {
                self.tally.add("stale: late news of a connection that is gone");
                self.bring_stale(id, news);
            }
            return;
        }
        match news {
            News::Connected => {
                self.note_standing(id);
                self.tell(id, Input::Connected);
                self.greet(id);
            }
            News::Bytes(bytes) if self.engine.room(id) >= bytes.len() => {
                self.tell(id, Input::Received(&bytes))
            }
            News::Bytes(_) => {}
            News::Datagram(from, bytes) => self.tell(id, Input::Datagram(from, &bytes)),
            News::Writable => self.write(id),
            News::Closed if self.engine.room(id) > 0 => self.tell(id, Input::Closed),
            News::Closed => {}
            News::Failed(reason) => self.fail(id, reason),
        }
    }

    /// The connection is gone, and the engine is told so.
    pub(super) fn fail(&mut self, id: ConnId, reason: Reason) {
        let gone = self.socks.remove(&id);
        self.let_go(gone);
        self.broken.insert(id);
        let victim = if reason == Reason::Local && self.engine.knows(id) { self.victim() } else { None };
        self.tell(id, Input::Failed(Failure::new(reason, reason.as_str())));
        self.check_evicted(victim);
        self.bury(id);
    }

    fn bring_stale(&mut self, id: ConnId, news: News) {
        let input = match &news {
            News::Connected => Input::Connected,
            News::Bytes(bytes) => Input::Received(bytes),
            News::Datagram(from, bytes) => Input::Datagram(*from, bytes),
            News::Writable => Input::Sent(7),
            News::Closed => Input::Closed,
            News::Failed(reason) => Input::Failed(Failure::new(*reason, "late")),
        };
        self.drain();
        self.tell(id, input);
        assert!(self.engine.poll_output().is_none(), "late news of {id:?} had an effect: {news:?}");
        assert!(self.engine.unsent(id).is_empty() && self.engine.room(id) == 0);
    }

    /// Does what the engine asks for.
    pub(super) fn drain(&mut self) {
        let mut taken = 0;
        while let Some(output) = self.engine.poll_output() {
            taken += 1;
            assert!(taken < 4000, "the engine never stops asking for things");
            if let Some(id) = self.farewell.take() {
                assert!(
                    matches!(output, Output::Close(close) if close == id),
                    "a farewell ends with a close"
                );
            }
            self.note(&output);
            match output {
                Output::Open { id, transport, to } => self.open(id, transport, to),
                Output::Write(id) => {
                    self.assert_known(id);
                    self.read_answer(id);
                    self.writes.push(id);
                }
                Output::Read(id) => {
                    self.assert_known(id);
                    self.hot.insert(id);
                }
                Output::Shutdown(id) => {
                    self.assert_known(id);
                    self.hear_shutdown(id);
                }
                Output::Close(id) => self.close(id),
                Output::Work(..) => unreachable!("no target here works elsewhere"),
                Output::Farewell(id, bytes) => {
                    assert!(!bytes.is_empty());
                    self.farewell = Some(id);
                }
                Output::Accept => {
                    self.accept_paused = None;
                    self.tally.add("accept: paused and resumed");
                }
                Output::RefreshFiles => self.refresh(),
                Output::Verdict(verdict) => self.judge(verdict),
            }
        }
        assert!(self.farewell.is_none(), "a farewell without a close");
        let unsure = self.socks.values().any(|sock| matches!(sock, Sock::Query(q) if q.names.is_empty()));
        if !unsure {
            for asked in self.asked.iter_mut().filter(|asked| asked.open == 0) {
                (asked.dirty, asked.local, asked.busy_until) = (false, false, 0);
            }
        }
    }

    /// The reactor passes over connections that broke before the engine knew.
    fn assert_known(&self, id: ConnId) {
        assert!(
            self.socks.contains_key(&id) || self.broken.contains(&id),
            "{id:?} is spoken to after its end"
        );
    }

    /// A new connection's id, never seen before.
    pub(super) fn take_in(&mut self, id: ConnId, sock: Sock) {
        assert!(self.used.insert(id), "{id:?} is used twice");
        self.socks.insert(id, sock);
    }

    fn open(&mut self, id: ConnId, transport: Transport, to: SocketAddr) {
        if transport == Transport::Tcp && to.port() != 53 {
            self.open_target(id, to);
        } else {
            self.open_query(id, transport, to);
        }
    }

    fn close(&mut self, id: ConnId) {
        let gone = self.socks.remove(&id);
        assert!(self.used.contains(&id), "{id:?} was never there");
        assert!(gone.is_some() || self.broken.contains(&id), "{id:?} is closed twice");
        if let Some(Sock::Client(client)) = &gone {
            self.check_client_closed(id, client);
        }
        self.let_go(gone);
        self.bury(id);
    }

    fn let_go(&mut self, gone: Option<Sock>) {
        if let Some(Sock::Query(query)) = gone {
            for name in query.names {
                self.asked[name].open -= 1;
            }
        }
    }

    fn bury(&mut self, id: ConnId) {
        self.hot.remove(&id);
        if self.dead.len() == 8 {
            self.dead.remove(0);
        }
        self.dead.push(id);
        if self.rng.permille(self.plan.weather.stale / 4) {
            let id = self.dead[self.rng.index(self.dead.len())];
            let news = match self.rng.below(5) {
                0 => News::Connected,
                1 => News::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
                2 => News::Closed,
                3 => News::Writable,
                _ => News::Failed(Reason::Local),
            };
            let after = self.rng.below(S);
            self.schedule(after, Event::News(id, news));
        }
    }

    /// The system can take bytes.
    fn write(&mut self, id: ConnId) {
        match self.socks.get(&id) {
            Some(Sock::Target(_)) => self.write_target(id),
            Some(Sock::Query(_)) => self.write_query(id),
            Some(Sock::Client(_)) => self.write_client(id),
            None => {}
        }
    }

    /// Adds what is to be done to the run's fingerprint.
    fn note(&mut self, output: &Output) {
        if self.loud {
            println!("{:>12} us      {output:?}", self.at / 1000);
        }
        let (kind, id) = match output {
            Output::Open { id, .. } => (1, id.0),
            Output::Write(id) => (2, id.0),
            Output::Read(id) => (3, id.0),
            Output::Shutdown(id) => (4, id.0),
            Output::Close(id) => (5, id.0),
            Output::Work(..) => (10, 0),
            Output::Farewell(id, _) => (6, id.0),
            Output::Accept => (7, 0),
            Output::RefreshFiles => (8, 0),
            Output::Verdict(verdict) => {
                self.hasher.write(verdict.result.detail.as_bytes());
                (9, verdict.target)
            }
        };
        self.hasher.write_u64(self.at << 4 | kind);
        self.hasher.write_usize(id);
        if let Output::Write(id) = output {
            self.hasher.write(self.engine.unsent(*id));
        }
    }
}
