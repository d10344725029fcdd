//! One name on its way to its addresses: the full names it may stand for, one after the other, each
//! asked for in both families side by side.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::result::Failure;
use crate::wire::dns::{Kind, Name};

use super::failure::{LookupError, NegativeAnswer, list};
use super::inquiry::{QueryPlan, Resolution};
use super::names::candidates;
use super::shared::Shared;
use super::{LookupId, QueryId, QueryInput};

/// How long the addresses of one family wait for those of the other (RFC 8305 section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long the other family is still waited for after that.
const LATE_FAMILY_MAX: Duration = Duration::from_secs(1);
/// The queries a search is entitled to: one per family.
pub(super) const SLOTS: usize = 2;

/// A name being resolved, for everybody who asked for it.
pub(super) struct Search {
    /// In lower case; with its final dot if it is absolute.
    pub(super) name: String,
    pub(super) lookups: BTreeSet<LookupId>,
    /// Full names not tried yet, the next one last.
    candidates: Vec<Name>,
    multicast: bool,
    /// The full name being tried; `None` before the start.
    pair: Option<Pair>,
    /// The addresses handed over while the other family has not answered.
    partial: Option<Vec<IpAddr>>,
    error: Option<LookupError>,
    denial: Option<NegativeAnswer>,
}

/// One full name, asked for in both families.
struct Pair {
    a: QueryPlan,
    aaaa: QueryPlan,
    /// When the family that has answered stops waiting for the other.
    enough_at: Option<Instant>,
}

/// What a search has come to.
pub(super) enum LookupUpdate {
    Found {
        /// Addresses not handed over before.
        fresh: Vec<IpAddr>,
        /// All addresses there are.
        all: Vec<IpAddr>,
        ttl_s: u32,
        /// Whether both families have answered.
        whole: bool,
        /// Whether the search is over.
        last: bool,
    },
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
            denial: None,
        }
    }

    /// Sends the first queries.
    pub(super) fn start(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        // Only as typed: names from the search list go to the name servers, whatever they end in.
        self.multicast = Name::parse(self.shown_name()).is_some_and(|name| name.is_local());
        self.candidates = candidates(&self.name, &shared.conf);
        self.try_next(shared, now);
        self.news(shared, now)
    }

    /// Another lookup joins: silent servers are asked again soon.
    pub(super) fn hurry(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.a.hurry(now);
        pair.aaaa.hurry(now);
        self.handle_timeout(shared, now)
    }

    /// Moves every deadline by this much.
    pub(super) fn extend(&mut self, gap: Duration) {
        let Some(pair) = &mut self.pair else { return };
        pair.a.extend(gap);
        pair.aaaa.extend(gap);
        pair.enough_at = pair.enough_at.map(|at| at + gap);
    }

    /// The addresses handed over so far, for somebody who joins late.
    pub(super) fn partial(&self) -> Option<&[IpAddr]> {
        self.partial.as_deref()
    }

    /// How many queries it has in flight, or is entitled to.
    pub(super) fn slots(&self) -> usize {
        self.pair.as_ref().map_or(SLOTS, |pair| pair.a.slots() + pair.aaaa.slots())
    }

    #[cfg(test)]
    pub(super) fn longest_stream(&self) -> usize {
        self.pair.as_ref().map_or(0, |pair| pair.a.longest_stream().max(pair.aaaa.longest_stream()))
    }

    pub(super) fn holds(&self, query: QueryId) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.a.holds(query) || pair.aaaa.holds(query))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let pair = self.pair.as_ref()?;
        [pair.a.deadline(), pair.aaaa.deadline(), pair.enough_at].into_iter().flatten().min()
    }

    /// What is being waited for, and what has gone wrong meanwhile.
    pub(super) fn describe(&self, shared: &Shared) -> String {
        let name = self.shown_name();
        let Some(pair) = &self.pair else {
            return format!("waiting for other names to be resolved before {name}");
        };
        if self.multicast {
            return format!("waiting for somebody on the local network to answer to {name}");
        }
        let mut servers: Vec<SocketAddr> = Vec::new();
        for server in pair.a.servers().chain(pair.aaaa.servers()) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        let mut text = format!("waiting for {} to resolve {name}", list(&servers));
        let error = pair.a.error().max(pair.aaaa.error());
        if let Some(error) = error.filter(|error| *error > LookupError::Silent) {
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
        self.news(shared, now)
    }

    pub(super) fn handle_timeout(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        let pair = self.pair.as_mut()?;
        pair.a.handle_timeout(shared, now);
        pair.aaaa.handle_timeout(shared, now);
        self.news(shared, now)
    }

    /// Closes whatever is open: nobody waits any more.
    pub(super) fn close(&mut self, shared: &mut Shared) {
        if let Some(pair) = &mut self.pair {
            pair.give_up(shared);
        }
    }

    fn try_next(&mut self, shared: &mut Shared, now: Instant) -> bool {
        let multicast = self.multicast;
        self.pair = self.candidates.pop().map(|name| Pair {
            a: QueryPlan::start(name.clone(), Kind::A, multicast, shared, now),
            aaaa: QueryPlan::start(name, Kind::Aaaa, multicast, shared, now),
            enough_at: None,
        });
        self.pair.is_some()
    }

    /// What the answers so far amount to; goes on to the next full name when they amount to nothing.
    fn news(&mut self, shared: &mut Shared, now: Instant) -> Option<LookupUpdate> {
        loop {
            let pair = self.pair.as_mut()?;
            if !pair.is_answered() {
                if !pair.is_enough(now) {
                    return None;
                }
                if let (None, Some((all, ttl_s))) = (&self.partial, pair.found()) {
                    pair.enough_at = Some(now + LATE_FAMILY_MAX);
                    self.partial = Some(all.clone());
                    return Some(LookupUpdate::Found {
                        fresh: all.clone(),
                        all,
                        ttl_s,
                        whole: false,
                        last: false,
                    });
                }
                pair.give_up(shared);
            }
            if let Some((all, ttl_s)) = pair.found() {
                let known = self.partial.take().unwrap_or_default();
                let fresh = all.iter().filter(|address| !known.contains(address)).copied().collect();
                return Some(LookupUpdate::Found { fresh, all, ttl_s, whole: pair.is_whole(), last: true });
            }
            let (denial, error) = pair.denied();
            self.denial = self.denial.max(denial);
            self.error = self.error.max(error);
            // As in glibc: servers that do not answer will not do so for the next name either.
            let is_hopeless = matches!(error, Some(LookupError::Unreachable | LookupError::Silent));
            if is_hopeless || !self.try_next(shared, now) {
                return Some(LookupUpdate::NotFound(self.failure(shared)));
            }
        }
    }

    fn failure(&self, shared: &Shared) -> Failure {
        let name = self.shown_name();
        match self.error {
            Some(error) => error.failure(name, &shared.conf.servers),
            None => self.denial.unwrap_or(NegativeAnswer::Nobody).failure(name),
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

    /// Whether both families have really answered.
    fn is_whole(&self) -> bool {
        self.outcomes()
            .iter()
            .all(|outcome| matches!(outcome, Some(Resolution::Found(..) | Resolution::Denied(_))))
    }

    /// Whether the family that has answered has waited long enough for the other. It only stops
    /// waiting if it has addresses, or if the name does not exist.
    fn is_enough(&mut self, now: Instant) -> bool {
        if !self.is_no_name() && self.found().is_none() {
            return false;
        }
        *self.enough_at.get_or_insert(now + RESOLUTION_DELAY) <= now
    }

    /// The addresses found so far, those of IPv6 first, and for how long they serve.
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

    /// Why there are none.
    fn denied(&self) -> (Option<NegativeAnswer>, Option<LookupError>) {
        let (mut denial, mut error) = (None, None);
        for outcome in self.outcomes() {
            match outcome {
                Some(Resolution::Denied(said)) => denial = denial.max(Some(*said)),
                Some(Resolution::Failed(met)) => error = error.max(Some(*met)),
                _ => {}
            }
        }
        (denial, if self.is_no_name() { None } else { error })
    }

    /// Whether a server said that the name does not exist. That is believed of an answer for A: for
    /// AAAA some servers say so wrongly (RFC 4074 section 4.2).
    fn is_no_name(&self) -> bool {
        matches!(self.a.outcome(), Some(Resolution::Denied(NegativeAnswer::NoName(_))))
    }

    fn give_up(&mut self, shared: &mut Shared) {
        self.a.give_up(shared);
        self.aaaa.give_up(shared);
    }
}
