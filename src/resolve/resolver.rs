//! The resolver: local answers, running searches, and the lookups that wait for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::network::Network;
use crate::result::Failure;
use crate::wire::dns::Name;

use super::cache::Cache;
use super::conf::Conf;
use super::failure;
use super::hosts::Hosts;
use super::names;
use super::scope::{Scope, ScopeId};
use super::search::{LookupUpdate, QUERIES_PER_SEARCH, Search};
use super::shared::Shared;
use super::{LookupId, Output, QueryId, QueryInput, Random, SearchId};

/// Default limit of queries in flight, each with a socket of its own. Further searches are queued.
pub(crate) const QUERIES_MAX: usize = 128;
pub(crate) const LOOKUPS_MAX: usize = 65_536;

/// How long a search continues whose lookups have got held addresses.
const REFRESH_MAX: Duration = Duration::from_secs(10);

const HOSTS_CUT: &str = "hosts file: only the first 8 MiB and 1048576 names are used; \
    put longer block lists into a name server";

pub(crate) struct Resolver {
    shared: Shared,
    own_servers: Vec<SocketAddr>,
    hosts: Hosts,
    note: Option<String>,
    hold: Duration,
    searches: BTreeMap<SearchId, Box<Search>>,
    running: BTreeSet<SearchId>,
    waiting: BTreeSet<SearchId>,
    lookups: BTreeMap<LookupId, SearchId>,
    /// Searches with held addresses, in the order of the time at which these are used.
    held: VecDeque<(Instant, SearchId)>,
    /// Searches whose held addresses are used, and when they end.
    refreshing: VecDeque<(Instant, SearchId)>,
    next_lookup: u64,
    next_search: u64,
    queries_max: usize,
    last_now: Option<Instant>,
}

impl Resolver {
    /// Queries `servers`, or those of resolv.conf if the list is empty. Names of one label below `local` are
    /// queried by multicast DNS at `mdns` (224.0.0.251:5353).
    pub(crate) fn new(servers: Vec<SocketAddr>, mdns: SocketAddr, random: Random) -> Self {
        let mut resolver = Resolver {
            shared: Shared::new(mdns, random),
            own_servers: servers,
            hosts: Hosts::default(),
            note: None,
            hold: Duration::ZERO,
            searches: BTreeMap::new(),
            running: BTreeSet::new(),
            waiting: BTreeSet::new(),
            lookups: BTreeMap::new(),
            held: VecDeque::new(),
            refreshing: VecDeque::new(),
            next_lookup: 0,
            next_search: 0,
            queries_max: QUERIES_MAX,
            last_now: None,
        };
        resolver.set_resolv_conf(b"");
        resolver
    }

    /// Limits the queries in flight to `max` instead of [`QUERIES_MAX`]. At least two are needed.
    pub(crate) fn limit_queries(&mut self, max: usize) {
        self.queries_max = max;
    }

    /// How long the last addresses of a name are used after they have expired, while it cannot be resolved. Default: 0.
    pub(crate) fn set_hold(&mut self, hold: Duration) {
        self.hold = hold;
        self.shared.scopes.iter_mut().for_each(|scope| scope.cache = Cache::new(hold));
    }

    /// The first of the configured name servers, and the network settings of its queries.
    pub(crate) fn name_server(
        &mut self,
        network: Option<&Arc<Network>>,
    ) -> (SocketAddr, Option<Arc<Network>>) {
        let id = self.scope(network);
        let scope = self.shared.scope(id);
        // There is always one: see `Conf`.
        let server = scope.conf.servers.first().copied().unwrap_or(self.shared.mdns);
        (server, scope.network_for(server).cloned())
    }

    /// A log line about lookups with network settings that were used for the first time.
    pub(crate) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// A number from the same source as the ids of queries.
    pub(crate) fn random(&mut self) -> u64 {
        (self.shared.random)()
    }

    /// Returns a log line if only part of `text` is used.
    pub(crate) fn set_hosts(&mut self, text: impl Into<Vec<u8>>) -> Option<String> {
        // Free the old names first: memory may not suffice for both.
        self.hosts = Hosts::default();
        self.hosts = Hosts::parse(text);
        self.hosts.is_cut.then(|| HOSTS_CUT.to_owned())
    }

    /// Returns a log line per unused entry, at most 8.
    pub(crate) fn set_resolv_conf(&mut self, text: &[u8]) -> Vec<String> {
        let (conf, notes) = Conf::parse(text, &self.own_servers);
        for scope in &mut self.shared.scopes {
            let conf = conf.clone().with_servers(scope.servers());
            scope.set_conf(conf, self.hold);
        }
        notes
    }

    /// Starts a lookup of `name`: a name, or an IP address with or without brackets. Every result, also an
    /// immediate one, is returned by [`Resolver::poll_output`].
    pub(crate) fn lookup(&mut self, name: &str, network: Option<&Arc<Network>>, now: Instant) -> LookupId {
        self.last_now = Some(now);
        let lookup = LookupId(self.next_lookup);
        self.next_lookup += 1;
        let scope = self.scope(network);
        match self.local_answer(name, scope, now) {
            Some(Ok(addresses)) => {
                self.shared.outbox.push_back(Output::Found { lookup, addresses, last: true, held: false })
            }
            Some(Err(failure)) => self.shared.outbox.push_back(Output::NotFound { lookup, failure }),
            None => self.search(lookup, &name.to_ascii_lowercase(), scope, now),
        }
        lookup
    }

    /// The scope of these settings: a new one replaces one that is no longer in use.
    fn scope(&mut self, network: Option<&Arc<Network>>) -> ScopeId {
        let Some(network) = network.filter(|network| Scope::is_needed_for(network)) else {
            return ScopeId::default();
        };
        let scopes = &mut self.shared.scopes;
        if let Some(known) = scopes.iter().position(|scope| scope.network.as_ref() == Some(network)) {
            return ScopeId(known);
        }
        let place = scopes.iter().position(Scope::is_unused).unwrap_or(scopes.len());
        let conf = scopes[0].conf.clone().with_servers(&network.servers);
        let scope = Scope::new(network.clone(), conf, self.hold);
        self.note = scope.note();
        match scopes.get_mut(place) {
            Some(unused) => *unused = scope,
            None => scopes.push(scope),
        }
        ScopeId(place)
    }

    /// Cancels a lookup. Its queries are closed unless other lookups wait for them or one family has been
    /// found: then the search continues for at most 1 s, so that the complete answer can be cached.
    pub(crate) fn cancel(&mut self, lookup: LookupId) {
        let Some(id) = self.lookups.remove(&lookup) else { return };
        let Some(search) = self.searches.get_mut(&id) else { return };
        search.lookups.remove(&lookup);
        if search.lookups.is_empty() && !search.continues() {
            search.close(&mut self.shared);
            self.remove_search(id);
        }
    }

    /// What an unanswered lookup is waiting for, as a sentence. `None` if it is over.
    pub(crate) fn describe(&self, lookup: LookupId) -> Option<String> {
        let id = self.lookups.get(&lookup)?;
        Some(self.searches.get(id)?.describe(&self.shared))
    }

    /// Handles an event of a query. Events of closed queries are ignored.
    pub(crate) fn handle_input(&mut self, query: QueryId, input: QueryInput<'_>, now: Instant) {
        self.last_now = Some(now);
        let owner =
            self.running.iter().find(|id| self.searches.get(id).is_some_and(|search| search.holds(query)));
        if let Some(id) = owner.copied() {
            self.run_search(id, now, |search, shared| search.handle_input(query, &input, shared, now));
        }
        self.start_waiting(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.last_now = Some(now);
        let is_due = |id: &SearchId| {
            let deadline = self.searches.get(id).and_then(|search| search.deadline());
            deadline.is_some_and(|deadline| deadline <= now)
        };
        let due: Vec<SearchId> = self.running.iter().copied().filter(is_due).collect();
        for id in due {
            self.run_search(id, now, |search, shared| search.handle_timeout(shared, now));
        }
        while let Some(id) = take_due(&mut self.held, now) {
            self.use_held(id);
            self.refreshing.push_back((now + REFRESH_MAX, id));
        }
        while let Some(id) = take_due(&mut self.refreshing, now) {
            if let Some(search) = self.searches.get_mut(&id) {
                search.close(&mut self.shared);
                self.remove_search(id);
            }
        }
        self.start_waiting(now);
    }

    /// Gives held addresses to the lookups of a search, which continues: the next lookups get fresh ones.
    fn use_held(&mut self, id: SearchId) {
        let Some(search) = self.searches.get_mut(&id) else { return };
        let Some((held, _)) = &search.held else { return };
        for lookup in std::mem::take(&mut search.lookups) {
            self.lookups.remove(&lookup);
            self.shared.outbox.push_back(found_held(lookup, held));
        }
    }

    /// Postpones all deadlines by `gap`, a scheduling delay of the event loop.
    pub(crate) fn extend(&mut self, gap: Duration) {
        for id in &self.running {
            if let Some(search) = self.searches.get_mut(id) {
                search.extend(gap);
            }
        }
        self.held.iter_mut().for_each(|(at, _)| *at += gap);
    }

    /// When [`Resolver::handle_timeout`] must be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if !self.waiting.is_empty() && self.free_queries() >= QUERIES_PER_SEARCH {
            // A cancelled lookup has freed queries.
            return self.last_now;
        }
        let queued = [self.held.front(), self.refreshing.front()].into_iter().flatten().map(|(at, _)| *at);
        self.running.iter().filter_map(|id| self.searches.get(id)?.deadline()).chain(queued).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.shared.outbox.pop_front()
    }

    #[cfg(test)]
    pub(super) fn scopes(&self) -> usize {
        self.shared.scopes.len()
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn longest_stream(&self) -> usize {
        self.searches.values().map(|search| search.longest_stream()).max().unwrap_or_default()
    }

    /// The answer that needs no server, or the error if the limit of lookups is reached.
    fn local_answer(&self, name: &str, scope: ScopeId, now: Instant) -> Option<Result<Vec<IpAddr>, Failure>> {
        if let Some(address) = names::literal(name) {
            return Some(Ok(vec![address]));
        }
        let relative = name.strip_suffix('.').unwrap_or(name);
        if Name::parse(relative).is_none() {
            return Some(Err(failure::not_a_name(name)));
        }
        let bare = relative.to_ascii_lowercase();
        if let Some(addresses) = names::loopback(&bare) {
            return Some(Ok(addresses));
        }
        if names::is_invalid(&bare) {
            return Some(Err(failure::invalid(&bare)));
        }
        let addresses = self.hosts.addresses(&bare);
        if !addresses.is_empty() {
            return Some(Ok(addresses));
        }
        if let Some(addresses) = self.shared.scope(scope).cache.addresses(&name.to_ascii_lowercase(), now) {
            return Some(Ok(addresses.to_vec()));
        }
        (self.lookups.len() >= LOOKUPS_MAX).then(|| Err(failure::too_many(&bare)))
    }

    fn search(&mut self, lookup: LookupId, name: &str, scope: ScopeId, now: Instant) {
        let known = self.shared.scope_mut(scope);
        let id = match known.searches.get(name) {
            Some(id) => *id,
            None => {
                let id = SearchId(self.next_search);
                self.next_search += 1;
                known.searches.insert(name.to_owned(), id);
                let held = known.cache.held(name, now).map(<[IpAddr]>::to_vec);
                let search = Search::new(name, scope, held, now);
                self.held.extend(search.held.iter().map(|(_, at)| (*at, id)));
                self.searches.insert(id, Box::new(search));
                self.waiting.insert(id);
                id
            }
        };
        let Some(search) = self.searches.get_mut(&id) else { return };
        search.lookups.insert(lookup);
        self.lookups.insert(lookup, id);
        if let Some(partial) = search.partial() {
            let addresses = partial.to_vec();
            self.shared.outbox.push_back(Output::Found { lookup, addresses, last: false, held: false });
        }
        let uses_held = search.held.as_ref().is_some_and(|(_, at)| *at <= now);
        self.run_search(id, now, |search, shared| search.expedite(shared, now));
        self.start_waiting(now);
        if uses_held {
            self.use_held(id);
        }
    }

    fn start_waiting(&mut self, now: Instant) {
        while self.free_queries() >= QUERIES_PER_SEARCH {
            let Some(id) = self.waiting.pop_first() else { return };
            self.running.insert(id);
            self.run_search(id, now, |search, shared| search.start(shared, now));
        }
    }

    fn free_queries(&self) -> usize {
        let used: usize = self.running.iter().filter_map(|id| Some(self.searches.get(id)?.queries())).sum();
        self.queries_max.saturating_sub(used)
    }

    /// Runs `act` on a search and reports the update to all its lookups.
    fn run_search(
        &mut self,
        id: SearchId,
        now: Instant,
        act: impl FnOnce(&mut Search, &mut Shared) -> Option<LookupUpdate>,
    ) {
        self.shared.free_queries = self.free_queries();
        let Some(search) = self.searches.get_mut(&id) else { return };
        let Some(update) = act(search, &mut self.shared) else { return };
        let outbox = &mut self.shared.outbox;
        let is_over = match update {
            LookupUpdate::Found { fresh, complete } => {
                let last = complete.is_some();
                for &lookup in &search.lookups {
                    outbox.push_back(Output::Found { lookup, addresses: fresh.clone(), last, held: false });
                }
                // An answer with one family is not cached while the other may follow: it would pass for a
                // complete one, and hide the addresses that remain when these fail.
                if let Some((all, ttl_s)) = complete {
                    let cache = &mut self.shared.scopes[search.scope.0].cache;
                    cache.insert(&search.name, all, now + Duration::from_secs(ttl_s.into()), now);
                }
                last
            }
            LookupUpdate::NotFound { failure, is_answer } => {
                if is_answer {
                    self.shared.scopes[search.scope.0].cache.remove(&search.name);
                    search.held = None;
                }
                for &lookup in &search.lookups {
                    outbox.push_back(match &search.held {
                        Some((held, _)) => found_held(lookup, held),
                        None => Output::NotFound { lookup, failure: failure.clone() },
                    });
                }
                true
            }
        };
        if is_over {
            self.remove_search(id);
        }
    }

    fn remove_search(&mut self, id: SearchId) {
        self.running.remove(&id);
        self.waiting.remove(&id);
        let Some(search) = self.searches.remove(&id) else { return };
        self.shared.scope_mut(search.scope).searches.remove(&search.name);
        for lookup in &search.lookups {
            self.lookups.remove(lookup);
        }
    }
}

fn take_due(queue: &mut VecDeque<(Instant, SearchId)>, now: Instant) -> Option<SearchId> {
    queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front().map(|(_, id)| id)
}

fn found_held(lookup: LookupId, held: &[IpAddr]) -> Output {
    Output::Found { lookup, addresses: held.to_vec(), last: true, held: true }
}
