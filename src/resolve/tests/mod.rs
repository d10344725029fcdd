//! Whole conversations with scripted servers, and the harness that plays them.

mod basics;
mod faults;
mod hold;
mod lists;
mod local;
mod networks;
mod robust;
mod servers;
mod sharing;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::resolver::QUERIES_MAX;
use super::*;
use crate::clock::test_now;
use crate::result::Reason;
use crate::wire::dns::server_messages::{A, AAAA, ANSWER, answer, record};

pub(super) const MDNS: &str = "224.0.0.251:5353";

/// How much time a check has for one lookup.
pub(super) const BUDGET_MS: u64 = 9_000;

/// A query as a server sees it.
pub(super) struct Ask {
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    pub(super) name: String,
    pub(super) kind: u16,
    /// The message, without the length that precedes it over TCP.
    pub(super) message: Vec<u8>,
}

/// What a scripted server does.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Bytes(Vec<u8>),
    BytesFrom(SocketAddr, Vec<u8>),
    Closed,
    Failed,
    FailedLocally,
}

/// When, in milliseconds after the query, a server does what.
pub(super) type Acts = Vec<(u64, Event)>;

/// A resolver, a clock and servers that follow a script.
pub(super) struct World {
    pub(super) resolver: Resolver,
    start: Instant,
    pub(super) now: Instant,
    script: Box<dyn FnMut(&Ask) -> Acts>,
    open: BTreeMap<QueryId, SocketAddr>,
    used: BTreeSet<QueryId>,
    due: BTreeMap<(Instant, u64), (QueryId, Event)>,
    events: u64,
    /// What was asked: time, transport, server, kind and name.
    pub(super) asked: Vec<String>,
    /// What the resolver said to its lookups: number, time and text.
    pub(super) said: Vec<String>,
    pub(super) most_open: usize,
    /// The settings of the sockets of all queries.
    pub(super) networks: Vec<Option<Arc<Network>>>,
}

impl World {
    /// A resolver with this resolv.conf.
    pub(super) fn new(conf: &str, script: impl FnMut(&Ask) -> Acts + 'static) -> World {
        let mut seed = 0x2545_u16;
        let random = move || {
            seed = seed.wrapping_mul(0x6255).wrapping_add(0x3619);
            seed.into()
        };
        let mut resolver = Resolver::new(Vec::new(), MDNS.parse().unwrap(), Box::new(random));
        resolver.set_resolv_conf(conf.as_bytes());
        let start = test_now().instant;
        World {
            resolver,
            start,
            now: start,
            script: Box::new(script),
            open: BTreeMap::new(),
            used: BTreeSet::new(),
            due: BTreeMap::new(),
            events: 0,
            asked: Vec::new(),
            said: Vec::new(),
            most_open: 0,
            networks: Vec::new(),
        }
    }

    /// What comes of one lookup within [`BUDGET_MS`]; nothing may stay open.
    pub(super) fn resolve(&mut self, name: &str) -> Vec<String> {
        self.said.clear();
        self.asked.clear();
        self.start = self.now;
        let lookup = self.lookup(name);
        let end = self.now + Duration::from_millis(BUDGET_MS);
        while !self.open.is_empty() && self.run_to_next(end) {}
        if let Some(text) = self.resolver.describe(lookup) {
            self.now = end;
            self.say(lookup, &text);
            self.cancel(lookup);
            while !self.open.is_empty() && self.run_to_next(self.now + Duration::from_secs(1)) {}
        }
        self.assert_quiet();
        self.said.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    pub(super) fn lookup(&mut self, name: &str) -> LookupId {
        let lookup = self.resolver.lookup(name, None, self.now);
        self.drain();
        lookup
    }

    /// A lookup with these settings of its sockets.
    pub(super) fn lookup_on(&mut self, network: &Arc<Network>, name: &str) -> LookupId {
        let lookup = self.resolver.lookup(name, Some(network), self.now);
        self.drain();
        lookup
    }

    pub(super) fn cancel(&mut self, lookup: LookupId) {
        self.resolver.cancel(lookup);
        self.drain();
    }

    /// Lets this many milliseconds pass.
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.run_to_next(end) {}
        self.now = end;
    }

    /// Lets happen what happens next, if it does before `end`.
    fn run_to_next(&mut self, end: Instant) -> bool {
        let event = self.due.first_key_value().map(|((at, _), _)| *at);
        let timeout = self.resolver.poll_timeout();
        let Some(next) = event.into_iter().chain(timeout).min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if event == Some(next) {
            let (_, (query, event)) = self.due.pop_first().unwrap();
            self.deliver(query, event);
        } else {
            self.resolver.handle_timeout(self.now);
            let next = self.resolver.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the loop would spin");
        }
        self.drain();
        true
    }

    pub(super) fn assert_quiet(&self) {
        assert!(self.open.is_empty(), "queries leaked: {:?}", self.open);
        assert_eq!(self.resolver.poll_timeout(), None);
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.open.is_empty()
    }

    fn deliver(&mut self, query: QueryId, event: Event) {
        let Some(server) = self.open.get(&query).copied() else { return };
        let from = match event {
            Event::BytesFrom(from, _) => from,
            _ => server,
        };
        let input = match &event {
            Event::Bytes(bytes) | Event::BytesFrom(_, bytes) => QueryInput::Received { from, bytes },
            Event::Closed => QueryInput::Closed,
            Event::Failed => QueryInput::Failed,
            Event::FailedLocally => {
                QueryInput::FailedLocally(Failure::new(Reason::Local, "no interface wan2"))
            }
        };
        if matches!(event, Event::Failed | Event::FailedLocally) {
            self.open.remove(&query);
        }
        self.resolver.handle_input(query, input, self.now);
    }

    fn drain(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Open { query, transport, server, network, bytes } => {
                    self.networks.push(network);
                    self.serve(query, transport, server, &bytes)
                }
                Output::Close(query) => {
                    assert!(self.open.remove(&query).is_some(), "closed twice: {query:?}")
                }
                Output::Found { lookup, addresses, last, held } => {
                    let list: String = addresses.iter().map(|address| format!(" {address}")).collect();
                    self.say(
                        lookup,
                        &format!(
                            "found{list}{}{}",
                            if last { "" } else { " and more" },
                            if held { " held" } else { "" }
                        ),
                    );
                }
                Output::NotFound { lookup, failure } => {
                    self.say(lookup, &format!("{}: {}", failure.reason, failure.detail));
                }
            }
        }
        self.most_open = self.most_open.max(self.open.len());
        assert!(self.open.len() <= QUERIES_MAX);
    }

    fn say(&mut self, lookup: LookupId, text: &str) {
        self.said.push(format!("{} {} {text}", lookup.0, self.elapsed()));
    }

    fn elapsed(&self) -> u128 {
        (self.now - self.start).as_millis()
    }

    fn serve(&mut self, query: QueryId, transport: Transport, server: SocketAddr, bytes: &[u8]) {
        assert!(self.used.insert(query), "used twice: {query:?}");
        self.open.insert(query, server);
        let message = if transport == Transport::Tcp { &bytes[2..] } else { bytes };
        let ask = read_query(transport, server, message);
        let kind = if ask.kind == A { "A" } else { "AAAA" };
        self.asked.push(format!("{} {transport:?} {} {kind} {}", self.elapsed(), server.ip(), ask.name));
        for (ms, event) in (self.script)(&ask) {
            self.due.insert((self.now + Duration::from_millis(ms), self.events), (query, event));
            self.events += 1;
        }
    }
}

fn read_query(transport: Transport, server: SocketAddr, message: &[u8]) -> Ask {
    let mut at = 12;
    let mut labels = Vec::new();
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8(message[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    Ask { server, transport, name: labels.join("."), kind, message: message.to_vec() }
}

impl Ask {
    /// The last number of the server's IPv4 address.
    pub(super) fn host(&self) -> u8 {
        match self.server.ip() {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(_) => 0,
        }
    }

    /// The answer with those of these addresses that were asked for.
    pub(super) fn with(&self, addresses: &[&str]) -> Vec<u8> {
        self.with_ttl(60, addresses)
    }

    pub(super) fn with_ttl(&self, ttl_s: u32, addresses: &[&str]) -> Vec<u8> {
        let records: Vec<_> = addresses
            .iter()
            .filter_map(|address| match (self.kind, address.parse().unwrap()) {
                (A, IpAddr::V4(v4)) => Some(record(&self.name, A, ttl_s, &v4.octets())),
                (AAAA, IpAddr::V6(v6)) => Some(record(&self.name, AAAA, ttl_s, &v6.octets())),
                _ => None,
            })
            .collect();
        answer(&self.message, ANSWER, 0, &records)
    }

    /// An answer with this response code and nothing else.
    pub(super) fn code(&self, rcode: u8) -> Vec<u8> {
        answer(&self.message, ANSWER, rcode, &[])
    }

    /// The bytes as they travel over TCP.
    pub(super) fn framed(message: &[u8]) -> Vec<u8> {
        [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
    }
}

/// A server that sends these bytes after two milliseconds.
pub(super) fn send(bytes: Vec<u8>) -> Acts {
    vec![(2, Event::Bytes(bytes))]
}

/// A server that is not there.
pub(super) fn silence() -> Acts {
    Vec::new()
}

pub(super) const NXDOMAIN: u8 = 3;
pub(super) const SERVFAIL: u8 = 2;
pub(super) const BOTH: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
