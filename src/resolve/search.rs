//! One lookup name: its candidate full names are queried in turn, each for A and AAAA in parallel.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::result::Failure;
use crate::wire::dns::{Kind, Name};

use super::failure::{LookupError, NegativeAnswer, list};
use super::names::candidates;
use super::query_plan::{QueryPlan, Resolution};
use super::shared::Shared;
use super::{LookupId, QueryId, QueryInput};

/// How long the addresses of one family wait for those of the other (RFC 8305 section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How much longer the other family is waited for after the first family's addresses are reported.
const LATE_FAMILY_MAX: Duration = Duration::from_secs(1);
/// Queries reserved for a search: one per family.
pub(super) const QUERIES_PER_SEARCH: usize = 2;

pub(super) struct Search {
    /// In lower case; with its final dot if it is absolute.
    pub(super) name: String,
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
}

struct Pair {
    a: QueryPlan,
    aaaa: QueryPlan,
    /// When the family that has answered stops waiting for the other.
    family_deadline: Option<Instant>,
}

pub(super) enum LookupUpdate {
    Found { fresh: Vec<IpAddr>, all: Vec<IpAddr>, ttl_s: u32, complete: bool, last: bool },
    NotFound(Failure),
}

impl Search {
    pub(super) fn new(name: &str) -> Self {
        Search {
            name: name.to_owned(),
            lookups: BTreeSet::new(),
            candidates: Vec::new(),
            multicast: false,
            pair: None,
            partial: None,
            error: None,
            negative: None,
        }
    }

    pub(super) fn start(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        // Only the name as given: names from the search list are sent to the name servers.
        self.multicast = Name::parse(self.shown_name()).is_some_and(|name| name.is_local());
        self.candidates = candidates(&self.name, &shared.conf);
        self.try_next(shared, now);
        self.poll_update(shared, now)
    }

    pub(super) fn expedite(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.a.expedite(now);
        pair.aaaa.expedite(now);
        self.handle_timeout(shared, now)
    }

    pub(super) fn extend(&mut self, gap: Duration) {
        let Some(pair) = &mut self.pair else { return };
        pair.a.extend(gap);
        pair.aaaa.extend(gap);
        pair.family_deadline = pair.family_deadline.map(|at| at + gap);
    }

    /// The addresses reported so far, for a lookup that joins late.
    pub(super) fn partial(&self) -> Option<&[IpAddr]> {
        self.partial.as_deref()
    }

    pub(super) fn queries(&self) -> usize {
        self.pair.as_ref().map_or(QUERIES_PER_SEARCH, |pair| pair.a.queries() + pair.aaaa.queries())
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn longest_stream(&self) -> usize {
        self.pair.as_ref().map_or(0, |pair| pair.a.longest_stream().max(pair.aaaa.longest_stream()))
    }

    pub(super) fn holds(&self, query: QueryId) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.a.holds(query) || pair.aaaa.holds(query))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let pair = self.pair.as_ref()?;
        [pair.a.deadline(), pair.aaaa.deadline(), pair.family_deadline].into_iter().flatten().min()
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
        for server in pair.a.servers().chain(pair.aaaa.servers()) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        let mut text = format!("waiting for {} to resolve {name}", list(&servers));
        let error = pair.a.error().max(pair.aaaa.error());
        if let Some(error) = error.filter(|error| *error > LookupError::Timeout) {
            text += &format!("; {}", error.failure(name, &shared.conf.servers).detail);
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
        pair.a.handle_input(query, input, shared, now);
        pair.aaaa.handle_input(query, input, shared, now);
        self.poll_update(shared, now)
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.a.handle_timeout(shared, now);
        pair.aaaa.handle_timeout(shared, now);
        self.poll_update(shared, now)
    }

    pub(super) fn close(&mut self, shared: &mut Shared) {
        if let Some(pair) = &mut self.pair {
            pair.abort(shared);
        }
    }

    fn try_next(&mut self, shared: &mut Shared, now: Instant) -> bool {
        let multicast = self.multicast;
        self.pair = self.candidates.pop().map(|name| Pair {
            a: QueryPlan::start(name.clone(), Kind::A, multicast, shared, now),
            aaaa: QueryPlan::start(name, Kind::Aaaa, multicast, shared, now),
            family_deadline: None,
        });
        self.pair.is_some()
    }

    fn poll_update(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        loop {
            let pair = self.pair.as_mut()?;
            if !pair.is_answered() {
                if !pair.is_wait_over(now) {
                    return None;
                }
                if let (None, Some((all, ttl_s))) = (&self.partial, pair.found()) {
                    pair.family_deadline = Some(now + LATE_FAMILY_MAX);
                    self.partial = Some(all.clone());
                    return Some(LookupUpdate::Found {
                        fresh: all.clone(),
                        all,
                        ttl_s,
                        complete: false,
                        last: false,
                    });
                }
                pair.abort(shared);
            }
            if let Some((all, ttl_s)) = pair.found() {
                let known = self.partial.take().unwrap_or_default();
                let fresh = all.iter().filter(|address| !known.contains(address)).copied().collect();
                return Some(LookupUpdate::Found {
                    fresh,
                    all,
                    ttl_s,
                    complete: pair.is_complete(),
                    last: true,
                });
            }
            let (negative, error) = pair.reasons();
            self.negative = self.negative.max(negative);
            self.error = self.error.max(error);
            // As in glibc: servers that do not answer for one name are not queried for the next.
            let no_server_answered = matches!(error, Some(LookupError::Unreachable | LookupError::Timeout));
            if no_server_answered || !self.try_next(shared, now) {
                return Some(LookupUpdate::NotFound(self.failure(shared)));
            }
        }
    }

    fn failure(&self, shared: &Shared) -> Failure {
        let name = self.shown_name();
        match self.error {
            Some(error) => error.failure(name, &shared.conf.servers),
            None => self.negative.unwrap_or(NegativeAnswer::Unanswered).failure(name),
        }
    }

    fn shown_name(&self) -> &str {
        self.name.strip_suffix('.').unwrap_or(&self.name)
    }
}

impl Pair {
    fn outcomes(&self) -> [Option<&Resolution>; 2] {
        [self.aaaa.outcome(), self.a.outcome()]
    }

    fn is_answered(&self) -> bool {
        self.outcomes().iter().all(Option::is_some)
    }

    /// Whether both families have been answered, not only ended.
    fn is_complete(&self) -> bool {
        self.outcomes()
            .iter()
            .all(|outcome| matches!(outcome, Some(Resolution::Found(..) | Resolution::Negative(_))))
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
            if let Some(Resolution::Found(addresses, ttl_s)) = outcome {
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
                Some(Resolution::Negative(answer)) => negative = negative.max(Some(*answer)),
                Some(Resolution::Failed(failed)) => error = error.max(Some(*failed)),
                _ => {}
            }
        }
        (negative, if self.is_no_name() { None } else { error })
    }

    /// Whether a server said that the name does not exist. Only the answer for A counts: some servers wrongly
    /// deny existence for AAAA (RFC 4074 section 4.2).
    fn is_no_name(&self) -> bool {
        matches!(self.a.outcome(), Some(Resolution::Negative(NegativeAnswer::NoName(_))))
    }

    fn abort(&mut self, shared: &mut Shared) {
        self.a.abort(shared);
        self.aaaa.abort(shared);
    }
}
