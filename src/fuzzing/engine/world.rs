//! What the engine is told, and the books that are kept of what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::targets::{Begun, targets};
use super::{Source, message};
use crate::api::counters::ProcessStats;
use crate::api::host::HostGuard;
use crate::clock::{Now, test_now};
use crate::engine::{ConnId, Engine, Input, JobId, Output, Schedule, Transport};
use crate::probe::BlockingTask;
use crate::resolve::Resolver;
use crate::result::{Failure, Reason};

/// The limits that must hold.
const CLIENTS_MAX: usize = 256;
const STREAMS_MAX: usize = 1024;
const OWED_MAX: usize = 4 * 1024 * 1024;
const CLOCK_STALL: Duration = Duration::from_millis(100);
/// How long a name server is waited for at most: two servers, each asked twice, one second each time,
/// with and without the search list, and then some.
const QUERY_LASTS: Duration = Duration::from_secs(10);
/// How long a client may last when nothing happens any more.
const CLIENT_LASTS: Duration = Duration::from_secs(30);

const CONF: &[u8] = b"nameserver 10.0.0.53\nnameserver 10.0.0.54\nsearch lan\noptions timeout:1\n";
const SAID: &[&[u8]] = &[
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

/// A connection as the world sees it.
struct Peer {
    /// `None` for an API client.
    transport: Option<Transport>,
    to: Option<SocketAddr>,
    connected: bool,
    /// It has ended its side.
    ended: bool,
    /// The engine has ended its side.
    shut: bool,
    /// What was to be sent first.
    first: Vec<u8>,
    /// When it was opened, and how much time had been lost by then.
    at: (Instant, Duration),
}

impl Peer {
    fn is_name_server(&self) -> bool {
        self.to.is_some_and(|to| matches!(to.port(), 53 | 5353))
    }
}

/// A target's attempts, counted.
struct Tally {
    begun: Begun,
    noted: usize,
    verdicts: usize,
    timeout: Duration,
    /// When the latest began, and how much time had been lost by then.
    at: (Instant, Duration),
}

pub(super) struct World {
    engine: Engine,
    now: Now,
    /// The latest moment that the engine was told of, and all the time that the loop has lost.
    seen: Instant,
    lost: Duration,
    conns: BTreeMap<ConnId, Peer>,
    used: BTreeSet<ConnId>,
    parting: BTreeSet<ConnId>,
    tallies: Vec<Tally>,
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
        let engine = Engine::new(monitors, Schedule::Beat, resolver, guard, now);
        let at = (now.instant, Duration::ZERO);
        let watches = engine.fleet().watches().iter().zip(begun);
        let tally = |timeout, begun| Tally { begun, noted: 0, verdicts: 0, timeout, at };
        let tallies = watches.map(|(watch, begun)| tally(watch.timeout(), begun)).collect();
        let (conns, used, parting) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (seen, lost) = (now.instant, Duration::ZERO);
        World { engine, now, seen, lost, conns, used, parting, tallies, jobs: Vec::new() }
    }

    pub(super) fn step(&mut self, source: &mut Source<'_>) {
        match source.byte() % 16 {
            0 => self.accept(),
            1 | 2 => self.peer_acts(source, Self::connect),
            3 | 4 => self.peer_acts(source, Self::speak),
            5 => self.peer_acts(source, Self::answer),
            6 => self.peer_acts(source, Self::take),
            7 => self.peer_acts(source, Self::end),
            8 => self.peer_acts(source, Self::fail),
            9 | 10 => self.pass_to_deadline(),
            11 => self.pass(Duration::from_millis(source.number() as u64 / 16)),
            12 => {
                self.now = self.now.after(Duration::from_millis(source.number() as u64 / 8));
                if source.byte() % 2 == 0 {
                    self.tell_time();
                }
            }
            13 => self.call(|engine, now| {
                engine.handle_accept_failed(true, now);
            }),
            14 => {
                let target = usize::from(source.byte()) % self.tallies.len();
                self.call(|engine, now| engine.check_now(target, now));
            }
            _ => {
                if let Some((job, work)) = self.jobs.pop() {
                    self.call(|engine, now| engine.handle_worked(job, work.run(), now));
                }
            }
        }
    }

    /// When nothing happens any more, every attempt ends in time and no client stays.
    pub(super) fn finish(&mut self) {
        self.pass(CLIENT_LASTS);
        // Who waits for a state may do so for an hour, but not without being there.
        let clients = self.conns.iter().filter(|(_, peer)| peer.transport.is_none() && !peer.ended);
        for id in clients.map(|(id, _)| *id).collect::<Vec<_>>() {
            assert_eq!(self.engine.room(id), usize::MAX, "a client stays that is not a stream");
            self.tell(id, Input::Closed);
        }
        assert!(self.conns.values().all(|peer| peer.transport.is_some()), "a client stays");
        assert!(self.tallies.iter().all(|tally| tally.verdicts > 0), "a target has no verdict");
    }

    fn accept(&mut self) {
        let now = self.now;
        self.note_time();
        let id = self.engine.accept(now);
        let at = (self.now.instant, self.lost);
        let (connected, ended, shut) = (true, false, false);
        self.add(id, Peer { transport: None, to: None, connected, ended, shut, first: Vec::new(), at });
        self.settle();
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
            self.tell(id, Input::Connected);
        }
    }

    fn speak(&mut self, id: ConnId, source: &mut Source<'_>) {
        let said = match source.byte() {
            0..=99 => source.choose(SAID),
            _ => source.piece(),
        };
        let (peer, room) = (&self.conns[&id], self.engine.room(id));
        let said = &said[..said.len().min(room)];
        if said.is_empty() || !peer.connected || peer.ended {
            return;
        }
        match peer.transport {
            Some(Transport::Udp | Transport::Multicast) => {
                let from = peer.to.unwrap();
                self.tell(id, Input::Datagram(from, said));
            }
            Some(Transport::Tcp) | None => self.tell(id, Input::Received(said)),
        }
    }

    /// A name server answers.
    fn answer(&mut self, id: ConnId, source: &mut Source<'_>) {
        let peer = &self.conns[&id];
        let (Some(transport), Some(from)) = (peer.transport, peer.to) else { return };
        let is_query = peer.first.len() > 18 && peer.is_name_server();
        if !is_query || !peer.connected || peer.ended {
            return;
        }
        if transport == Transport::Tcp {
            let message = message::answer(&peer.first[2..], source);
            let framed = [&(message.len() as u16).to_be_bytes(), &message[..]].concat();
            return self.tell(id, Input::Received(&framed));
        }
        let message = message::answer(&peer.first, source);
        self.tell(id, Input::Datagram(from, &message));
    }

    /// The system takes bytes to send.
    fn take(&mut self, id: ConnId, source: &mut Source<'_>) {
        let unsent = self.engine.unsent(id).len();
        let count = match source.byte() {
            0..=127 => unsent,
            some => usize::from(some) * 37 % (unsent + 1),
        };
        if count > 0 {
            self.tell(id, Input::Sent(count));
        }
    }

    fn end(&mut self, id: ConnId, _source: &mut Source<'_>) {
        let peer = self.conns.get_mut(&id).unwrap();
        if peer.connected && !peer.ended && matches!(peer.transport, None | Some(Transport::Tcp)) {
            peer.ended = true;
            self.tell(id, Input::Closed);
        }
    }

    fn fail(&mut self, id: ConnId, source: &mut Source<'_>) {
        let reason = *source.choose(&[Reason::Refused, Reason::Reset, Reason::Unreachable, Reason::Local]);
        self.conns.remove(&id);
        self.tell(id, Input::Failed(Failure::new(reason, "it broke\n")));
        // Late news of a connection that is gone.
        self.tell(id, Input::Received(b"late"));
        self.tell(id, Input::Closed);
    }

    fn pass_to_deadline(&mut self) {
        if let Some(at) = self.engine.poll_timeout() {
            self.now = self.now.after(at.saturating_duration_since(self.now.instant));
            self.tell_time();
        }
    }

    /// Lets time pass as in a punctual loop.
    fn pass(&mut self, span: Duration) {
        let end = self.now.instant + span;
        while self.engine.poll_timeout().is_some_and(|at| at <= end) {
            self.pass_to_deadline();
        }
        self.now = self.now.after(end.saturating_duration_since(self.now.instant));
    }

    fn tell_time(&mut self) {
        self.call(Engine::handle_timeout);
        let now = self.now.instant;
        assert!(self.engine.poll_timeout().is_none_or(|at| at > now), "the loop would spin");
        for tally in self.tallies.iter().filter(|tally| tally.noted > tally.verdicts) {
            let (begun, lost) = tally.at;
            assert!(now < begun + tally.timeout + (self.lost - lost), "a verdict is late");
        }
        for peer in self.conns.values().filter(|peer| peer.is_name_server()) {
            let (opened, lost) = peer.at;
            assert!(
                now < opened + QUERY_LASTS + (self.lost - lost),
                "a name server is waited for without end"
            );
        }
    }

    fn tell(&mut self, id: ConnId, input: Input<'_>) {
        self.call(|engine, now| engine.handle_input(id, input, now));
    }

    fn call(&mut self, act: impl FnOnce(&mut Engine, Now)) {
        self.note_time();
        act(&mut self.engine, self.now);
        self.settle();
    }

    /// What the loop itself has lost is given back to the attempts.
    fn note_time(&mut self) {
        let now = self.now.instant;
        let late = self.engine.poll_timeout().map(|due| now.saturating_duration_since(due));
        if late.is_some_and(|late| late >= CLOCK_STALL) {
            self.lost += now - self.seen;
        }
        self.seen = now;
    }

    fn add(&mut self, id: ConnId, peer: Peer) {
        assert!(id >= ConnId::FIRST && self.used.insert(id), "{id:?} is used again");
        self.conns.insert(id, peer);
    }

    /// Does what the engine wants, and compares the books.
    fn settle(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.carry_out(output);
        }
        assert!(self.parting.is_empty(), "a farewell without an end");
        for tally in &mut self.tallies {
            let begun = tally.begun.load(Ordering::Relaxed);
            assert!(begun <= tally.noted + 1, "more than one attempt at once");
            if begun > tally.noted {
                (tally.noted, tally.at) = (begun, (self.now.instant, self.lost));
            }
            assert!(begun - tally.verdicts <= 1, "{begun} attempts, {} verdicts", tally.verdicts);
        }
        let is_at_rest = self.tallies.iter().all(|tally| tally.noted == tally.verdicts);
        let clients = self.conns.iter().filter(|(_, peer)| peer.transport.is_none());
        let owed = |(id, peer): (&ConnId, &Peer)| {
            let owed = self.engine.unsent(*id).len();
            // Streams have room for anything.
            let is_stream = self.engine.room(*id) == usize::MAX;
            assert!(
                owed > 0 || !peer.ended || is_stream,
                "a client that has ended and is owed nothing stays"
            );
            owed
        };
        let clients: Vec<usize> = clients.map(owed).collect();
        // The second half of an answer is waited for even when its check is over.
        let queries = self.conns.values().filter(|peer| peer.is_name_server());
        let idle = clients.len() + queries.count();
        assert!(!is_at_rest || idle == self.conns.len(), "a connection is left behind");
        assert!(clients.len() <= CLIENTS_MAX + STREAMS_MAX && clients.iter().sum::<usize>() <= OWED_MAX);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Open { id, transport, to } => {
                let connected = transport != Transport::Tcp;
                let (ended, shut, first) = (false, false, Vec::new());
                let (transport, to, at) = (Some(transport), Some(to), (self.now.instant, self.lost));
                self.add(id, Peer { transport, to, connected, ended, shut, first, at });
            }
            Output::Write(id) => {
                let peer = self.conns.get_mut(&id).expect("written to when closed");
                assert!(!peer.shut && peer.connected);
                if peer.first.is_empty() {
                    let unsent = self.engine.unsent(id);
                    peer.first = unsent[..unsent.len().min(512)].to_vec();
                }
            }
            Output::Read(id) => assert!(self.conns.contains_key(&id), "read when closed"),
            Output::Shutdown(id) => {
                let peer = self.conns.get_mut(&id).expect("shut down when closed");
                assert!(!std::mem::replace(&mut peer.shut, true), "shut down twice");
            }
            Output::FinalWrite(id, bytes) => {
                assert!(self.conns.contains_key(&id) && !bytes.is_empty());
                self.parting.insert(id);
            }
            Output::Close(id) => {
                assert!(self.conns.remove(&id).is_some(), "{id:?} is closed twice");
                self.parting.remove(&id);
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
            Output::CheckResult(verdict) => {
                self.tallies[verdict.target].verdicts += 1;
                let detail = &verdict.result.detail;
                assert!(!detail.contains(char::is_control) && detail.chars().count() <= 256);
                assert!(!detail.starts_with("the probe panicked"), "{detail}");
                assert_eq!(verdict.result.ok, verdict.result.reason.is_none());
            }
            Output::Accept => {}
            Output::Spawn { .. } | Output::Kill(_) | Output::Notify(_) | Output::Log(_) => {
                unreachable!("nobody here wants to be told")
            }
        }
    }
}
