//! The peers of icmp and dns targets: their messages, and the one result that each attempt must have.
//!
//! A message is scheduled together with what it means ([`Fact`]). When it is delivered, the script of the attempt
//! decides whether the attempt must end now, and how; otherwise it must not end before its deadline.

use std::net::{IpAddr, SocketAddr};

use super::pings::{PingRun, Sample};
use super::plan::{PORT, Wants};
use super::programs::ProgramRun;
use super::records::{RecordRun, Say};
use super::site::{Mood, ProbeRun};
use super::world::{Event, News, Sock, World};
use crate::engine::{ConnId, Input, Transport};
use crate::result::{Failure, ProbeResult, Reason};

/// A connection of an icmp or dns target.
pub(super) struct Peer {
    pub(super) target: usize,
    pub(super) standing: bool,
    pub(super) transport: Transport,
    to: SocketAddr,
    /// Received over TCP.
    pub(super) heard: Vec<u8>,
}

/// How an attempt is answered, and what has happened in it.
pub(super) enum Script {
    /// See [`Mood`].
    Site,
    Pings(PingRun),
    Records(RecordRun),
    Program(ProgramRun),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialing {
    Not,
    Open,
    /// There was no socket.
    Local,
    Connected,
}

/// What a message means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact {
    /// It must have no effect.
    Noise,
    /// An ICMP error about a message of another process.
    ForeignError,
    /// The reply to the request of this index.
    Reply(usize),
    /// An ICMP error about the request of this index.
    Error(usize, Reason),
    /// An answer to the query of this index.
    Answer(usize, Say),
    /// The end of the stream over which this query was sent.
    End(usize),
    /// The connection failed.
    Failed(Reason),
}

/// The result that an attempt must have.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) reason: Option<Reason>,
    pub(super) latency: Option<u64>,
    /// The beginning of the detail.
    pub(super) detail: String,
    pub(super) is_warned: bool,
    pub(super) first_byte: Option<u64>,
    pub(super) sample: Option<Sample>,
}

impl Expected {
    pub(super) fn up(latency: u64, detail: &str) -> Expected {
        Expected { latency: Some(latency), detail: detail.to_owned(), ..Expected::default() }
    }

    pub(super) fn down(reason: Reason, detail: &str) -> Expected {
        Expected { reason: Some(reason), detail: detail.to_owned(), ..Expected::default() }
    }
}

impl World {
    /// The icmp or dns target that opens this connection.
    pub(super) fn peer_of(&self, id: ConnId, transport: Transport, to: SocketAddr) -> Option<usize> {
        if let Transport::Icmp { .. } = transport {
            let target = match to.ip() {
                IpAddr::V4(ip) => usize::from(ip.octets()[2]) << 8 | usize::from(ip.octets()[3]),
                IpAddr::V6(ip) => usize::from(ip.segments()[7]),
            };
            assert!(to.port() == 0 && matches!(self.plan.targets[target].wants, Wants::Pings(_)));
            return Some(target);
        }
        if to.port() == 53 {
            // Only the engine knows for which of the targets it queries this server.
            let target = self.engine.target_of(id)?;
            let target = self.present.iter().copied().find(|present| self.ids[*present] == target)?;
            let files = &self.current_files().resolv_conf;
            let first = files.split_whitespace().nth(1).map(str::to_owned);
            // Without a socket, the same server is tried again although the files may have changed.
            let is_retry = self.runs[target].as_ref().is_some_and(|this| this.dialing == Dialing::Local);
            assert!(is_retry || Some(to.ip().to_string()) == first, "{to} is not the first name server");
            return Some(target);
        }
        let target = usize::from(to.port().checked_sub(PORT)?);
        let plan = self.plan.targets.get(target)?;
        matches!(plan.wants, Wants::Records(_)).then_some(target)
    }

    pub(super) fn open_peer(&mut self, id: ConnId, target: usize, transport: Transport, to: SocketAddr) {
        self.take_in(id, Sock::Peer(Peer { target, standing: false, transport, to, heard: Vec::new() }));
        let Some(this) = self.runs[target].as_mut().filter(|this| this.ended.is_none()) else { return };
        if let Script::Records(run) = &this.script {
            let expected = if run.over_tcp { Transport::Tcp } else { Transport::Udp };
            assert_eq!(transport, expected, "the transport of target {target}");
        }
        this.dialing = Dialing::Open;
        if this.mood == Mood::NoSockets || self.rng.permille(self.plan.weather.local) {
            self.counters.add("peers: no socket");
            return self.fail(id, Reason::Local);
        }
        let refuses = matches!(&this.script, Script::Records(run) if run.over_tcp && run.refuses_tcp);
        let after = if transport == Transport::Tcp { self.lag(target) } else { self.rng.below(200_000) };
        let news = match (refuses, transport) {
            (true, _) => News::Failed(Reason::Refused),
            _ if !self.is_healthy(target) && self.rng.permille(40) => News::Failed(Reason::Unreachable),
            _ => News::Connected,
        };
        self.schedule(after, Event::News(id, news));
    }

    fn is_healthy(&self, target: usize) -> bool {
        match self.runs[target].as_ref().map(|this| &this.script) {
            Some(Script::Pings(run)) => run.is_healthy,
            Some(Script::Records(run)) => run.is_healthy,
            _ => true,
        }
    }

    pub(super) fn note_connected(&mut self, target: usize) {
        if let Some(this) = self.runs[target].as_mut().filter(|this| this.ended.is_none()) {
            this.dialing = Dialing::Connected;
        }
    }

    /// The connection of a peer fails; returns the target.
    pub(super) fn note_peer_failed(&mut self, id: ConnId, reason: Reason) -> Option<usize> {
        let Some(Sock::Peer(Peer { target, standing, .. })) = self.socks.get(&id) else { return None };
        let (target, standing) = (*target, *standing);
        if reason == Reason::Local && !standing {
            if let Some(this) = &mut self.runs[target] {
                this.dialing = Dialing::Local;
            }
            return Some(target);
        }
        self.note_fact(target, Fact::Failed(reason));
        Some(target)
    }

    pub(super) fn deliver_to_peer(&mut self, id: ConnId, fact: Fact, bytes: &[u8]) {
        let Some(Sock::Peer(peer)) = self.socks.get(&id) else { return };
        let (target, transport, to) = (peer.target, peer.transport, peer.to);
        let is_new = self.note_fact(target, fact);
        let input = match (fact, transport) {
            (Fact::Error(_, reason), _) => {
                Input::IcmpError { failure: Failure::new(reason, "reported"), quoted: bytes }
            }
            (Fact::ForeignError, _) => Input::IcmpError {
                failure: Failure::new(Reason::Unreachable, "about another message"),
                quoted: bytes,
            },
            (Fact::End(_), _) => Input::Closed,
            (_, Transport::Icmp { .. }) => Input::IcmpMessage { bytes, hop_limit: Some(57) },
            (_, Transport::Tcp) => Input::Received(bytes),
            _ => Input::Datagram(to, bytes),
        };
        self.tell(id, input);
        if is_new {
            self.check_decided(target);
        }
    }

    /// Passes a fact to the script of the attempt in flight; returns whether there is one.
    fn note_fact(&mut self, target: usize, fact: Fact) -> bool {
        let now = self.at.max(self.seen);
        let tracks = self.ledger.tracks();
        let track = &tracks[target];
        let in_flight = |this: &&mut ProbeRun| this.ended.is_none() && track.busy;
        let Some(this) = self.runs[target].as_mut().filter(in_flight) else { return false };
        assert!(this.expected.is_none(), "target {target} goes on after the end");
        let sends: Vec<u64> = track.sends.iter().map(|(at, _)| self.start_distance(*at)).collect();
        let plan = &self.plan.targets[target];
        let this = self.runs[target].as_mut().expect("in flight");
        let (begun, is_connected) = (this.begun, this.dialing == Dialing::Connected);
        this.expected = match (&mut this.script, plan.wants, fact) {
            (_, _, Fact::Failed(reason)) if !is_connected => Some(Expected::down(reason, reason.as_str())),
            (Script::Pings(run), Wants::Pings(plan), _) => run.apply(fact, plan, &sends, now),
            (Script::Records(run), Wants::Records(plan), _) => {
                let before = run.query;
                let expected = run.apply(fact, plan, &sends, (begun, now));
                if run.over_tcp && run.query != before {
                    this.dialing = Dialing::Not;
                }
                expected
            }
            _ => unreachable!("target {target} has no peer"),
        };
        true
    }

    fn start_distance(&self, at: std::time::Instant) -> u64 {
        self.since_start(at)
    }

    /// An attempt whose result is certain has ended.
    pub(super) fn check_decided(&self, target: usize) {
        let Some(this) = &self.runs[target] else { return };
        if let (Some(expected), true) = (&this.expected, self.ledger.tracks()[target].busy) {
            panic!("target {target} goes on, expected {expected:?}");
        }
    }

    /// The time until which the attempt in flight must do something, beside its deadline.
    pub(super) fn timer_of(&self, target: usize) -> Option<u64> {
        let this = self.runs[target].as_ref().filter(|this| this.dialing == Dialing::Connected)?;
        let tracks = self.ledger.tracks();
        let sends = &tracks[target].sends;
        let plan = &self.plan.targets[target];
        match (&this.script, plan.wants) {
            (Script::Pings(_), Wants::Pings(plan)) if sends.len() < plan.count => {
                Some(self.since_start(sends.last()?.0) + plan.interval)
            }
            (Script::Records(run), _) if !run.over_tcp && sends.len() == run.first_send + 1 => {
                Some(self.since_start(sends.last()?.0) + plan.timeout / 3)
            }
            _ => None,
        }
    }

    fn expected_at_deadline(&self, target: usize, this: &ProbeRun) -> Expected {
        let timed_out = |reason| Expected::down(reason, "timed out after ");
        let tracks = self.ledger.tracks();
        match (&this.script, self.plan.targets[target].wants, this.dialing) {
            (Script::Program(_), ..) => timed_out(Reason::Exec),
            (_, _, Dialing::Local) => timed_out(Reason::Local),
            (_, _, Dialing::Open) => timed_out(Reason::ConnectTimeout),
            (Script::Pings(run), Wants::Pings(plan), Dialing::Connected) => {
                run.expected_at_deadline(plan, tracks[target].sends.len())
            }
            (Script::Records(_), _, Dialing::Connected) => timed_out(Reason::DnsNoAnswer),
            _ => panic!("target {target} has not connected"),
        }
    }

    /// Compares the result of an attempt with the expected one.
    pub(super) fn check_scripted(&self, target: usize, this: &ProbeRun, result: &ProbeResult) {
        let shown = || format!("target {target}, {:?}: {result:?}", self.plan.targets[target].wants);
        let expected = this.expected.clone().unwrap_or_else(|| {
            assert!(
                self.seen >= this.deadline,
                "ended early, at {} ms: {}",
                self.seen / super::plan::MS,
                shown()
            );
            self.expected_at_deadline(target, this)
        });
        assert_eq!((result.ok, result.reason), (expected.reason.is_none(), expected.reason), "{}", shown());
        let nanos = |span: Option<std::time::Duration>| span.map(|span| span.as_nanos() as u64);
        assert_eq!(nanos(result.latency), expected.latency, "latency of {}, expected {expected:?}", shown());
        assert!(result.detail.starts_with(&expected.detail), "{}, expected {expected:?}", shown());
        assert_eq!(!result.warnings.is_empty(), expected.is_warned, "{}", shown());
        assert_eq!(nanos(result.phases.first_byte), expected.first_byte, "{}", shown());
        assert_eq!(Sample::of(result), expected.sample, "{}", shown());
        self.check_sends(target);
    }

    /// Repeated messages were not sent early.
    fn check_sends(&self, target: usize) {
        let tracks = self.ledger.tracks();
        let sends = &tracks[target].sends;
        let plan = &self.plan.targets[target];
        for pair in sends.windows(2) {
            let distance = self.since_start(pair[1].0) - self.since_start(pair[0].0);
            let least = match plan.wants {
                Wants::Pings(plan) => plan.interval,
                _ if pair[0].1 == pair[1].1 => plan.timeout / 3,
                _ => 0,
            };
            assert!(distance >= least, "target {target} sends after {distance} ns");
        }
    }

    /// The system takes bytes of a probe.
    pub(super) fn write_peer(&mut self, id: ConnId) {
        let bytes = self.engine.unsent(id).to_vec();
        let Some(Sock::Peer(peer)) = self.socks.get(&id) else { return };
        if bytes.is_empty() {
            return;
        }
        assert!(peer.standing, "bytes for a connection that does not stand");
        let (target, transport) = (peer.target, peer.transport);
        let is_stream = transport == Transport::Tcp;
        let count = match self.rng.permille(80) {
            true if is_stream => self.rng.index(bytes.len() + 1),
            true => 0,
            false => bytes.len(),
        };
        if count < bytes.len() {
            self.counters.add("peers: not writable");
            let after = self.rng.below(super::plan::MS);
            self.schedule(after, Event::News(id, News::Writable));
        }
        if count == 0 {
            return;
        }
        self.tell(id, Input::Sent(count));
        let Some(Sock::Peer(peer)) = self.socks.get_mut(&id) else { return };
        if is_stream {
            peer.heard.extend_from_slice(&bytes[..count]);
            if count < bytes.len() {
                return;
            }
        }
        let message = if is_stream { std::mem::take(&mut peer.heard) } else { bytes };
        match self.runs[target].as_ref().map(|this| &this.script) {
            Some(Script::Pings(_)) => self.answer_ping(id, target, &message),
            Some(Script::Records(_)) => self.answer_query(id, target, &message),
            _ => {}
        }
    }

    pub(super) fn send_to(&mut self, id: ConnId, after: u64, fact: Fact, bytes: Vec<u8>) {
        self.schedule(after, Event::News(id, News::Message(fact, bytes)));
    }
}
