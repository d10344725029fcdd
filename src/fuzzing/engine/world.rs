//! The simulated world: feeds inputs to the engine and checks its outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::targets::{Begun, targets};
use super::{Source, message};
use crate::api::counters::ProcessStats;
use crate::api::host::HostGuard;
use crate::clock::{Now, test_now};
use crate::engine::limits::Shares;
use crate::engine::{ConnId, Engine, Input, JobId, Output, Schedule, Transport};
use crate::probe::BlockingTask;
use crate::resolve::Resolver;
use crate::result::{Failure, Reason};

/// Limits of the engine.
const CLIENTS_MAX: usize = 256;
const STREAMS_MAX: usize = 1024;
const UNSENT_MAX: usize = 4 * 1024 * 1024;
const CLOCK_STALL: Duration = Duration::from_millis(100);
/// The longest time a query stays open: two servers, two attempts each of one second, with and without the search
/// list, plus a margin.
const QUERY_MAX: Duration = Duration::from_secs(10);
/// The longest time an idle client stays connected.
const CLIENT_IDLE_MAX: Duration = Duration::from_secs(30);

const CONF: &[u8] = b"nameserver 10.0.0.53\nnameserver 10.0.0.54\nsearch lan\noptions timeout:1\n";
const PAYLOADS: &[&[u8]] = &[
    b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n",
    b"SSH-2.0-x\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n",
    b"HTTP/1.1 301 x\r\nLocation: http://10.0.0.1/\r\n\r\n",
    b"\0",
    b"GET /events?checks=1 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1738200000000000-1\r\n\r\n",
    b"GET /wait?state=down&timeout=7 HTTP/1.0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
];

/// The world's view of a connection.
struct Peer {
    /// `None` for an API client.
    transport: Option<Transport>,
    to: Option<SocketAddr>,
    connected: bool,
    /// It has closed its side.
    ended: bool,
    /// The engine has closed its side.
    shut: bool,
    /// The first bytes that the engine sent.
    first: Vec<u8>,
    /// When it was opened, and `World::lost` at that time.
    at: (Instant, Duration),
}

impl Peer {
    fn is_name_server(&self) -> bool {
        self.to.is_some_and(|to| matches!(to.port(), 53 | 5353))
    }
}

/// Counts the attempts of a target.
struct Counters {
    begun: Begun,
    noted: usize,
    results: usize,
    timeout: Duration,
    /// When the latest began, and `World::lost` at that time.
    at: (Instant, Duration),
}

pub(super) struct World {
    engine: Engine,
    now: Now,
    /// The latest `now` passed to the engine, and the total scheduling delay of the loop.
    seen: Instant,
    lost: Duration,
    conns: BTreeMap<ConnId, Peer>,
    used: BTreeSet<ConnId>,
    closing: BTreeSet<ConnId>,
    counters: Vec<Counters>,
    jobs: Vec<(JobId, BlockingTask)>,
}

impl World {
    pub(super) fn new(script: &[u8]) -> World {
        let now = test_now();
        let mdns = SocketAddr::from(([224, 0, 0, 251], 5353));
        let mut resolver = Resolver::new(Vec::new(), mdns, Box::new(|| 7));
        resolver.set_resolv_conf(CONF);
        let guard = HostGuard::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new());
        let (monitors, begun) = targets(script);
        let engine = Engine::new(monitors, Schedule::Repeated, resolver, guard, Shares::of(usize::MAX), now);
        let at = (now.instant, Duration::ZERO);
        let targets = engine.targets().list().iter().zip(begun);
        let counter = |timeout, begun| Counters { begun, noted: 0, results: 0, timeout, at };
        let counters = targets.map(|(target, begun)| counter(target.timeout(), begun)).collect();
        let (conns, used, closing) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (seen, lost) = (now.instant, Duration::ZERO);
        World { engine, now, seen, lost, conns, used, closing, counters, jobs: Vec::new() }
    }

    pub(super) fn step(&mut self, source: &mut Source<'_>) {
        match source.byte() % 16 {
            0 => self.accept(),
            1 | 2 => self.peer_acts(source, Self::connect),
            3 | 4 => self.peer_acts(source, Self::send),
            5 => self.peer_acts(source, Self::respond),
            6 => self.peer_acts(source, Self::drain),
            7 => self.peer_acts(source, Self::end),
            8 => self.peer_acts(source, Self::fail),
            9 | 10 => self.pass_to_deadline(),
            11 => self.pass(Duration::from_millis(source.number() as u64 / 16)),
            12 => {
                self.now = self.now.after(Duration::from_millis(source.number() as u64 / 8));
                if source.byte() % 2 == 0 {
                    self.handle_timeout();
                }
            }
            13 => self.call(Engine::handle_accept_failed),
            14 => {
                let target = usize::from(source.byte()) % self.counters.len();
                let id = self.engine.targets().list()[target].id();
                self.call(|engine, now| engine.check_now(id, now));
            }
            _ => {
                if let Some((job, work)) = self.jobs.pop() {
                    self.call(|engine, now| engine.handle_worked(job, work.run(), now));
                }
            }
        }
    }

    /// Without further input, every attempt ends in time and no client stays connected.
    pub(super) fn finish(&mut self) {
        self.pass(CLIENT_IDLE_MAX);
        // A client of /wait may wait for an hour, but it must be connected.
        let clients = self.conns.iter().filter(|(_, peer)| peer.transport.is_none() && !peer.ended);
        for id in clients.map(|(id, _)| *id).collect::<Vec<_>>() {
            assert_eq!(self.engine.room(id), usize::MAX, "a client that is not a stream stays connected");
            self.send_input(id, Input::Closed);
        }
        assert!(self.conns.values().all(|peer| peer.transport.is_some()), "a client stays connected");
        assert!(self.counters.iter().all(|counter| counter.results > 0), "a target has no result");
    }

    fn accept(&mut self) {
        let now = self.now;
        self.update_clock();
        let id = self.engine.accept(now);
        let at = (self.now.instant, self.lost);
        let (connected, ended, shut) = (true, false, false);
        self.add(id, Peer { transport: None, to: None, connected, ended, shut, first: Vec::new(), at });
        self.process_outputs();
    }

    fn peer_acts(&mut self, source: &mut Source<'_>, act: fn(&mut Self, ConnId, &mut Source<'_>)) {
        let which = usize::from(source.byte());
        if let Some(id) = self.conns.keys().nth(which % self.conns.len().max(1)).copied() {
            act(self, id, source);
        }
    }

    fn connect(&mut self, id: ConnId, _source: &mut Source<'_>) {
        let peer = self.conns.get_mut(&id).unwrap();
        if !peer.connected {
            peer.connected = true;
            self.send_input(id, Input::Connected);
        }
    }

    fn send(&mut self, id: ConnId, source: &mut Source<'_>) {
        let bytes = match source.byte() {
            0..=99 => source.choose(PAYLOADS),
            _ => source.piece(),
        };
        let (peer, room) = (&self.conns[&id], self.engine.room(id));
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() || !peer.connected || peer.ended {
            return;
        }
        match peer.transport {
            Some(Transport::Udp | Transport::Multicast) => {
                let from = peer.to.unwrap();
                self.send_input(id, Input::Datagram(from, bytes));
            }
            Some(Transport::Tcp) | None => self.send_input(id, Input::Received(bytes)),
        }
    }

    /// A name server responds.
    fn respond(&mut self, id: ConnId, source: &mut Source<'_>) {
        let peer = &self.conns[&id];
        let (Some(transport), Some(from)) = (peer.transport, peer.to) else { return };
        let is_query = peer.first.len() > 18 && peer.is_name_server();
        if !is_query || !peer.connected || peer.ended {
            return;
        }
        if transport == Transport::Tcp {
            let message = message::answer(&peer.first[2..], source);
            let framed = [&(message.len() as u16).to_be_bytes(), &message[..]].concat();
            return self.send_input(id, Input::Received(&framed));
        }
        let message = message::answer(&peer.first, source);
        self.send_input(id, Input::Datagram(from, &message));
    }

    /// The kernel accepts bytes to send.
    fn drain(&mut self, id: ConnId, source: &mut Source<'_>) {
        let unsent = self.engine.unsent(id).len();
        let is_stream = matches!(self.conns[&id].transport, None | Some(Transport::Tcp));
        let count = match source.byte() {
            0..=127 => unsent,
            _ if !is_stream => unsent,
            some => usize::from(some) * 37 % (unsent + 1),
        };
        if count > 0 {
            self.send_input(id, Input::Sent(count));
        }
    }

    fn end(&mut self, id: ConnId, _source: &mut Source<'_>) {
        let peer = self.conns.get_mut(&id).unwrap();
        if peer.connected && !peer.ended && matches!(peer.transport, None | Some(Transport::Tcp)) {
            peer.ended = true;
            self.send_input(id, Input::Closed);
        }
    }

    fn fail(&mut self, id: ConnId, source: &mut Source<'_>) {
        let reason = *source.choose(&[Reason::Refused, Reason::Reset, Reason::Unreachable, Reason::Local]);
        self.conns.remove(&id);
        self.send_input(id, Input::Failed(Failure::new(reason, "it broke\n")));
        // Late events of a closed connection.
        self.send_input(id, Input::Received(b"late"));
        self.send_input(id, Input::Closed);
    }

    fn pass_to_deadline(&mut self) {
        if let Some(at) = self.engine.poll_timeout() {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            self.handle_timeout();
        }
    }

    /// Lets time pass without scheduling delays.
    fn pass(&mut self, span: Duration) {
        let end = self.now.instant + span;
        while self.engine.poll_timeout().is_some_and(|at| at <= end) {
            self.pass_to_deadline();
        }
        self.now = self.now.after(end.saturating_duration_since(self.now.instant));
    }

    fn handle_timeout(&mut self) {
        self.call(Engine::handle_timeout);
        let now = self.now.instant;
        assert!(self.engine.poll_timeout().is_none_or(|at| at > now), "the loop would spin");
        for counter in self.counters.iter().filter(|counter| counter.noted > counter.results) {
            let (begun, lost) = counter.at;
            assert!(now < begun + counter.timeout + (self.lost - lost), "a result is late");
        }
        for peer in self.conns.values().filter(|peer| peer.is_name_server()) {
            let (opened, lost) = peer.at;
            assert!(now < opened + QUERY_MAX + (self.lost - lost), "a query stays open");
        }
    }

    fn send_input(&mut self, id: ConnId, input: Input<'_>) {
        self.call(|engine, now| engine.handle_input(id, input, now));
    }

    fn call(&mut self, act: impl FnOnce(&mut Engine, Now)) {
        self.update_clock();
        act(&mut self.engine, self.now);
        self.process_outputs();
    }

    /// Adds a scheduling delay of the loop, by which the engine extends the deadlines of attempts.
    fn update_clock(&mut self) {
        let now = self.now.instant;
        let late = self.engine.poll_timeout().map(|due| now.saturating_duration_since(due));
        if late.is_some_and(|late| late >= CLOCK_STALL) {
            self.lost += now - self.seen;
        }
        self.seen = now;
    }

    fn add(&mut self, id: ConnId, peer: Peer) {
        assert!(id >= ConnId::FIRST && self.used.insert(id), "{id:?} is reused");
        self.conns.insert(id, peer);
    }

    /// Processes the engine's outputs and compares both views.
    fn process_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.process_output(output);
        }
        assert!(self.closing.is_empty(), "a final write without a close");
        for counter in &mut self.counters {
            let begun = counter.begun.load(Ordering::Relaxed);
            assert!(begun <= counter.noted + 1, "more than one attempt at once");
            if begun > counter.noted {
                (counter.noted, counter.at) = (begun, (self.now.instant, self.lost));
            }
            assert!(begun - counter.results <= 1, "{begun} attempts, {} results", counter.results);
        }
        let is_at_rest = self.counters.iter().all(|counter| counter.noted == counter.results);
        let clients = self.conns.iter().filter(|(_, peer)| peer.transport.is_none());
        let unsent = |(id, peer): (&ConnId, &Peer)| {
            let unsent = self.engine.unsent(*id).len();
            // Only streams have unlimited room.
            let is_stream = self.engine.room(*id) == usize::MAX;
            assert!(
                unsent > 0 || !peer.ended || is_stream,
                "a client that has closed its side and has no pending response stays"
            );
            unsent
        };
        let clients: Vec<usize> = clients.map(unsent).collect();
        // A query stays open for its second response even after the end of its check.
        let queries = self.conns.values().filter(|peer| peer.is_name_server());
        let idle = clients.len() + queries.count();
        assert!(!is_at_rest || idle == self.conns.len(), "a connection is leaked");
        assert!(clients.len() <= CLIENTS_MAX + STREAMS_MAX && clients.iter().sum::<usize>() <= UNSENT_MAX);
    }

    fn process_output(&mut self, output: Output) {
        match output {
            Output::Open { id, transport, to } => {
                // A query over UDP does not wait for the connection.
                let connected = transport != Transport::Tcp && matches!(to.port(), 53 | 5353);
                let (ended, shut, first) = (false, false, Vec::new());
                let (transport, to, at) = (Some(transport), Some(to), (self.now.instant, self.lost));
                self.add(id, Peer { transport, to, connected, ended, shut, first, at });
            }
            Output::Write(id) => {
                let peer = self.conns.get_mut(&id).expect("write after close");
                assert!(!peer.shut && peer.connected);
                if peer.first.is_empty() {
                    let unsent = self.engine.unsent(id);
                    peer.first = unsent[..unsent.len().min(512)].to_vec();
                }
            }
            Output::Read(id) => assert!(self.conns.contains_key(&id), "read after close"),
            Output::Shutdown(id) => {
                let peer = self.conns.get_mut(&id).expect("shutdown after close");
                assert!(!std::mem::replace(&mut peer.shut, true), "shut down twice");
            }
            Output::FinalWrite(id, bytes) => {
                assert!(self.conns.contains_key(&id) && !bytes.is_empty());
                self.closing.insert(id);
            }
            Output::Close(id) => {
                assert!(self.conns.remove(&id).is_some(), "{id:?} is closed twice");
                self.closing.remove(&id);
            }
            Output::RefreshFiles => {
                let now = self.now;
                self.engine.handle_files(None, None, now);
            }
            Output::ReadProcessStats => {
                let now = self.now;
                self.engine.handle_process_stats(ProcessStats::default(), now);
            }
            Output::BlockingTask(job, work) => self.jobs.push((job, work)),
            Output::CheckResult(check) => {
                let target = self.engine.targets().ids().position(|id| id == check.target);
                self.counters[target.expect("a target")].results += 1;
                let detail = &check.result.detail;
                assert!(!detail.contains(char::is_control) && detail.chars().count() <= 256);
                assert!(!detail.starts_with("the probe panicked"), "{detail}");
                assert_eq!(check.result.ok, check.result.reason.is_none());
            }
            Output::Accept => {}
            Output::Spawn { .. } | Output::Kill(_) | Output::Notify(_) | Output::Log(_) => {
                unreachable!("not enabled here")
            }
        }
    }
}
