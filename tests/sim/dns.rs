//! The name servers and the files: how each query is met, and whom that concerns.

use std::net::{IpAddr, SocketAddr};

use super::names::{How, MDNS, Role, hosts, server, zone};
use super::plan::{MS, S};
use super::world::{Event, News, Sock, World};
use crate::engine::{ConnId, Input, Transport};
use crate::result::Reason;
use crate::wire::dns::server_messages::{A, AAAA, ANSWER, CNAME, SOA, TRUNCATED, answer, record, wire};

/// A query of the engine's.
pub(super) struct Query {
    transport: Transport,
    server: SocketAddr,
    pub(super) standing: bool,
    /// Whose search it may belong to, by their places in [`hosts`].
    pub(super) names: Vec<usize>,
    full: String,
    kind: u16,
    /// Without the length before it.
    message: Vec<u8>,
    left: usize,
    role: Role,
    /// Since when nobody waits for it: one family has been found, and the other is waited for a little.
    pub(super) unwanted_since: Option<u64>,
}

impl World {
    pub(super) fn open_query(&mut self, id: ConnId, transport: Transport, to: SocketAddr) {
        let bytes = self.engine.unsent(id).to_vec();
        let skip = if transport == Transport::Tcp { 2 } else { 0 };
        let message = bytes.get(skip..).unwrap_or_default().to_vec();
        let (full, kind) = question(&message).unwrap_or_default();
        let mut names: Vec<usize> = (0..hosts().len()).filter(|i| hosts()[*i].may_ask(&full)).collect();
        // There are no bytes if it is closed already, in the same batch.
        if !message.is_empty() {
            // One label before `local`, and nothing else, is for multicast DNS.
            let is_local = full.strip_suffix(".local").is_some_and(|host| !host.contains('.'));
            assert_eq!(transport == Transport::Multicast, is_local, "{full} is asked for by {transport:?}");
            // A search that began before the files changed goes on by the old ones, if need be with a next
            // query as soon as the previous one has ended.
            let is_new = names.iter().all(|name| {
                let asked = &self.asked[*name];
                asked.open == 0 && asked.ended_at != Some(self.at)
            });
            let is_udp = transport == Transport::Udp;
            assert!(!is_udp || !is_new || !self.current_files().use_vc, "use-vc is not honored");
            if names.is_empty() {
                // An answer that was tampered with can be an alias of anything.
                names = (0..hosts().len()).filter(|i| self.asked[*i].poisoned_until > self.at).collect();
                assert!(!names.is_empty(), "nobody wants to know of {full}");
            }
        }
        for name in &names {
            self.asked[*name].open += 1;
        }
        let role = (0..3).find(|i| server(*i) == to).map_or(Role::Healthy, |i| self.plan.roles[i]);
        let left = bytes.len();
        let query = Query {
            transport,
            server: to,
            standing: false,
            names,
            full,
            kind,
            message,
            left,
            role,
            unwanted_since: None,
        };
        self.take_in(id, Sock::Query(query));
        if left == 0 {
            return; // Closed already, in the same batch.
        }
        if self.rng.permille(self.plan.weather.local) {
            self.counters.add("local: no socket for a query");
            let few = self.current_files().attempts < 2;
            self.concern(id, 0, |asked| {
                asked.dirty |= few || asked.local;
                asked.local = true;
            });
            return self.fail(id, Reason::Local);
        }
        match (transport, role) {
            (_, Role::Closed) => {
                self.blame(id, 0);
                let after = self.rng.below(5 * MS);
                self.concern(id, after, |_| {});
                self.schedule(after, Event::News(id, News::Failed(Reason::Refused)));
            }
            (_, Role::Dead) => {
                self.counters.add("dns: a dead server is asked");
                self.blame(id, 1000 * MS);
            }
            (Transport::Tcp, _) => {
                self.counters.add("dns: asked over TCP");
                let after = self.dns_lag(id);
                self.schedule(after, Event::News(id, News::Connected));
            }
            _ => {}
        }
    }

    pub(super) fn current_files(&self) -> &super::names::Files {
        &self.plan.files[self.files.unwrap_or(0)]
    }

    /// Tells the tries that this query may matter to how long they are held up at most, and notes it
    /// for those that join them.
    fn concern(&mut self, id: ConnId, span: u64, note: impl Fn(&mut super::world::Asked)) {
        let Some(Sock::Query(query)) = self.socks.get(&id) else { return };
        for name in &query.names {
            let asked = &mut self.asked[*name];
            asked.busy_until = asked.busy_until.max(self.at) + span;
            note(asked);
            if query.role != Role::Healthy || asked.dirty || asked.local {
                // A lie about one family serves as long as the truth about the other.
                let serves = if asked.dirty { 301 } else { 31 } * S;
                asked.partial_until = asked.partial_until.max(asked.busy_until.max(self.at) + serves);
            }
            for this in self.runs.iter_mut().flatten().filter(|this| this.names.contains(name)) {
                this.cost += span;
                this.misled |= asked.dirty || asked.poisoned_until > self.at;
            }
        }
    }

    /// A server is not what it should be. That is no excuse for anybody as long as there is another.
    fn blame(&mut self, id: ConnId, span: u64) {
        let sound = self.current_files().sound;
        self.concern(id, span, |asked| asked.dirty |= !sound);
    }

    fn dns_lag(&mut self, id: ConnId) -> u64 {
        let slow = self.rng.permille(self.plan.weather.slow);
        let span = self.rng.below(if slow { 200 * MS } else { 3 * MS });
        self.concern(id, span, |_| {});
        span
    }

    pub(super) fn write_query(&mut self, id: ConnId) {
        let len = self.engine.unsent(id).len();
        let Some(Sock::Query(query)) = self.socks.get_mut(&id) else { return };
        if len == 0 || query.role == Role::Closed || query.role == Role::Dead {
            return;
        }
        let is_tcp = query.transport == Transport::Tcp;
        assert!(query.standing || !is_tcp, "bytes for a connection that does not stand");
        assert_eq!(len, query.left, "nothing is added to a query");
        let count = if is_tcp && self.rng.permille(200) { self.rng.index(len + 1) } else { len };
        query.left -= count;
        let whole = query.left == 0;
        self.tell(id, Input::Sent(count));
        if whole {
            self.meet(id);
        } else {
            let after = self.dns_lag(id);
            self.schedule(after, Event::News(id, News::Writable));
        }
    }

    /// The whole query has come to its server.
    fn meet(&mut self, id: ConnId) {
        let Some(Sock::Query(query)) = self.socks.get(&id) else { return };
        let (transport, from) = (query.transport, query.server);
        let (full, kind, role, message) = (query.full.clone(), query.kind, query.role, query.message.clone());
        if transport == Transport::Multicast {
            return self.meet_multicast(id, &full, kind, &message);
        }
        if role == Role::Servfail {
            self.blame(id, 0);
            let after = self.dns_lag(id);
            let code = self.rng.pick(&[2, 5]);
            return self.reply(id, from, after, answer(&message, ANSWER, code, &[]));
        }
        let mut truth = self.truth(&full, kind, &message);
        if transport == Transport::Udp && zone(&full).is_some_and(|host| host.how == How::Big) {
            truth = answer(&message, TRUNCATED, 0, &[]);
        }
        let after = self.dns_lag(id);
        if transport == Transport::Udp && self.rng.permille(60) {
            self.counters.add("dns: strays before the answer");
            for _ in 0..self.rng.range(1, 8) {
                let mut stray = truth.clone();
                stray[self.pick_header()] ^= 0x55;
                self.schedule(after, Event::News(id, News::Datagram(from, stray)));
            }
        }
        if !self.rng.permille(self.plan.weather.dns_mischief) {
            return self.reply(id, from, after, truth);
        }
        self.counters.add("dns: mischief");
        self.concern(id, 0, |asked| asked.dirty = true);
        match self.rng.below(10) {
            0 if transport == Transport::Tcp => {
                self.counters.add("dns: more over TCP than anybody wants");
                self.schedule(after, Event::News(id, News::Bytes(vec![0xff; 12_000])));
                self.schedule(after + MS, Event::News(id, News::Bytes(vec![0; 12_000])));
            }
            0 => {}
            1 => self.reply(id, from, after, answer(&message, ANSWER, 2, &[])),
            2 => self.reply(id, from, after, answer(&message, ANSWER, 3, &[])),
            3 => self.reply(id, from, after, answer(&message, ANSWER, 0, &[])),
            4 => {
                let at = self.pick_header();
                truth[at] ^= 0x55;
                self.reply(id, from, after, truth);
            }
            5 => {
                truth.truncate(self.rng.index(truth.len()));
                self.reply(id, from, after, truth);
            }
            6 => self.schedule(after, Event::News(id, News::Failed(Reason::Unreachable))),
            7 if transport == Transport::Tcp => self.schedule(after, Event::News(id, News::Closed)),
            8 => {
                let garbage = (0..self.rng.below(600)).map(|_| self.rng.next() as u8).collect();
                self.reply(id, from, after, garbage);
            }
            _ => {
                let until = self.at + 301 * S + after;
                self.concern(id, 0, |asked| asked.poisoned_until = until);
                let at = self.rng.index(truth.len());
                truth[at] = self.rng.next() as u8;
                self.reply(id, from, after, truth);
            }
        }
    }

    /// The place of a byte that makes an answer a foreign one: of its id or its question.
    fn pick_header(&mut self) -> usize {
        self.rng.pick(&[0, 1, 13, 14])
    }

    fn reply(&mut self, id: ConnId, from: SocketAddr, after: u64, message: Vec<u8>) {
        let Some(Sock::Query(query)) = self.socks.get(&id) else { return };
        if query.transport != Transport::Tcp {
            return self.schedule(after, Event::News(id, News::Datagram(from, message)));
        }
        let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
        bytes.extend(message);
        let mut after = after;
        for piece in self.rng.cut(&bytes) {
            self.schedule(after, Event::News(id, News::Bytes(piece)));
            let pause = self.rng.below(200_000);
            self.concern(id, pause, |_| {});
            after += pause;
        }
    }

    /// What an honest server says.
    fn truth(&mut self, full: &str, kind: u16, message: &[u8]) -> Vec<u8> {
        let Some(host) = zone(full) else { return answer(message, ANSWER, 3, &[]) };
        let ttl_s = self.rng.pick(&[0, 1, 30, 10_000]);
        let list = if kind == A { &host.v4 } else { &host.v6 };
        let real = host.real();
        let is_alias = host.how == How::Alias && full != real;
        let owner = if is_alias { &real } else { full };
        let mut records: Vec<_> = list.iter().map(|ip| address(owner, kind, ttl_s, *ip)).collect();
        if !is_alias {
            return answer(message, ANSWER, 0, &records);
        }
        let alias = record(full, CNAME, ttl_s, &wire(&real));
        if self.rng.permille(300) {
            self.counters.add("dns: an alias without addresses");
            return answer(message, ANSWER, 0, &[alias]);
        }
        records.insert(self.rng.index(records.len() + 1), alias);
        let mut truth = answer(message, ANSWER, 0, &records);
        if list.is_empty() {
            // The authority says that there are none.
            truth[9] = 1;
            truth.extend(record("example", SOA, ttl_s, &[0; 22]));
        }
        truth
    }

    /// Whoever owns the name answers, and some who do not.
    fn meet_multicast(&mut self, id: ConnId, full: &str, kind: u16, message: &[u8]) {
        let after = self.dns_lag(id);
        // Answers are gathered for a while, and the other family, which stays silent, is waited for.
        self.concern(id, 110 * MS, |_| {});
        let Some(host) = zone(full).filter(|host| host.how == How::Multicast && kind == A) else { return };
        let truth = answer(message, ANSWER, 0, &[address(full, A, 120, host.v4[0])]);
        let port = MDNS.parse::<SocketAddr>().map_or(0, |group| group.port());
        if self.rng.permille(100) {
            let stranger = SocketAddr::new(host.v4[0], port + 1);
            self.schedule(after / 2, Event::News(id, News::Datagram(stranger, truth.clone())));
        }
        if self.rng.permille(self.plan.weather.dns_mischief) {
            return self.concern(id, 0, |asked| asked.dirty = true);
        }
        self.schedule(after, Event::News(id, News::Datagram(SocketAddr::new(host.v4[0], port), truth)));
    }

    /// The engine asks whether the files have changed.
    pub(super) fn refresh(&mut self) {
        if self.files == Some(self.next_files) {
            return self.call(self.at, |engine, now| engine.handle_files(None, None, now));
        }
        if self.files.is_some() {
            self.counters.add("dns: the files change");
            // What is being asked for is asked for by two rules now.
            self.mislead_all();
        }
        self.files = Some(self.next_files);
        let files = self.current_files().clone();
        self.call(self.at, |engine, now| {
            engine.handle_files(Some(files.hosts.into_bytes()), Some(files.resolv_conf.as_bytes()), now);
        });
    }
}

/// The name and kind that a query asks for.
pub(super) fn question(message: &[u8]) -> Option<(String, u16)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let len = usize::from(*message.get(at)?);
        if len == 0 {
            break;
        }
        labels.push(std::str::from_utf8(message.get(at + 1..at + 1 + len)?).ok()?);
        at += 1 + len;
    }
    let kind = u16::from_be_bytes([*message.get(at + 1)?, *message.get(at + 2)?]);
    Some((labels.join("."), kind))
}

fn address(owner: &str, kind: u16, ttl_s: u32, ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => record(owner, kind, ttl_s, &v4.octets()),
        IpAddr::V6(v6) => record(owner, AAAA, ttl_s, &v6.octets()),
    }
}
