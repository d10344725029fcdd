//! The API's clients: honest, silent, slow, deaf and hostile ones, and what each must be told.

use std::collections::VecDeque;

use super::model::worst;
use super::plan::{Flood, MS, S};
use super::world::{Event, Sock, World};
use crate::engine::limits::{ACCEPT_PAUSE, CLIENT_HEAD, CLIENT_IDLE, CLIENT_LINGER, CLIENT_STALL};
use crate::engine::{ConnId, Input};
use crate::fsm::State;
use crate::verdict::Reason;

/// How often the clients of a flood ask.
const FLOOD: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Asks, reads, asks again.
    Polite,
    /// Asks for everything at once, and perhaps ends its side.
    Pipeline,
    Silent,
    /// Never gets to the end of its request.
    Drip,
    /// Asks and never reads.
    Deaf,
    Hostile,
    /// Breaks off at any moment.
    Vanish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    State,
    Health,
    Status,
    Other,
}

/// A request, and what must be said to it.
#[derive(Clone, Debug)]
struct Ask {
    bytes: Vec<u8>,
    statuses: &'static [u16],
    page: Page,
    head: bool,
    last: bool,
}

/// A client's connection.
pub(super) struct Client {
    kind: Kind,
    /// When it last got a whole answer, or came.
    since: u64,
    /// When anything last happened between it and the engine.
    touched: u64,
    /// When the first byte of the request that it is sending was read.
    first_byte: Option<u64>,
    to_ask: VecDeque<Ask>,
    /// What it has asked, or begun to, and not been answered.
    asked: VecDeque<Ask>,
    /// Bytes that the engine has not read.
    pending: VecDeque<u8>,
    ended: bool,
    end_told: bool,
    /// The bytes of the answer on its way that it has not taken.
    owing: usize,
    deaf_after: usize,
    /// The last answer has come.
    over: bool,
    /// The engine has ended its side.
    shut: bool,
    /// Not to be held against the engine: the loop itself was late, or it gave way by the rule.
    excused: bool,
    evicted: bool,
}

impl World {
    /// Somebody comes, if the door is open.
    pub(super) fn knock(&mut self) {
        if let Some(flood) = self.plan.flood.filter(|_| self.turns > self.plan.turns * 3 / 4) {
            self.plan.flood = None;
            let (kind, count) = match flood {
                Flood::Silent => (Kind::Silent, 300),
                Flood::Deaf => (Kind::Deaf, 100),
            };
            for _ in 0..count {
                self.enter(kind, if kind == Kind::Silent { 0 } else { FLOOD });
            }
        } else if self.accept_paused.is_none() && self.rng.permille(self.plan.weather.clients) {
            let kinds = [
                Kind::Polite,
                Kind::Polite,
                Kind::Polite,
                Kind::Pipeline,
                Kind::Pipeline,
                Kind::Silent,
                Kind::Drip,
                Kind::Deaf,
                Kind::Hostile,
                Kind::Vanish,
            ];
            let kind = self.rng.pick(&kinds);
            let requests = if kind == Kind::Silent { 0 } else { self.rng.range(1, 5) };
            self.enter(kind, requests);
        }
        let longest = if self.rng.permille(200) { 8 * S } else { 900 * MS };
        let after = self.rng.below(longest);
        self.schedule(after, Event::Knock);
    }

    fn enter(&mut self, kind: Kind, requests: u64) {
        self.drain();
        let full = self.socks.values().filter(|sock| matches!(sock, Sock::Client(_))).count() >= 256;
        let victim = if full { self.victim() } else { None };
        let id = self.call(self.at, |engine, now| engine.accept(now));
        self.check_evicted(victim);
        let flood = requests == FLOOD;
        let mut to_ask: VecDeque<Ask> = (0..requests).map(|_| self.ask(kind, flood)).collect();
        if let Some(last) = to_ask.iter().position(|ask| ask.last) {
            to_ask.truncate(last + 1);
        }
        let client = Client {
            kind,
            since: self.seen,
            touched: self.seen,
            first_byte: None,
            to_ask,
            asked: VecDeque::new(),
            pending: VecDeque::new(),
            ended: false,
            end_told: false,
            owing: 0,
            deaf_after: self.rng.index(500),
            over: false,
            shut: false,
            excused: false,
            evicted: false,
        };
        self.take_in(id, Sock::Client(Box::new(client)));
        self.tally.add("clients: accepted");
        self.drain();
        self.schedule_client(id, 2 * S);
    }

    fn schedule_client(&mut self, id: ConnId, within: u64) {
        let after = if self.rng.permille(700) { self.rng.below(5 * MS) } else { self.rng.below(within) };
        self.schedule(after, Event::Client(id));
    }

    fn ask(&mut self, kind: Kind, flood: bool) -> Ask {
        if kind == Kind::Hostile && self.rng.permille(500) {
            let bytes: Vec<u8> = match self.rng.below(7) {
                0 => b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(),
                1 => b"GET / HTTP/2.0\r\n\r\n".to_vec(),
                2 => [b"GET / HTTP/1.1\r\nHost: a\r\nX: ".as_slice(), &[b'x'; 9000]].concat(),
                3 => b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n".to_vec(),
                4 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
                5 => b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                _ => b"\r\n".repeat(20),
            };
            return Ask {
                bytes,
                statuses: &[400, 413, 431, 505],
                page: Page::Other,
                head: false,
                last: true,
            };
        }
        let (path, statuses, page): (&str, &'static [u16], Page) = if flood {
            ("/status", &[200], Page::Status)
        } else {
            self.rng.pick(&[
                ("/state", &[200][..], Page::State),
                ("/state?x=1", &[200], Page::State),
                ("/healthz", &[200, 503], Page::Health),
                ("/status", &[200], Page::Status),
                ("/", &[200], Page::Status),
                ("/targets/t0/state", &[200], Page::Other),
                ("/nothing", &[404], Page::Other),
            ])
        };
        let mut ask = Ask { bytes: Vec::new(), statuses, page, head: false, last: false };
        let (mut method, mut host, mut version, mut extra) = ("GET", "localhost:8787", "1.1", "");
        match self.rng.below(if flood { 1 } else { 12 }) {
            1 => (method, ask.head) = ("HEAD", true),
            2 if page != Page::Other => {
                (method, ask.statuses, ask.page) = ("DELETE", &[405], Page::Other);
            }
            3 => (host, ask.statuses, ask.page) = ("evil.example", &[421], Page::Other),
            4 => (version, ask.last) = ("1.0", true),
            5 => (version, extra) = ("1.0", "Connection: keep-alive\r\n"),
            6 => (extra, ask.last) = ("Connection: close\r\n", true),
            _ => {}
        }
        ask.bytes = format!("{method} {path} HTTP/{version}\r\nHost: {host}\r\n{extra}\r\n").into_bytes();
        ask
    }

    /// The client's next step.
    pub(super) fn go_on(&mut self, id: ConnId) {
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        if client.owing > 0 && client.kind != Kind::Deaf {
            return self.write_client(id);
        }
        let is_over = client.over || client.to_ask.is_empty() && client.asked.is_empty();
        if client.kind == Kind::Vanish && self.rng.permille(300) {
            self.tally.add("clients: vanished");
            return self.fail(id, Reason::Reset);
        }
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        match client.kind {
            Kind::Silent => return,
            _ if client.ended => {}
            _ if is_over => client.ended = client.kind != Kind::Hostile && self.rng.permille(600),
            Kind::Drip => {
                let Some(ask) = client.to_ask.front_mut() else { return };
                // The last byte never comes.
                if ask.bytes.len() > 1 {
                    let byte = ask.bytes.remove(0);
                    client.pending.push_back(byte);
                    self.schedule_client(id, S);
                }
            }
            Kind::Pipeline | Kind::Deaf => {
                while let Some(ask) = client.to_ask.pop_front() {
                    client.pending.extend(&ask.bytes);
                    client.asked.push_back(ask);
                }
                client.ended = client.kind == Kind::Pipeline && self.rng.permille(400);
            }
            Kind::Polite | Kind::Hostile | Kind::Vanish => {
                if client.asked.is_empty() {
                    if let Some(ask) = client.to_ask.pop_front() {
                        client.pending.extend(&ask.bytes);
                        client.asked.push_back(ask);
                    }
                }
            }
        }
        self.feed(id);
    }

    /// Lets the engine read what it has room for.
    pub(super) fn feed(&mut self, id: ConnId) {
        let pieces = self.rng.range(1, 4);
        for _ in 0..pieces {
            let room = self.engine.room(id);
            let at = self.at.max(self.seen);
            let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
            if room == 0 {
                return;
            }
            client.touched = at;
            if client.pending.is_empty() {
                if client.ended && !client.end_told {
                    client.end_told = true;
                    self.tell(id, Input::Closed);
                }
                return;
            }
            let most = room.min(client.pending.len());
            let count = if self.rng.permille(600) { most } else { 1 + self.rng.index(most) };
            let bytes: Vec<u8> = client.pending.drain(..count).collect();
            client.first_byte = client.first_byte.or(Some(at));
            self.tell(id, Input::Received(&bytes));
        }
        self.hot.insert(id);
    }

    /// An answer has been made: it is looked at as a whole, at the moment in the order of outputs at
    /// which it was made.
    pub(super) fn read_answer(&mut self, id: ConnId) {
        if !self.engine.knows(id) {
            return;
        }
        let states = worst(&self.models);
        let many = self.models.len() > 1;
        let bytes = self.engine.unsent(id).to_vec();
        let at = self.at.max(self.seen);
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        assert_eq!(client.owing, 0, "one answer at a time");
        let (status, close, body) = split(&bytes);
        client.owing = bytes.len();
        client.touched = at;
        if status == 408 {
            let first = client.first_byte.expect("a request has begun");
            assert!(at >= first + CLIENT_HEAD.as_nanos() as u64, "408 before the time");
            assert!(client.kind == Kind::Drip || client.excused, "{:?} got 408", client.kind);
            client.asked.clear();
            client.over = true;
            return self.tally.add("clients: 408");
        }
        if status == 503 && close && client.excused && body == Some(b"service unavailable\n".as_slice()) {
            client.over = true;
            return self.tally.add("clients: gave up waiting for others");
        }
        let ask =
            client.asked.pop_front().unwrap_or_else(|| panic!("{status} to nothing, {:?}", client.kind));
        if client.asked.is_empty() {
            client.first_byte = None;
        }
        client.over |= close;
        assert!(ask.statuses.contains(&status), "{status} to {}", ask.bytes.escape_ascii());
        assert_eq!(close, ask.last, "{}", ask.bytes.escape_ascii());
        assert_eq!(body.is_none(), ask.head, "{}", ask.bytes.escape_ascii());
        if let Some(body) = body {
            check_body(ask.page, status, body, states, many);
        }
        self.tally.add("clients: answers");
    }

    /// The client takes what it likes of its answer.
    pub(super) fn write_client(&mut self, id: ConnId) {
        // The next answer may have been made by the write before, and not been announced yet.
        self.drain();
        let len = self.engine.unsent(id).len();
        let at = self.at.max(self.seen);
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        if len == 0 {
            return;
        }
        assert_eq!(client.owing, len);
        let count = match client.kind {
            Kind::Deaf => len.min(std::mem::take(&mut client.deaf_after)),
            _ if self.rng.permille(800) => len,
            _ => self.rng.index(len + 1),
        };
        if count == 0 && (client.kind == Kind::Deaf || self.rng.permille(500)) {
            if client.kind != Kind::Deaf {
                self.schedule_client(id, 300 * MS);
            }
            return;
        }
        client.touched = at;
        client.owing -= count;
        if client.owing == 0 {
            client.since = at;
        }
        let done = client.owing == 0;
        self.tell(id, Input::Sent(count));
        if done {
            self.schedule_client(id, 5 * S);
        } else {
            self.schedule_client(id, 300 * MS);
        }
    }

    /// The engine has ended its side: so does the client.
    pub(super) fn hear_shutdown(&mut self, id: ConnId) {
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        assert!(client.over, "ended before the last answer");
        (client.shut, client.touched) = (true, self.at.max(self.seen));
        if client.kind != Kind::Hostile {
            client.ended = true;
            self.schedule_client(id, 500 * MS);
        }
    }

    /// The client that has gone longest without an answer, those that are owed none first.
    pub(super) fn victim(&self) -> Option<ConnId> {
        let clients = self.socks.iter().filter_map(|(id, sock)| match sock {
            Sock::Client(client) if self.engine.knows(*id) => {
                Some((!self.engine.unsent(*id).is_empty(), client.since, *id))
            }
            _ => None,
        });
        clients.min().map(|(_, _, id)| id)
    }

    /// One had to give way.
    pub(super) fn check_evicted(&mut self, victim: Option<ConnId>) {
        let Some(id) = victim else { return };
        assert!(!self.engine.knows(id), "the wrong one, or none, gave way instead of {id:?}");
        self.tally.add("clients: evicted");
        if let Some(Sock::Client(client)) = self.socks.get_mut(&id) {
            client.evicted = true;
        }
    }

    pub(super) fn excuse_clients(&mut self) {
        for sock in self.socks.values_mut() {
            if let Sock::Client(client) = sock {
                client.excused = true;
            }
        }
    }

    /// The engine has closed a client: was that right?
    pub(super) fn check_client_closed(&self, id: ConnId, client: &Client) {
        let idle = self.seen >= client.since + CLIENT_IDLE.as_nanos() as u64;
        if client.evicted || client.excused {
            return;
        }
        match client.kind {
            Kind::Silent => assert!(idle, "{id:?} is closed before its time"),
            Kind::Polite | Kind::Pipeline => {
                assert!(
                    client.asked.is_empty() && client.owing == 0,
                    "{id:?} ({:?}) is not answered",
                    client.kind
                );
                assert!(
                    client.over || client.ended || idle,
                    "{id:?} ({:?}) is closed for nothing",
                    client.kind
                );
            }
            Kind::Drip | Kind::Deaf | Kind::Hostile | Kind::Vanish => {}
        }
    }

    /// No client stays that has done nothing for as long as one may.
    pub(super) fn check_clients_due(&self, now: u64) {
        for (id, sock) in &self.socks {
            let Sock::Client(client) = sock else { continue };
            let patience = match client.owing {
                0 if client.shut => CLIENT_LINGER,
                0 => CLIENT_IDLE,
                _ => CLIENT_STALL,
            };
            let due = client.touched + patience.as_nanos() as u64;
            assert!(due > now, "{id:?} ({:?}) stays for ever", client.kind);
        }
    }

    /// At the end of a turn nothing waits that could go on.
    pub(super) fn check_turn(&self) {
        for (id, sock) in &self.socks {
            let Sock::Client(client) = sock else { continue };
            let waits = !client.pending.is_empty() || client.ended && !client.end_told;
            let stuck = waits && self.engine.room(*id) > 0 && !self.hot.contains(id);
            assert!(!stuck, "{id:?} ({:?}) is not read", client.kind);
        }
    }

    /// Something happens to the machine.
    pub(super) fn chaos(&mut self) {
        match self.rng.below(4) {
            0 => {
                self.next_wall_s += self.rng.range(0, 200_000) as i64 - 100_000;
                if self.rng.permille(100) {
                    self.next_wall_s = -10_000_000_000;
                }
                self.tally.add("clock: stepped");
            }
            1 => self.next_files = self.rng.index(self.plan.files.len()),
            _ if self.plan.weather.local > 0 && self.accept_paused.is_none() => {
                self.drain();
                let victim = self.victim();
                let again = self.call(self.at, |engine, now| engine.handle_accept_failed(true, now));
                self.tally.add("accept: failed");
                assert_eq!(again, victim.is_some());
                self.check_evicted(victim);
                if !again {
                    self.accept_paused = Some(self.seen + ACCEPT_PAUSE.as_nanos() as u64);
                }
            }
            _ => {}
        }
        let after = self.rng.below(4 * S);
        self.schedule(after, Event::Chaos);
    }
}

/// Status, whether it closes, and the body if there is one: exactly one answer.
fn split(bytes: &[u8]) -> (u16, bool, Option<&[u8]>) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
    let status = head.strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse().expect("a status");
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length: usize = field("Content-Length: ").expect("a length").parse().expect("a number");
    assert!(field("Date: ").is_some_and(|date| date.ends_with(" GMT")), "{head}");
    let body = &bytes[end..];
    let close = field("Connection: ") == Some("close");
    if body.is_empty() && length > 0 {
        return (status, close, None);
    }
    assert_eq!(body.len(), length, "{head}");
    (status, close, Some(body))
}

fn check_body(page: Page, status: u16, body: &[u8], state: State, many: bool) {
    match page {
        Page::State => assert_eq!(body, format!("{state}\n").as_bytes()),
        Page::Health if state == State::Up => assert_eq!((status, body), (200, b"ok\n".as_slice())),
        Page::Health => assert_eq!((status, body), (503, format!("{state}\n").as_bytes())),
        Page::Status => {
            let start = format!(
                "{{\n  \"state\": \"{state}\",\n  \"{}\":",
                if many { "counts" } else { "last_event" }
            );
            assert!(body.starts_with(start.as_bytes()) && body.ends_with(b"\n}\n"));
        }
        Page::Other => {}
    }
}
