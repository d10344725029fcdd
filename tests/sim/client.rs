//! The API's clients: honest, silent, slow, deaf and hostile ones, and what each must be told.

use std::collections::VecDeque;

use super::follow::Follow;
use super::plan::{Flood, MS, S};
use super::requests::Ask;
use super::world::{Event, Sock, World};
use crate::engine::limits::STREAMS_MAX;
use crate::engine::{ConnId, Input};
use crate::result::Reason;

/// How often the clients of a flood ask.
pub(super) const FLOOD: u64 = 12;

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

/// A client's connection.
pub(super) struct Client {
    pub(super) kind: Kind,
    pub(super) came: u64,
    /// When it last got a whole answer, or came.
    pub(super) since: u64,
    /// When anything last happened between it and the engine.
    pub(super) touched: u64,
    /// When the first byte of the request that it is sending was read.
    pub(super) first_byte: Option<u64>,
    pub(super) to_ask: VecDeque<Ask>,
    /// What it has asked, or begun to, and not been answered.
    pub(super) asked: VecDeque<Ask>,
    /// Bytes that the engine has not read.
    pub(super) pending: VecDeque<u8>,
    pub(super) ended: bool,
    pub(super) end_told: bool,
    /// The bytes of the answer on its way that it has not taken.
    pub(super) owing: usize,
    pub(super) deaf_after: usize,
    /// The last answer has come.
    pub(super) over: bool,
    /// The engine has ended its side.
    pub(super) shut: bool,
    /// Not to be held against the engine: the loop itself was late, or it gave way by the rule.
    pub(super) excused: bool,
    pub(super) evicted: bool,
    /// What it is told, if it is told of what comes.
    pub(super) follow: Option<Follow>,
}

impl Client {
    pub(super) fn reports(&self) -> bool {
        self.asked.iter().any(|ask| ask.report.is_some())
    }
}

impl World {
    /// A client comes, if the door is open.
    pub(super) fn knock(&mut self) {
        let by_clients = |flood: &Flood| !matches!(flood, Flood::ResolverConfig | Flood::Programs);
        let flood = self.plan.flood.filter(by_clients);
        let quarters = if flood == Some(Flood::Waits) { 1 } else { 3 };
        if let Some(flood) = flood.filter(|_| self.turns > self.plan.turns * quarters / 4) {
            self.plan.flood = None;
            let (kind, count, requests) = match flood {
                Flood::Silent => (Kind::Silent, 300, 0),
                Flood::Deaf | Flood::ResolverConfig | Flood::Programs => (Kind::Deaf, 100, FLOOD),
                Flood::Waits => (Kind::Polite, STREAMS_MAX + 20, 0),
            };
            for _ in 0..count {
                let id = self.enter(kind, requests);
                if flood == Flood::Waits {
                    self.wait_for_long(id);
                }
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
        let longest = match self.rng.permille(200) {
            _ if self.plan.busy => 200 * MS,
            true => 8 * S,
            false => 900 * MS,
        };
        let after = self.rng.below(longest);
        self.schedule(after, Event::Knock);
    }

    /// It asks at once for a state that is not there soon.
    fn wait_for_long(&mut self, id: ConnId) {
        self.is_crowded = true;
        let ask = self.ask_to_wait();
        if let Some(Sock::Client(client)) = self.socks.get_mut(&id) {
            client.pending.extend(&ask.bytes);
            client.asked.push_back(ask);
        }
        // It has nothing else to do, and the turns are for others.
        self.events.retain(|_, event| !matches!(event, Event::Client(other) if *other == id));
        while matches!(self.socks.get(&id), Some(Sock::Client(client)) if !client.pending.is_empty()) {
            self.feed(id);
        }
        self.drain();
    }

    pub(super) fn enter(&mut self, kind: Kind, requests: u64) -> ConnId {
        self.drain();
        let is_one =
            |(id, sock): &(&ConnId, &Sock)| matches!(sock, Sock::Client(_)) && !self.engine.is_stream(**id);
        let full = self.socks.iter().filter(is_one).count() >= self.plan.shares.clients;
        let victim = if full { self.victim(false) } else { None };
        let id = self.call(self.at, |engine, now| engine.accept(now));
        self.check_evicted(victim);
        let flood = requests == FLOOD;
        let mut to_ask: VecDeque<Ask> = (0..requests).map(|_| self.ask(kind, flood)).collect();
        if let Some(last) = to_ask.iter().position(|ask| ask.last || ask.wish.is_some()) {
            to_ask.truncate(last + 1);
        }
        let client = Client {
            kind,
            came: self.seen,
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
            follow: None,
        };
        self.take_in(id, Sock::Client(Box::new(client)));
        self.counters.add("clients: accepted");
        self.drain();
        self.schedule_client(id, 2 * S);
        id
    }

    fn schedule_client(&mut self, id: ConnId, within: u64) {
        if let Some(Sock::Client(client)) = self.socks.get_mut(&id) {
            if let Some(follow) = &mut client.follow {
                if std::mem::replace(&mut follow.stepping, true) {
                    return;
                }
                if follow.slow {
                    let after = self.rng.below(within);
                    return self.schedule(after, Event::Client(id));
                }
            }
        }
        let after = if self.rng.permille(700) { self.rng.below(5 * MS) } else { self.rng.below(within) };
        self.schedule(after, Event::Client(id));
    }

    /// The client's next step.
    pub(super) fn go_on(&mut self, id: ConnId) {
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        if client.follow.is_some() {
            return self.go_on_stream(id);
        }
        if client.owing > 0 && client.kind != Kind::Deaf {
            return self.write_client(id);
        }
        let is_over = client.over || client.to_ask.is_empty() && client.asked.is_empty();
        if client.kind == Kind::Vanish && self.rng.permille(300) {
            self.counters.add("clients: vanished");
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
            if client.follow.is_none() {
                client.touched = at;
            }
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

    /// The client takes what it likes of its answer.
    pub(super) fn write_client(&mut self, id: ConnId) {
        // The next answer may have been made by the write before, and not been announced yet.
        self.drain();
        let (len, owing) = (self.engine.unsent(id).len(), self.engine.response(id).len());
        let at = self.at.max(self.seen);
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        if len == 0 {
            return;
        }
        assert_eq!(client.owing, owing);
        let count = match client.kind {
            Kind::Deaf => len.min(std::mem::take(&mut client.deaf_after)),
            _ if client.follow.as_ref().is_some_and(|follow| follow.slow) => 1 + self.rng.index(len.min(200)),
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
        let is_slow = client.follow.as_ref().is_some_and(|follow| follow.slow);
        self.tell(id, Input::Sent(count));
        if done {
            self.schedule_client(id, 5 * S);
        } else {
            self.schedule_client(id, if is_slow { 4 * S } else { 300 * MS });
        }
    }

    /// The engine has ended its side: so does the client.
    pub(super) fn hear_shutdown(&mut self, id: ConnId) {
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        assert!(client.over, "ended before the last answer");
        (client.shut, client.touched) = (true, self.at.max(self.seen));
        if client.kind != Kind::Hostile {
            client.ended = true;
            if client.follow.is_some() {
                // It is read all the time.
                self.hot.insert(id);
            }
            self.schedule_client(id, 500 * MS);
        }
    }
}
