//! The resolver with arbitrary servers and callers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Source, message};
use crate::clock::test_now;
use crate::resolve::{LookupId, Output, QueryId, QueryInput, Resolver, Transport};

/// The maximum number of steps.
const STEPS_MAX: usize = 1500;
/// The maximum number of open queries.
const QUERIES_MAX: usize = 128;
/// The maximum number of rounds of failing queries until all lookups have ended.
const ROUNDS_MAX: usize = 2_000;

const NAMES: &[&str] = &[
    "db.example",
    "db.example.",
    "nas",
    "nas.local",
    "db.corp.local",
    "a.b.c.d",
    "DB.Example",
    "127.0.0.1",
    "localhost",
    "x y",
];
const CONFS: &[&str] = &[
    "",
    "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver ::1\nsearch lan b.example\noptions timeout:1\n",
    "nameserver 10.0.0.1\noptions attempts:5 ndots:3 timeout:30\nsearch a b c d e f\n",
    "nameserver 10.0.0.1\nnameserver 10.0.0.2\noptions use-vc no-aaaa\nsearch corp.local\n",
];
const HOSTS: &[&str] = &["", "10.1.1.1 db.example nas\n10.1.1.2 nas\n"];

/// A sequence of steps: one byte each and its parameters.
pub fn resolver(data: &[u8]) {
    let mut source = Source::new(data);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if source.is_empty() {
            break;
        }
        world.step(&mut source);
        world.drain();
    }
    for lookup in world.waiting.keys() {
        assert!(world.resolver.describe(*lookup).is_some());
    }
    world.finish();
}

/// The world's view of a query.
struct OpenQuery {
    transport: Transport,
    server: SocketAddr,
    /// Without the length prefix of TCP.
    message: Vec<u8>,
}

struct World {
    resolver: Resolver,
    now: Instant,
    open: BTreeMap<QueryId, OpenQuery>,
    used: BTreeSet<QueryId>,
    /// Lookups in progress, and the addresses found so far.
    waiting: BTreeMap<LookupId, Vec<IpAddr>>,
}

impl World {
    fn new() -> World {
        let mut resolver =
            Resolver::new(Vec::new(), SocketAddr::from(([224, 0, 0, 251], 5353)), Box::new(|| 0x1234));
        resolver.set_resolv_conf(CONFS[1].as_bytes());
        let (open, used, waiting) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        World { resolver, now: test_now().instant, open, used, waiting }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.byte() % 14 {
            0 | 1 => self.lookup(source.choose::<&str>(NAMES)),
            2 => self.lookup(&format!("n{}.example", source.byte())),
            3 => {
                let name = String::from_utf8_lossy(source.piece());
                self.lookup(&name);
            }
            4 => {
                let which = usize::from(source.byte());
                if let Some(id) = pick(&self.waiting, which) {
                    self.waiting.remove(&id);
                    self.resolver.cancel(id);
                }
            }
            5..=8 => self.handle_query(source),
            9 => self.pass_to_deadline(),
            10 => self.pass(Duration::from_millis(source.number() as u64)),
            // Readiness events are handled before the deadlines that have passed.
            11 => self.now += Duration::from_millis(source.number() as u64),
            12 => drop(self.resolver.set_resolv_conf(source.choose(CONFS).as_bytes())),
            _ => drop(self.resolver.set_hosts(source.choose(HOSTS).as_bytes())),
        }
    }

    fn lookup(&mut self, name: &str) {
        let id = self.resolver.lookup(name, None, self.now);
        assert!(self.waiting.insert(id, Vec::new()).is_none(), "{id:?} is reused");
    }

    /// An event of a query, possibly of one that has ended.
    fn handle_query(&mut self, source: &mut Source<'_>) {
        let (which, what) = (usize::from(source.byte()), source.byte());
        let Some(id) = pick(&self.open, which) else { return };
        let asked = &self.open[&id];
        let is_tcp = asked.transport == Transport::Tcp;
        let mut bytes = match what & 1 {
            0 => message::answer(&asked.message, source),
            _ => [&asked.message[..2], source.piece()].concat(),
        };
        if is_tcp {
            let length = bytes.len() as u16;
            bytes.splice(0..0, length.to_be_bytes());
        }
        let mut from = asked.server;
        if what & 0x70 == 0x70 && !is_tcp {
            from =
                *source.choose(&["10.0.0.9:53", "10.0.0.9:5353", "10.0.0.1:54"].map(|a| a.parse().unwrap()));
        }
        match what >> 1 & 7 {
            0 => self.send_input(id, QueryInput::Closed),
            1 => {
                self.open.remove(&id);
                self.send_input(id, QueryInput::Failed);
                self.send_input(id, QueryInput::Received { from, bytes: &bytes });
            }
            2 if is_tcp => {
                let (one, two) = bytes.split_at(source.number() % bytes.len());
                self.send_input(id, QueryInput::Received { from, bytes: one });
                self.send_input(id, QueryInput::Received { from, bytes: two });
            }
            3 if is_tcp => {
                for byte in bytes.chunks(1) {
                    self.send_input(id, QueryInput::Received { from, bytes: byte });
                }
            }
            _ => self.send_input(id, QueryInput::Received { from, bytes: &bytes }),
        }
    }

    fn send_input(&mut self, id: QueryId, input: QueryInput<'_>) {
        self.resolver.handle_input(id, input, self.now);
        self.drain();
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.resolver.handle_timeout(self.now);
        self.drain();
        assert!(self.resolver.poll_timeout().is_none_or(|at| at > self.now), "the loop would spin");
    }

    fn pass_to_deadline(&mut self) {
        if let Some(at) = self.resolver.poll_timeout() {
            self.pass(at.saturating_duration_since(self.now));
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Open { query, transport, server, bytes, .. } => {
                    assert!(self.used.insert(query), "{query:?} is reused");
                    let skipped = if transport == Transport::Tcp { 2 } else { 0 };
                    let asked = OpenQuery { transport, server, message: bytes[skipped..].to_vec() };
                    self.open.insert(query, asked);
                }
                Output::Close(query) => assert!(self.open.remove(&query).is_some(), "{query:?} is not open"),
                Output::Found { lookup, addresses, last, .. } => {
                    let found = self.waiting.get_mut(&lookup).expect("the lookup has ended");
                    assert!(last || !addresses.is_empty());
                    for address in addresses {
                        assert!(!found.contains(&address), "duplicate address {address}");
                        found.push(address);
                    }
                    if last {
                        assert!(!found.is_empty());
                        self.waiting.remove(&lookup);
                    }
                }
                Output::NotFound { lookup, failure } => {
                    let found = self.waiting.remove(&lookup).expect("the lookup has ended");
                    assert!(found.is_empty() && !failure.detail.is_empty());
                }
            }
        }
        assert!(self.open.len() <= QUERIES_MAX, "{} queries are open", self.open.len());
        assert!(
            self.waiting.is_empty() || self.resolver.poll_timeout().is_some(),
            "a lookup without a deadline"
        );
    }

    /// When every query fails, every lookup ends and no query stays open.
    fn finish(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.waiting.is_empty() && self.open.is_empty() {
                break;
            }
            for id in self.open.keys().copied().collect::<Vec<_>>() {
                // A failure may have closed other queries.
                if self.open.remove(&id).is_some() {
                    self.send_input(id, QueryInput::Failed);
                }
            }
            self.pass_to_deadline();
        }
        assert!(self.waiting.is_empty(), "{:?} do not end", self.waiting);
        assert!(self.open.is_empty(), "queries leaked");
        assert_eq!(self.resolver.poll_timeout(), None);
    }
}

fn pick<K: Copy + Ord, V>(map: &BTreeMap<K, V>, which: usize) -> Option<K> {
    map.keys().nth(which % map.len().max(1)).copied()
}
