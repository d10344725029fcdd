//! One lookup name: its candidate full names are queried in turn, each for A and AAAA in parallel.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::result::Failure;
use crate::wire::dns::{Kind, Name};

use super::failure::{LookupError, NegativeAnswer, list};
use super::names::candidates;
use super::query_plan::{QueryPlan, Resolution};
use super::scope::ScopeId;
use super::shared::Shared;
use super::{LookupId, QueryId, QueryInput};

/// How long the addresses of one family wait for those of the other (RFC 8305 section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How much longer the other family is waited for after the first family's addresses are reported.
const LATE_FAMILY_MAX: Duration = Duration::from_secs(1);
/// The longest time an answer is cached, in seconds.
const TTL_S_MAX: u32 = 300;
/// The same for an answer with one family, if no server answered for the other.
const PARTIAL_TTL_S_MAX: u32 = 30;
/// How long lookups wait for fresh addresses before they get held ones.
const HELD_WAIT: Duration = Duration::from_millis(500);
/// Queries reserved for a search: one per family.
pub(super) const QUERIES_PER_SEARCH: usize = 2;

pub(super) struct Search {
    /// In lower case; with its final dot if it is absolute.
    pub(super) name: String,
    pub(super) scope: ScopeId,
    pub(super) lookups: BTreeSet<LookupId>,
    /// Full names not queried yet, in reverse order.
    candidates: Vec<Name>,
    multicast: bool,
    /// The full name being queried; `None` before the start.
    pair: Option<Pair>,
    /// The addresses reported before the other family has answered.
    partial: Option<Vec<IpAddr>>,
    error: Option<LookupError>,
    negative: Option<NegativeAnswer>,
    /// Addresses that have expired, for lookups that cannot be answered otherwise, and when they are used at the latest.
    pub(super) held: Option<(Vec<IpAddr>, Instant)>,
}

struct Pair {
    /// For A and AAAA.
    plans: [QueryPlan; 2],
    /// When the family that has answered stops waiting for the other.
    family_deadline: Option<Instant>,
}

pub(super) enum LookupUpdate {
    /// `complete`, once the search is over: all addresses, and how long to cache them, in seconds.
    Found { fresh: Vec<IpAddr>, complete: Option<(Vec<IpAddr>, u32)> },
    NotFound {
        failure: Failure,
        /// A name server has answered that there are no addresses.
        is_answer: bool,
    },
}

impl Search {
    pub(super) fn new(name: &str, scope: ScopeId, held: Option<Vec<IpAddr>>, now: Instant) -> Self {
        Search {
            name: name.to_owned(),
            scope,
            lookups: BTreeSet::new(),
            candidates: Vec::new(),
            multicast: false,
            pair: None,
            partial: None,
            error: None,
            negative: None,
            held: held.map(|addresses| (addresses, now + HELD_WAIT)),
        }
    }

    /// Whether the search continues without lookups, so that its answer can be cached.
    pub(super) fn continues(&self) -> bool {
        self.partial.is_some() || self.held.is_some()
    }

    pub(super) fn start(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        // Only the name as given: names from the search list are sent to the name servers.
        self.multicast = Name::parse(self.shown_name()).is_some_and(|name| name.is_local());
        self.candidates = candidates(&self.name, shared.conf(self.scope));
        self.try_next(shared, now);
        self.poll_update(shared, now)
    }

    pub(super) fn expedite(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.plans.iter_mut().for_each(|plan| plan.expedite(now));
        self.handle_timeout(shared, now)
    }

    pub(super) fn extend(&mut self, gap: Duration) {
        let Some(pair) = &mut self.pair else { return };
        pair.plans.iter_mut().for_each(|plan| plan.extend(gap));
        pair.family_deadline = pair.family_deadline.map(|at| at + gap);
    }

    /// The addresses reported so far, for a lookup that joins late.
    pub(super) fn partial(&self) -> Option<&[IpAddr]> {
        self.partial.as_deref()
    }

    pub(super) fn queries(&self) -> usize {
        self.pair.as_ref().map_or(QUERIES_PER_SEARCH, |pair| pair.plans.iter().map(QueryPlan::queries).sum())
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn longest_stream(&self) -> usize {
        self.pair.iter().flat_map(|pair| &pair.plans).map(QueryPlan::longest_stream).max().unwrap_or_default()
    }

    pub(super) fn holds(&self, query: QueryId) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.plans.iter().any(|plan| plan.holds(query)))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let pair = self.pair.as_ref()?;
        pair.plans.iter().filter_map(QueryPlan::deadline).chain(pair.family_deadline).min()
    }

    /// The servers waited for and the most specific error so far, as one sentence.
    pub(super) fn describe(&self, shared: &Shared) -> String {
        let name = self.shown_name();
        let Some(pair) = &self.pair else {
            return format!("waiting for other names to be resolved before {name}");
        };
        if self.multicast {
            return format!("waiting for a host on the local network to answer to {name}");
        }
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in pair.plans.iter().flat_map(QueryPlan::servers) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        let mut text = format!("waiting for {} to resolve {name}", list(&servers));
        let error = pair.plans.iter().filter_map(|plan| plan.error).max();
        if let Some(error) = error.filter(|error| *error > LookupError::Timeout) {
            text += &format!("; {}", error.failure(name, &shared.conf(self.scope).servers).detail);
        }
        text
    }

    pub(super) fn handle_input(
        &mut self,
        query: QueryId,
        input: &QueryInput<'_>,
        shared: &mut Shared,
        now: Instant,
    ) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.plans.iter_mut().for_each(|plan| plan.handle_input(query, input, shared, now));
        self.poll_update(shared, now)
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.plans.iter_mut().for_each(|plan| plan.handle_timeout(shared, now));
        self.poll_update(shared, now)
    }

    pub(super) fn close(&mut self, shared: &mut Shared) {
        if let Some(pair) = &mut self.pair {
            pair.plans.iter_mut().for_each(|plan| plan.abort(shared));
        }
    }

    fn try_next(&mut self, shared: &mut Shared, now: Instant) -> bool {
        let (scope, multicast) = (self.scope, self.multicast);
        self.pair = self.candidates.pop().map(|name| Pair {
            plans: [Kind::A, Kind::Aaaa]
                .map(|kind| QueryPlan::start(name.clone(), kind, scope, multicast, shared, now)),
            family_deadline: None,
        });
        self.pair.is_some()
    }

    fn poll_update(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        loop {
            let pair = self.pair.as_mut()?;
            if pair.outcomes().count() < pair.plans.len() {
                if !pair.is_wait_over(now) {
                    return None;
                }
                if let (None, Some((fresh, _))) = (&self.partial, pair.found()) {
                    pair.family_deadline = Some(now + LATE_FAMILY_MAX);
                    self.partial = Some(fresh.clone());
                    return Some(LookupUpdate::Found { fresh, complete: None });
                }
                self.close(shared);
                continue;
            }
            if let Some((all, ttl_s)) = pair.found() {
                let known = self.partial.take().unwrap_or_default();
                let fresh = all.iter().filter(|address| !known.contains(address)).copied().collect();
                let ttl_s = ttl_s.min(if pair.is_complete() { TTL_S_MAX } else { PARTIAL_TTL_S_MAX });
                return Some(LookupUpdate::Found { fresh, complete: Some((all, ttl_s)) });
            }
            let (negative, error) = pair.reasons();
            self.negative = self.negative.max(negative);
            self.error = self.error.max(error);
            // As in glibc: servers that do not answer for one name are not queried for the next.
            let no_server_answered =
                matches!(error, Some(LookupError::Local | LookupError::Unreachable | LookupError::Timeout));
            if no_server_answered || !self.try_next(shared, now) {
                let is_answer = self.error.is_none() && self.negative > Some(NegativeAnswer::Unanswered);
                return Some(LookupUpdate::NotFound { failure: self.failure(shared), is_answer });
            }
        }
    }

    fn failure(&self, shared: &Shared) -> Failure {
        let name = self.shown_name();
        match self.error {
            Some(error) => {
                let scope = shared.scope(self.scope);
                let local = scope.local_failure.clone().filter(|_| error == LookupError::Local);
                local.unwrap_or_else(|| error.failure(name, &scope.conf.servers))
            }
            None => self.negative.unwrap_or(NegativeAnswer::Unanswered).failure(name),
        }
    }

    fn shown_name(&self) -> &str {
        self.name.strip_suffix('.').unwrap_or(&self.name)
    }
}

impl Pair {
    /// Those for AAAA come first.
    fn outcomes(&self) -> impl Iterator<Item = &Resolution> {
        self.plans.iter().rev().filter_map(|plan| plan.outcome.as_ref())
    }

    /// Whether both families have been answered, not only ended.
    fn is_complete(&self) -> bool {
        self.outcomes().all(|outcome| !matches!(outcome, Resolution::Failed(_)))
    }

    /// Whether the family that has answered has waited long enough for the other. The wait is limited only
    /// if there are addresses, or if the name does not exist.
    fn is_wait_over(&mut self, now: Instant) -> bool {
        if !self.is_no_name() && self.found().is_none() {
            return false;
        }
        *self.family_deadline.get_or_insert(now + RESOLUTION_DELAY) <= now
    }

    /// The addresses found so far, IPv6 first, and their least time to live in seconds.
    fn found(&self) -> Option<(Vec<IpAddr>, u32)> {
        let mut all = Vec::new();
        let mut least = u32::MAX;
        for outcome in self.outcomes() {
            if let Resolution::Found(addresses, ttl_s) = outcome {
                all.extend(addresses);
                least = least.min(*ttl_s);
            }
        }
        if all.is_empty() { None } else { Some((all, least)) }
    }

    fn reasons(&self) -> (Option<NegativeAnswer>, Option<LookupError>) {
        let (mut negative, mut error) = (None, None);
        for outcome in self.outcomes() {
            match outcome {
                Resolution::Negative(answer) => negative = negative.max(Some(*answer)),
                Resolution::Failed(failed) => error = error.max(Some(*failed)),
                Resolution::Found(..) => {}
            }
        }
        (negative, if self.is_no_name() { None } else { error })
    }

    /// Whether a server said that the name does not exist. Only the answer for A counts: some servers wrongly
    /// deny existence for AAAA (RFC 4074 section 4.2).
    fn is_no_name(&self) -> bool {
        matches!(self.plans[0].outcome, Some(Resolution::Negative(NegativeAnswer::NoName(_))))
    }
}
