//! The world around one engine: the clock, the network, and the loop that carries news between them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::client::Client;
use super::counters::Counters;
use super::dependencies::Dependencies;
use super::dns::Query;
use super::event_log::Journal;
use super::follow::Seat;
use super::hooks::Hooks;
use super::jobs::Report;
use super::model::{Model, worst};
use super::names::{self, hosts};
use super::pauses::Pauses;
use super::peers::{Fact, Peer};
use super::plan::Plan;
use super::programs::Programs;
use super::receivers::{Receivers, equip};
use super::recording_probe::Ledger;
use super::reload::Reloads;
use super::rng::{Bytes, Rng};
use super::schedule::Schedule;
use super::site::{ProbeRun, Site};
use super::webhooks::{Post, Posts};
use crate::api::host::HostGuard;
use crate::clock::{Now, test_now};
use crate::engine::limits::{CLOCK_STALL, STALLS_MAX};
use crate::engine::{self, ConnId, Engine, HookEnd, HookId, Input, JobId};
use crate::fsm::State;
use crate::monitor::TargetId;
use crate::probe::Exit;
use crate::resolve::Resolver;
use crate::result::Reason;

/// What the network does to a connection.
#[derive(Debug)]
pub(super) enum News {
    Connected,
    Bytes(Vec<u8>),
    Datagram(SocketAddr, Vec<u8>),
    /// From the peer of an icmp or dns target, with what it means.
    Message(Fact, Vec<u8>),
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
    /// Other targets are to be watched.
    Reload,
    /// A target is paused or resumed.
    Pause,
    /// A hook ends.
    Hook(HookId, HookEnd),
    /// The program of a check ends.
    Exit(JobId, Exit, &'static str),
    /// The job of a heartbeat target ends.
    Job(usize),
}

/// The world's side of a connection.
pub(super) enum Sock {
    Target(Site),
    Query(Query),
    Peer(Peer),
    Client(Box<Client>),
    Post(Post),
}

/// What the world knows of a name that is being asked for.
#[derive(Clone, Default)]
pub(super) struct Asked {
    /// Queries open for it.
    pub(super) open: usize,
    /// When the last of them ended.
    pub(super) ended_at: Option<u64>,
    /// One of them has been lied to: what it leads to is anybody's guess.
    pub(super) dirty: bool,
    /// False addresses may have been learned, until then.
    pub(super) poisoned_until: u64,
    /// The addresses of one family may be all that is remembered, until then.
    pub(super) partial_until: u64,
    /// Healthy answers are in flight, until then.
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
    pub(super) wall_s: i64,
    pub(super) next_wall_s: i64,
    pub(super) events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(super) socks: BTreeMap<ConnId, Sock>,
    pub(super) used: BTreeSet<ConnId>,
    /// Connections that broke: the engine may not have known when it closed them.
    pub(super) broken: BTreeSet<ConnId>,
    /// Some that are gone, to bring late news of.
    pub(super) dead: Vec<ConnId>,
    pub(super) writes: Vec<ConnId>,
    pub(super) hot: BTreeSet<ConnId>,
    pub(super) ledger: Ledger,
    pub(super) hooks: Hooks,
    pub(super) receivers: Receivers,
    pub(super) posts: Posts,
    pub(super) journal: Journal,
    pub(super) programs: Programs,
    /// Heartbeats that were answered, until their results follow.
    pub(super) reports: VecDeque<Report>,
    /// Clients that have become streams, and the world has not heard of it.
    pub(super) seats: BTreeMap<ConnId, Seat>,
    /// How many outputs have been taken.
    pub(super) taken: usize,
    /// The targets that are watched, in their places. Everything else goes by the targets themselves, of
    /// which there are more with every reload.
    pub(super) present: Vec<usize>,
    /// The ids of all targets that there have ever been.
    pub(super) ids: Vec<TargetId>,
    pub(super) reloads: Reloads,
    pub(super) pauses: Pauses,
    pub(super) dependencies: Dependencies,
    pub(super) begins: Vec<u64>,
    pub(super) runs: Vec<Option<ProbeRun>>,
    pub(super) models: Vec<Model>,
    pub(super) schedules: Vec<Schedule>,
    /// How late checks have begun, and how many of them.
    pub(super) delay: (u64, u64),
    /// The targets that somebody has asked to be checked at once.
    pub(super) urgent: BTreeSet<usize>,
    pub(super) asked: Vec<Asked>,
    pub(super) files: Option<usize>,
    pub(super) next_files: usize,
    /// When a pause last ended: it changes the worst state.
    pub(super) pause_ended_at: Option<u64>,
    /// Whether this machine has an address that others can reach.
    pub(super) has_address: bool,
    pub(super) accept_paused: Option<u64>,
    pub(super) farewell: Option<ConnId>,
    pub(super) counters: Counters,
    pub(super) hasher: DefaultHasher,
    pub(super) turns: u64,
    /// There are, or were, as many streams as there may be.
    pub(super) is_crowded: bool,
    /// Every step is told of.
    pub(super) loud: bool,
}

impl World {
    /// The seed decides what the bytes do not.
    pub(super) fn new(seed: u64, bytes: Option<&Bytes>) -> World {
        let mut rng = Rng::with(seed, bytes);
        let plan = Plan::roll(&mut rng);
        let start = test_now();
        let ledger = Ledger::default();
        let hooks = Hooks::new(Rng::with(seed ^ 0x7e11, bytes));
        let posts = Posts::new(Rng::with(seed ^ 0x9057, bytes));
        let mut receivers = Receivers::new(Rng::with(seed ^ 0x6ece, bytes), posts.urls());
        let dependencies = Dependencies::new(Rng::with(seed ^ 0xdeb5, bytes), &plan);
        let monitors = plan
            .targets
            .iter()
            .enumerate()
            .map(|(i, t)| dependencies.equip(equip(t.monitor(i, &ledger), receivers.add()), i));
        let monitors = monitors.collect();
        let mut ids = Rng::new(seed ^ 0xffff);
        let mdns = names::MDNS.parse().unwrap();
        let resolver = Resolver::new(Vec::new(), mdns, Box::new(move || ids.next()));
        let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new()).into();
        let mut engine =
            Engine::new(monitors, engine::Schedule::Repeated, resolver, guard, plan.shares, start);
        engine.record_history(90, start);
        let reloads = Reloads::new(Rng::with(seed ^ 0x4e10, bytes), &plan);
        let pauses = Pauses::new(Rng::with(seed ^ 0x9a05, bytes), &plan);
        let count = plan.targets.len();
        let mut world = World {
            schedules: Vec::new(),
            present: (0..count).collect(),
            ids: engine.targets().ids().collect(),
            reloads,
            pauses,
            dependencies,
            delay: (0, 0),
            urgent: BTreeSet::new(),
            models: Vec::new(),
            runs: Vec::new(),
            begins: Vec::new(),
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
            hooks,
            receivers,
            posts,
            journal: Journal::new(count),
            programs: Programs::default(),
            reports: VecDeque::new(),
            seats: BTreeMap::new(),
            taken: 0,
            files: None,
            next_files: 0,
            has_address: true,
            pause_ended_at: None,
            accept_paused: None,
            farewell: None,
            counters: Counters::default(),
            hasher: DefaultHasher::new(),
            turns: 0,
            is_crowded: false,
            loud: false,
        };
        (0..count).for_each(|target| world.write_down(target, (target, count), 0));
        world.note_receivers();
        world
    }

    /// Notes what a new target, the n-th of so many, must come to.
    pub(super) fn write_down(&mut self, target: usize, turn: (usize, usize), at: u64) {
        let plan = &self.plan.targets[target];
        let turn = (turn.0 as u64, turn.1 as u64);
        self.schedules.push(match plan.grace() {
            Some(grace) => Schedule::of_heartbeats(at, plan.interval, grace),
            None => Schedule::new(at, turn, plan.interval, plan.rules),
        });
        self.models.push(Model::new(plan, at));
        self.runs.push(None);
        self.begins.push(0);
        if self.plan.targets[target].is_heartbeat() {
            self.schedule_job(target);
        }
    }

    /// The worst state of all that are watched.
    pub(super) fn worst(&self) -> State {
        self.worst_of(&self.present)
    }

    /// The worst state of those that are not paused.
    fn worst_of(&self, targets: &[usize]) -> State {
        let counted = targets.iter().filter(|target| self.schedules[**target].pause_end().is_none());
        worst(counted.map(|target| self.models[*target].state))
    }

    /// The worst state and the number of targets of a group; `None` if there are none.
    pub(super) fn state_of_group(&self, group: &str) -> Option<(State, usize)> {
        let mut members = self.present.clone();
        members.retain(|target| self.plan.targets[*target].group == Some(group));
        (!members.is_empty()).then(|| (self.worst_of(&members), members.len()))
    }

    pub(super) fn run(&mut self) {
        self.attach_service_manager();
        self.schedule_reload();
        self.schedule_pause();
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
        (self.hooks.starts_in_turn, self.programs.started) = (0, 0);
        self.call(later, |engine, now| engine.handle_timeout(now));
        self.end_pauses();
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

    /// Tells the engine something, and notes what it did with the time.
    pub(super) fn call<R>(&mut self, at: u64, tell: impl FnOnce(&mut Engine, Now) -> R) -> R {
        if at > self.seen {
            let due = self.engine.poll_timeout().map(|due| self.since_start(due));
            if due.is_some_and(|due| at.saturating_sub(due) >= CLOCK_STALL.as_nanos() as u64) {
                let gap = at - self.seen;
                for this in self.runs.iter_mut().flatten().filter(|this| this.stalls < STALLS_MAX) {
                    this.stalls += 1;
                    this.deadline += gap;
                }
                self.dependencies.extend(gap);
                self.asked.iter_mut().for_each(|asked| asked.busy_until += gap);
                for sock in self.socks.values_mut() {
                    if let Sock::Query(Query { unwanted_since: Some(since), .. }) = sock {
                        *since += gap;
                    }
                }
            }
            self.seen = at;
        }
        let now = self.moment(at);
        let result = tell(&mut self.engine, now);
        self.notice_begins();
        self.notice_ends();
        self.check_early_begins();
        result
    }

    /// Tells it at the moment of this turn.
    pub(super) fn tell(&mut self, id: ConnId, input: Input<'_>) {
        if self.loud {
            println!("{:>12} us  {id:?} {input:?}", self.at / 1000);
        }
        let reports = matches!(self.socks.get(&id), Some(Sock::Client(client)) if client.reports());
        let before = self.taken + self.engine.outputs_waiting();
        let idlest = self.idlest_of_all_streams(id);
        self.call(self.at, |engine, now| engine.handle_input(id, input, now));
        if idlest.is_some() && self.engine.is_stream(id) {
            self.counters.add("streams: evicted");
            self.check_evicted(idlest);
        }
        self.note_seat(id, before);
        if reports {
            // The model knows one result at a time.
            self.drain();
        }
    }
}
