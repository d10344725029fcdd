//! One question, sent to the servers in the order of the [`plan`](super::plan) until one of them answers.
//!
//! The first addresses are final. A negative answer is final only after the servers listed before have had
//! time to answer: many networks list a public server after the one that resolves the local names.
//!
//! An answer that contains an alias without its addresses, as servers without recursion send it, leads to
//! a new question for the alias's target.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::network::is_link_local;
use crate::wire::dns::{CHAIN_MAX, Kind, MessageStream, Name, Question, Reply};

use super::failure::{LookupError, NegativeAnswer};
use super::plan::{self, ROUND_WAIT, SERVER_WAIT};
use super::query::Query;
use super::scope::ScopeId;
use super::shared::Shared;
use super::{QueryId, QueryInput, Transport};

/// How long to collect further multicast answers after the first: a host may answer once per interface.
const GATHER: Duration = Duration::from_millis(50);
const OPEN_MAX: usize = 8;
const ADDRESSES_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// At least one address, and their time to live in seconds.
    Found(Vec<IpAddr>, u32),
    Negative(NegativeAnswer),
    Failed(LookupError),
}

pub(super) struct QueryPlan {
    name: Name,
    kind: Kind,
    scope: ScopeId,
    multicast: bool,
    /// The aliases that led to `name`, at most [`CHAIN_MAX`]. `ttl_s` is their least time to live.
    aliases: Vec<Name>,
    ttl_s: u32,
    sent: usize,
    next_at: Option<Instant>,
    /// In the order of sending, at most [`OPEN_MAX`].
    open: Vec<Query>,
    provisional: Option<Provisional>,
    /// The most specific so far.
    pub(super) error: Option<LookupError>,
    pub(super) outcome: Option<Resolution>,
}

/// An outcome that further answers may replace.
struct Provisional {
    outcome: Resolution,
    /// Only answers to queries before this step may replace it.
    step: usize,
    until: Instant,
}

impl QueryPlan {
    pub(super) fn start(
        name: Name,
        kind: Kind,
        scope: ScopeId,
        multicast: bool,
        shared: &mut Shared,
        now: Instant,
    ) -> Self {
        let mut plan = QueryPlan {
            name,
            kind,
            scope,
            multicast,
            aliases: Vec::new(),
            ttl_s: u32::MAX,
            sent: 0,
            next_at: Some(now),
            open: Vec::new(),
            provisional: None,
            error: None,
            outcome: None,
        };
        if shared.scope(scope).omits(kind, multicast) {
            // The least negative answer, so that the answer for the other family decides.
            plan.finish(Resolution::Negative(NegativeAnswer::Unanswered), shared);
        }
        plan.handle_timeout(shared, now);
        plan
    }

    /// Number of queries in flight; at least 1, which is reserved for this question.
    pub(super) fn queries(&self) -> usize {
        self.open.len().max(1)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn longest_stream(&self) -> usize {
        self.open.iter().map(|query| query.stream.len()).max().unwrap_or_default()
    }

    pub(super) fn holds(&self, query: QueryId) -> bool {
        self.open.iter().any(|open| open.id == query)
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.open.iter().map(|query| query.server)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let provisional = self.provisional.as_ref().map(|provisional| provisional.until);
        let expiries = self.open.iter().map(|query| query.expires);
        expiries.chain(provisional).chain(self.next_at).min()
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
            QueryInput::Failed | QueryInput::FailedLocally(_) => {
                if let QueryInput::FailedLocally(failure) = input {
                    shared.scope_mut(self.scope).local_failure = Some(failure.clone());
                }
                let query = self.open.remove(at);
                let error = match (input, query.transport) {
                    (QueryInput::FailedLocally(_), _) => LookupError::Local,
                    (_, Transport::Tcp) => LookupError::NoStream(query.server),
                    _ => LookupError::Unreachable,
                };
                self.handle_failed_query(&query, error, shared, now);
            }
            QueryInput::Closed => {
                self.reject(at, LookupError::Broken, shared, now);
            }
            QueryInput::Received { from, bytes } => {
                let Some(reply) = self.open[at].receive(from, bytes) else { return };
                shared.scope_mut(self.scope).mark_responsive(self.open[at].server);
                self.handle_reply(at, reply, shared, now);
            }
        }
        self.handle_timeout(shared, now);
    }

    fn handle_reply(&mut self, at: usize, reply: Reply, shared: &mut Shared, now: Instant) {
        match reply {
            Reply::Truncated => self.retry_over_tcp(at, shared, now),
            Reply::NoName => self.handle_negative(at, NegativeAnswer::NoName, shared, now),
            Reply::Addresses { addresses, ttl_s } => self.handle_addresses(at, addresses, ttl_s, shared, now),
            Reply::Alias { target, ttl_s } => self.follow_alias(at, target, ttl_s, shared, now),
            Reply::Refused(code) => {
                self.reject(at, |server| LookupError::Refused(server, code), shared, now);
            }
            Reply::Broken | Reply::Foreign => self.reject(at, LookupError::Broken, shared, now),
        }
    }

    fn reject(
        &mut self,
        at: usize,
        error: impl FnOnce(SocketAddr) -> LookupError,
        shared: &mut Shared,
        now: Instant,
    ) {
        let query = self.close_at(at, shared);
        self.handle_failed_query(&query, error(query.server), shared, now);
    }

    fn follow_alias(&mut self, at: usize, target: Name, ttl_s: u32, shared: &mut Shared, now: Instant) {
        if self.multicast {
            return;
        }
        if target == self.name || self.aliases.contains(&target) || self.aliases.len() == CHAIN_MAX {
            return self.reject(at, LookupError::Broken, shared, now);
        }
        self.close_all(shared);
        self.ttl_s = self.ttl_s.min(ttl_s);
        self.aliases.push(std::mem::replace(&mut self.name, target));
        (self.sent, self.next_at, self.provisional) = (0, Some(now), None);
    }

    fn handle_addresses(
        &mut self,
        at: usize,
        mut addresses: Vec<IpAddr>,
        ttl_s: u32,
        shared: &mut Shared,
        now: Instant,
    ) {
        // They are useless without their interface, which no answer contains.
        addresses.retain(|address| !is_link_local(*address));
        if addresses.is_empty() {
            return self.handle_negative(at, NegativeAnswer::NoData, shared, now);
        }
        if !self.multicast {
            return self.finish(Resolution::Found(addresses, ttl_s.min(self.ttl_s)), shared);
        }
        if let Some(Provisional { outcome: Resolution::Found(gathered, least), .. }) = &mut self.provisional {
            addresses.retain(|address| !gathered.contains(address));
            gathered.extend(addresses);
            gathered.truncate(ADDRESSES_MAX);
            *least = ttl_s.min(*least);
            return;
        }
        self.set_provisional(Resolution::Found(addresses, ttl_s), usize::MAX, now + GATHER);
    }

    fn handle_negative(
        &mut self,
        at: usize,
        negative: fn(SocketAddr) -> NegativeAnswer,
        shared: &mut Shared,
        now: Instant,
    ) {
        if self.multicast {
            return; // Another host may answer with usable addresses.
        }
        let query = self.close_at(at, shared);
        let outcome = Resolution::Negative(negative(query.server));
        let earlier = self.open.iter().filter(|open| open.step < query.step);
        match earlier.map(|open| open.negative_wait_until).max() {
            Some(until) if until > now => self.set_provisional(outcome, query.step, until),
            _ => self.finish(outcome, shared),
        }
    }

    fn set_provisional(&mut self, outcome: Resolution, step: usize, until: Instant) {
        self.provisional = Some(Provisional { outcome, step, until });
        self.next_at = None;
    }

    /// Schedules the next server at once, unless it has been queried already. Errors end the question after
    /// every server has had its attempts; missing replies do not, since packets may be lost.
    fn handle_failed_query(&mut self, query: &Query, error: LookupError, shared: &Shared, now: Instant) {
        let error = if self.multicast { LookupError::NoMulticast } else { error };
        self.error = self.error.max(Some(error));
        if self.next_at.is_none() {
            return;
        }
        if self.sent >= plan::attempts(self.scope, self.multicast, shared) {
            self.next_at = self.next_at.filter(|_| !self.open.is_empty());
        } else if query.step + 1 == self.sent {
            self.next_at = Some(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, now: Instant) {
        while let Some(at) = self.open.iter().position(|query| query.expires <= now) {
            self.drop_unanswered(at, shared, now);
        }
        if self.open.is_empty() {
            self.next_at = self.next_at.map(|_| now);
        }
        if let Some(provisional) = self
            .provisional
            .take_if(|provisional| provisional.until <= now || !provisional.may_change(&self.open))
        {
            return self.finish(provisional.outcome, shared);
        }
        while self.next_at.is_some_and(|at| at <= now) {
            self.send_next(shared, now);
        }
        if self.outcome.is_none() && self.deadline().is_none() {
            let outcome = match self.error {
                Some(LookupError::Timeout) if self.multicast => {
                    Resolution::Negative(NegativeAnswer::Unanswered)
                }
                error => Resolution::Failed(error.unwrap_or(LookupError::Unreachable)),
            };
            self.finish(outcome, shared);
        }
    }

    pub(super) fn abort(&mut self, shared: &mut Shared) {
        if self.outcome.is_none() {
            self.finish(Resolution::Failed(LookupError::Timeout), shared);
        }
    }

    pub(super) fn expedite(&mut self, now: Instant) {
        let soonest = self.open.last().map_or(now, |last| last.sent_at + ROUND_WAIT);
        self.next_at = self.next_at.map(|at| at.min(soonest));
    }

    pub(super) fn extend(&mut self, gap: Duration) {
        self.next_at = self.next_at.map(|at| at + gap);
        if let Some(provisional) = &mut self.provisional {
            provisional.until += gap;
        }
        for query in &mut self.open {
            query.sent_at += gap;
            query.negative_wait_until += gap;
            query.expires += gap;
        }
    }

    fn send_next(&mut self, shared: &mut Shared, now: Instant) {
        let Some(step) = plan::step(self.sent, self.scope, self.multicast, shared, now) else {
            self.next_at = None;
            return;
        };
        if let Some(last) = self.open.last().filter(|last| last.sent_at + SERVER_WAIT <= now) {
            shared.scope_mut(self.scope).mark_unresponsive(last.server, now);
        }
        // The first query is reserved.
        if !self.open.is_empty() {
            if self.open.len() < OPEN_MAX && shared.free_queries > 0 {
                shared.free_queries -= 1;
            } else {
                self.drop_unanswered(0, shared, now);
            }
        }
        let question = self.question(shared, step.transport);
        self.open.push(Query {
            id: shared.open(self.scope, &question, step.transport, step.server),
            step: self.sent,
            transport: step.transport,
            server: step.server,
            question,
            sent_at: now,
            negative_wait_until: now + step.negative_wait,
            expires: now + step.lasts,
            stream: MessageStream::default(),
        });
        self.sent += 1;
        let next = plan::step(self.sent, self.scope, self.multicast, shared, now);
        self.next_at = next.map(|_| now + step.pause);
    }

    fn retry_over_tcp(&mut self, at: usize, shared: &mut Shared, now: Instant) {
        let question = self.question(shared, Transport::Tcp);
        let query = &mut self.open[at];
        if query.transport != Transport::Udp {
            return;
        }
        shared.close(query.id);
        query.id = shared.open(self.scope, &question, Transport::Tcp, query.server);
        query.transport = Transport::Tcp;
        query.question = question;
        query.expires = now + shared.conf(self.scope).timeout;
    }

    fn question(&self, shared: &mut Shared, transport: Transport) -> Question {
        Question {
            id: (shared.random)() as u16,
            name: self.name.clone(),
            kind: self.kind,
            multicast: transport == Transport::Multicast,
        }
    }

    fn drop_unanswered(&mut self, at: usize, shared: &mut Shared, now: Instant) {
        let query = self.close_at(at, shared);
        if query.sent_at + SERVER_WAIT <= now {
            shared.scope_mut(self.scope).mark_unresponsive(query.server, now);
        }
        self.error = self.error.max(Some(LookupError::Timeout));
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

    fn finish(&mut self, outcome: Resolution, shared: &mut Shared) {
        self.close_all(shared);
        self.next_at = None;
        self.provisional = None;
        self.outcome = Some(outcome);
    }
}

impl Provisional {
    fn may_change(&self, open: &[Query]) -> bool {
        matches!(self.outcome, Resolution::Found(..)) || open.iter().any(|query| query.step < self.step)
    }
}
