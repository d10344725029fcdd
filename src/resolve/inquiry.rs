//! One question, sent to the servers in the order of the [`plan`](super::plan) until one of them answers.
//!
//! The first addresses win. A denial only wins once the servers listed before have had their chance
//! to know better: many a network lists a public server behind the one that knows the local names.
//!
//! An answer that holds an alias but not its addresses, as servers without recursion send it, leads to
//! a new question for the alias's target.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::wire::dns::{CHAIN_MAX, Kind, Name, Question, Reply};

use super::failure::{LookupError, NegativeAnswer};
use super::plan::{ROUND_PATIENCE, SERVER_PATIENCE, Step, attempts, step};
use super::query::Query;
use super::shared::Shared;
use super::{QueryId, QueryInput, Transport};

/// For how long further multicast answers are gathered after the first: a host has several
/// interfaces, and each may answer by itself.
const GATHER: Duration = Duration::from_millis(50);
/// How many queries of one question may be in flight.
const OPEN_MAX: usize = 8;
/// How many addresses are gathered from several answers.
const ADDRESSES_MAX: usize = 32;

/// How an inquiry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Addresses, at least one, and for how many seconds they serve.
    Found(Vec<IpAddr>, u32),
    Denied(NegativeAnswer),
    Failed(LookupError),
}

/// One question on its way to an answer.
pub(super) struct QueryPlan {
    name: Name,
    kind: Kind,
    multicast: bool,
    /// The names that led to `name`, at most [`CHAIN_MAX`], and the least time to live of their aliases.
    aliases: Vec<Name>,
    ttl_s: u32,
    /// How many queries have been sent.
    asked: usize,
    /// When the next server is asked if nobody answers.
    next_at: Option<Instant>,
    /// In the order in which they were asked, at most [`OPEN_MAX`].
    open: Vec<Query>,
    held: Option<Held>,
    error: Option<LookupError>,
    outcome: Option<Resolution>,
}

/// An outcome that may still be bettered.
struct Held {
    outcome: Resolution,
    /// By the answers to queries before this one.
    step: usize,
    /// Until then.
    until: Instant,
}

impl QueryPlan {
    /// Asks for the addresses of this kind.
    pub(super) fn start(name: Name, kind: Kind, multicast: bool, shared: &mut Shared, now: Instant) -> Self {
        let mut inquiry = QueryPlan {
            name,
            kind,
            multicast,
            aliases: Vec::new(),
            ttl_s: u32::MAX,
            asked: 0,
            next_at: Some(now),
            open: Vec::new(),
            held: None,
            error: None,
            outcome: None,
        };
        if kind == Kind::Aaaa && shared.conf.no_aaaa && !multicast {
            // The least of all denials, so that the answer for A decides.
            inquiry.settle(Resolution::Denied(NegativeAnswer::Nobody), shared);
        }
        inquiry.handle_timeout(shared, now);
        inquiry
    }

    pub(super) fn outcome(&self) -> Option<&Resolution> {
        self.outcome.as_ref()
    }

    /// The most telling thing that has gone wrong so far.
    pub(super) fn error(&self) -> Option<LookupError> {
        self.error
    }

    /// How many queries it has in flight, or is entitled to.
    pub(super) fn slots(&self) -> usize {
        self.open.len().max(1)
    }

    #[cfg(test)]
    pub(super) fn longest_stream(&self) -> usize {
        self.open.iter().map(|query| query.stream.len()).max().unwrap_or_default()
    }

    pub(super) fn holds(&self, query: QueryId) -> bool {
        self.open.iter().any(|open| open.id == query)
    }

    /// The servers whose answers are waited for.
    pub(super) fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.open.iter().map(|query| query.server)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let held = self.held.as_ref().map(|held| held.until);
        let expiries = self.open.iter().map(|query| query.expires);
        expiries.chain(held).chain(self.next_at).min()
    }

    pub(super) fn handle_input(
        &mut self,
        id: QueryId,
        input: &QueryInput<'_>,
        shared: &mut Shared,
        now: Instant,
    ) {
        let Some(at) = self.open.iter().position(|query| query.id == id) else { return };
        match *input {
            QueryInput::Failed => {
                let query = self.open.remove(at);
                let error = match query.transport {
                    Transport::Tcp => LookupError::NoStream(query.server),
                    _ => LookupError::Unreachable,
                };
                self.miss(&query, error, shared, now);
            }
            QueryInput::Closed => {
                let query = self.close_at(at, shared);
                self.miss(&query, LookupError::Broken(query.server), shared, now);
            }
            QueryInput::Received { from, bytes } => {
                let Some(reply) = self.open[at].receive(from, bytes) else { return };
                shared.mark_prompt(self.open[at].server);
                self.handle_reply(at, reply, shared, now);
            }
        }
        self.handle_timeout(shared, now);
    }

    fn handle_reply(&mut self, at: usize, reply: Reply, shared: &mut Shared, now: Instant) {
        match reply {
            Reply::Truncated => self.ask_over_tcp(at, shared, now),
            Reply::NoName => self.deny(at, NegativeAnswer::NoName, shared, now),
            Reply::Addresses { addresses, ttl_s } => self.find(at, addresses, ttl_s, shared, now),
            Reply::Alias { target, ttl_s } => self.follow(at, target, ttl_s, shared, now),
            Reply::Refused(code) => {
                let query = self.close_at(at, shared);
                self.miss(&query, LookupError::Refused(query.server, code), shared, now);
            }
            Reply::Broken | Reply::Foreign => {
                let query = self.close_at(at, shared);
                self.miss(&query, LookupError::Broken(query.server), shared, now);
            }
        }
    }

    /// The name is an alias of `target`, whose addresses the answer does not hold.
    fn follow(&mut self, at: usize, target: Name, ttl_s: u32, shared: &mut Shared, now: Instant) {
        if self.multicast {
            return;
        }
        if target == self.name || self.aliases.contains(&target) || self.aliases.len() == CHAIN_MAX {
            let query = self.close_at(at, shared);
            return self.miss(&query, LookupError::Broken(query.server), shared, now);
        }
        self.close_all(shared);
        self.ttl_s = self.ttl_s.min(ttl_s);
        self.aliases.push(std::mem::replace(&mut self.name, target));
        (self.asked, self.next_at, self.held) = (0, Some(now), None);
    }

    fn find(&mut self, at: usize, mut addresses: Vec<IpAddr>, ttl_s: u32, shared: &mut Shared, now: Instant) {
        addresses.retain(|address| !is_link_local(*address));
        if addresses.is_empty() {
            return self.deny(at, NegativeAnswer::NoData, shared, now);
        }
        if !self.multicast {
            return self.settle(Resolution::Found(addresses, ttl_s.min(self.ttl_s)), shared);
        }
        if let Some(Held { outcome: Resolution::Found(gathered, least), .. }) = &mut self.held {
            addresses.retain(|address| !gathered.contains(address));
            gathered.extend(addresses);
            gathered.truncate(ADDRESSES_MAX);
            *least = ttl_s.min(*least);
            return;
        }
        self.hold(Resolution::Found(addresses, ttl_s), usize::MAX, now + GATHER);
    }

    /// A server says no: believed once those listed before it have had their chance.
    fn deny(
        &mut self,
        at: usize,
        denial: fn(SocketAddr) -> NegativeAnswer,
        shared: &mut Shared,
        now: Instant,
    ) {
        if self.multicast {
            return; // It is another host, or has no address that can be used; others may have better ones.
        }
        let query = self.close_at(at, shared);
        let outcome = Resolution::Denied(denial(query.server));
        let earlier = self.open.iter().filter(|open| open.step < query.step);
        match earlier.map(|open| open.heeded_until).max() {
            Some(until) if until > now => self.hold(outcome, query.step, until),
            _ => self.settle(outcome, shared),
        }
    }

    fn hold(&mut self, outcome: Resolution, step: usize, until: Instant) {
        self.held = Some(Held { outcome, step, until });
        self.next_at = None;
    }

    /// A query has come to nothing: the next server is asked at once, unless one is already. Errors end
    /// the inquiry once every server has had its attempts; silence does not, the packets may be lost.
    fn miss(&mut self, query: &Query, error: LookupError, shared: &Shared, now: Instant) {
        let error = if self.multicast { LookupError::NoMulticast } else { error };
        self.error = self.error.max(Some(error));
        if self.next_at.is_none() {
            return;
        }
        if self.asked >= attempts(shared, self.multicast) {
            self.next_at = self.next_at.filter(|_| !self.open.is_empty());
        } else if query.step + 1 == self.asked {
            self.next_at = Some(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, now: Instant) {
        while let Some(at) = self.open.iter().position(|query| query.expires <= now) {
            self.drop_silent(at, shared, now);
        }
        if self.open.is_empty() {
            self.next_at = self.next_at.map(|_| now);
        }
        if let Some(held) = self.held.take_if(|held| held.until <= now || !held.may_change(&self.open)) {
            return self.settle(held.outcome, shared);
        }
        while self.next_at.is_some_and(|at| at <= now) {
            self.ask(shared, now);
        }
        if self.outcome.is_none() && self.deadline().is_none() {
            let outcome = match self.error {
                Some(LookupError::Silent) if self.multicast => Resolution::Denied(NegativeAnswer::Nobody),
                error => Resolution::Failed(error.unwrap_or(LookupError::Unreachable)),
            };
            self.settle(outcome, shared);
        }
    }

    /// Nobody waits any longer: whatever has not answered by now is silent.
    pub(super) fn give_up(&mut self, shared: &mut Shared) {
        if self.outcome.is_none() {
            self.settle(Resolution::Failed(LookupError::Silent), shared);
        }
    }

    /// Another lookup waits for this as well: it has not had the time that a long pause takes.
    pub(super) fn hurry(&mut self, now: Instant) {
        let soonest = self.open.last().map_or(now, |last| last.asked + ROUND_PATIENCE);
        self.next_at = self.next_at.map(|at| at.min(soonest));
    }

    /// Moves every deadline by this much.
    pub(super) fn extend(&mut self, gap: Duration) {
        self.next_at = self.next_at.map(|at| at + gap);
        if let Some(held) = &mut self.held {
            held.until += gap;
        }
        for query in &mut self.open {
            query.asked += gap;
            query.heeded_until += gap;
            query.expires += gap;
        }
    }

    fn ask(&mut self, shared: &mut Shared, now: Instant) {
        let Some(step) = self.step(shared, now) else {
            self.next_at = None;
            return;
        };
        if let Some(last) = self.open.last().filter(|last| last.asked + SERVER_PATIENCE <= now) {
            shared.mark_slow(last.server, now);
        }
        self.make_room(shared, now);
        let question = self.question(shared, step.transport);
        self.open.push(Query {
            id: shared.open(&question, step.transport, step.server),
            step: self.asked,
            transport: step.transport,
            server: step.server,
            question,
            asked: now,
            heeded_until: now + step.negative_wait,
            expires: now + step.lasts,
            stream: Vec::new(),
        });
        self.asked += 1;
        self.next_at = self.step(shared, now).map(|_| now + step.pause);
    }

    fn step(&self, shared: &Shared, now: Instant) -> Option<Step> {
        step(self.asked, self.multicast, shared, now)
    }

    /// Makes sure that one more query may be in flight, if need be in place of the oldest.
    fn make_room(&mut self, shared: &mut Shared, now: Instant) {
        if self.open.is_empty() {
            return;
        }
        if self.open.len() < OPEN_MAX && shared.spare > 0 {
            shared.spare -= 1;
            return;
        }
        self.drop_silent(0, shared, now);
    }

    /// The answer did not fit: the same question over TCP, in the place of the query.
    fn ask_over_tcp(&mut self, at: usize, shared: &mut Shared, now: Instant) {
        let question = self.question(shared, Transport::Tcp);
        let query = &mut self.open[at];
        if query.transport != Transport::Udp {
            return;
        }
        shared.close(query.id);
        query.id = shared.open(&question, Transport::Tcp, query.server);
        query.transport = Transport::Tcp;
        query.question = question;
        query.expires = now + shared.conf.timeout;
    }

    fn question(&self, shared: &mut Shared, transport: Transport) -> Question {
        Question {
            id: (shared.random)(),
            name: self.name.clone(),
            kind: self.kind,
            multicast: transport == Transport::Multicast,
        }
    }

    fn drop_silent(&mut self, at: usize, shared: &mut Shared, now: Instant) {
        let query = self.close_at(at, shared);
        if query.asked + SERVER_PATIENCE <= now {
            shared.mark_slow(query.server, now);
        }
        self.error = self.error.max(Some(LookupError::Silent));
    }

    fn close_at(&mut self, at: usize, shared: &mut Shared) -> Query {
        let query = self.open.remove(at);
        shared.close(query.id);
        query
    }

    fn close_all(&mut self, shared: &mut Shared) {
        for query in self.open.drain(..) {
            shared.close(query.id);
        }
    }

    fn settle(&mut self, outcome: Resolution, shared: &mut Shared) {
        self.close_all(shared);
        self.next_at = None;
        self.held = None;
        self.outcome = Some(outcome);
    }
}

impl Held {
    fn may_change(&self, open: &[Query]) -> bool {
        matches!(self.outcome, Resolution::Found(..)) || open.iter().any(|query| query.step < self.step)
    }
}

/// An IPv6 address that means nothing without the interface it belongs to, which no answer tells.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80)
}
