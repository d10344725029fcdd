//! The resolver: what is known at once, what is being searched for, and who waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::result::Failure;
use crate::wire::dns::Name;

use super::cache::Cache;
use super::conf::Conf;
use super::failure;
use super::hosts::Hosts;
use super::names;
use super::search::{LookupUpdate, SLOTS, Search};
use super::shared::Shared;
use super::{LookupId, Output, QueryId, QueryInput, Random};

/// How many queries may be in flight, each with a socket of its own. Searches beyond that wait
/// for their turn.
pub(crate) const QUERIES_MAX: usize = 128;
/// How many lookups may be waiting for an answer.
pub(crate) const LOOKUPS_MAX: usize = 65_536;
/// The longest time an answer serves, in seconds.
const TTL_S_MAX: u32 = 300;
/// The same for an answer that one family is missing from, only because no server answered for it.
const PARTIAL_TTL_S_MAX: u32 = 30;

/// What is logged of a hosts file that exceeds the limits of [`Hosts`].
const HOSTS_CUT: &str = "hosts file: only the first 8 MiB and 1048576 names are used; \
    put longer block lists into a name server";

/// A name being searched for. The lesser came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SearchId(u64);

/// Resolves names. See the module's description for how to drive it.
pub(crate) struct Resolver {
    shared: Shared,
    /// The servers to ask whatever resolv.conf says, if any.
    own_servers: Vec<SocketAddr>,
    hosts: Hosts,
    cache: Cache,
    searches: BTreeMap<SearchId, Box<Search>>,
    /// Those that have started: few, since every one holds at least [`SLOTS`] queries.
    running: BTreeSet<SearchId>,
    /// Those that wait for their turn, first come, first served.
    waiting: BTreeSet<SearchId>,
    by_name: BTreeMap<String, SearchId>,
    lookups: BTreeMap<LookupId, SearchId>,
    next_lookup: u64,
    next_search: u64,
    /// The latest moment that was handed in.
    seen: Option<Instant>,
}

impl Resolver {
    /// Asks `servers`, or those of resolv.conf if there are none; and, for names ending in
    /// `.local`, whoever listens at `mdns` (224.0.0.251:5353).
    pub(crate) fn new(servers: Vec<SocketAddr>, mdns: SocketAddr, random: Random) -> Self {
        let mut resolver = Resolver {
            shared: Shared::new(Conf::default(), mdns, random),
            own_servers: servers,
            hosts: Hosts::default(),
            cache: Cache::default(),
            searches: BTreeMap::new(),
            running: BTreeSet::new(),
            waiting: BTreeSet::new(),
            by_name: BTreeMap::new(),
            lookups: BTreeMap::new(),
            next_lookup: 0,
            next_search: 0,
            seen: None,
        };
        resolver.set_resolv_conf(b"");
        resolver
    }

    /// Takes the text of `/etc/hosts`, whenever it has changed. Returns a log line if not all of it is used.
    pub(crate) fn set_hosts(&mut self, text: impl Into<Vec<u8>>) -> Option<String> {
        // The old names go first: there is not always room for both.
        self.hosts = Hosts::default();
        self.hosts = Hosts::parse(text);
        self.hosts.is_cut.then(|| HOSTS_CUT.to_owned())
    }

    /// Takes the text of `/etc/resolv.conf`, whenever it has changed. Queries in flight go on; what
    /// other servers and search lists have led to is forgotten. Returns log lines about what of it is not
    /// used.
    pub(crate) fn set_resolv_conf(&mut self, text: &[u8]) -> Vec<String> {
        let (conf, notes) = Conf::parse(text, &self.own_servers);
        if conf != self.shared.conf {
            self.cache.clear();
            self.shared.set_conf(conf);
        }
        notes
    }

    /// Asks for the addresses of `name`: a name, or an IP address with or without brackets. What
    /// is found, even at once, comes through [`Resolver::poll_output`].
    pub(crate) fn lookup(&mut self, name: &str, now: Instant) -> LookupId {
        self.seen = Some(now);
        let lookup = LookupId(self.next_lookup);
        self.next_lookup += 1;
        match self.known(name, now) {
            Some(Ok(addresses)) => {
                self.shared.outbox.push_back(Output::Found { lookup, addresses, last: true })
            }
            Some(Err(failure)) => self.shared.outbox.push_back(Output::NotFound { lookup, failure }),
            None => self.search(lookup, &name.to_ascii_lowercase(), now),
        }
        lookup
    }

    /// Nobody waits for this lookup any more. Its queries are closed, unless others wait for them, or
    /// one family has been found: then the other is waited for a moment longer, so that both can be
    /// remembered and the next check need not ask again.
    pub(crate) fn cancel(&mut self, lookup: LookupId) {
        let Some(id) = self.lookups.remove(&lookup) else { return };
        let Some(search) = self.searches.get_mut(&id) else { return };
        search.lookups.remove(&lookup);
        if search.lookups.is_empty() && search.partial().is_none() {
            search.close(&mut self.shared);
            self.forget(id);
        }
    }

    /// What a lookup that has no answer yet is waiting for, for a person.
    pub(crate) fn describe(&self, lookup: LookupId) -> Option<String> {
        let id = self.lookups.get(&lookup)?;
        Some(self.searches.get(id)?.describe(&self.shared))
    }

    /// Tells what happened to a query. Queries that are over are ignored.
    pub(crate) fn handle_input(&mut self, query: QueryId, input: QueryInput<'_>, now: Instant) {
        self.seen = Some(now);
        let holder =
            self.running.iter().find(|id| self.searches.get(id).is_some_and(|search| search.holds(query)));
        if let Some(id) = holder.copied() {
            self.step(id, now, |search, shared| search.handle_input(query, &input, shared, now));
        }
        self.start_waiting(now);
    }

    /// Tells that time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.seen = Some(now);
        let is_due = |id: &SearchId| {
            let deadline = self.searches.get(id).and_then(|search| search.deadline());
            deadline.is_some_and(|deadline| deadline <= now)
        };
        let due: Vec<SearchId> = self.running.iter().copied().filter(is_due).collect();
        for id in due {
            self.step(id, now, |search, shared| search.handle_timeout(shared, now));
        }
        self.start_waiting(now);
    }

    /// The loop lost this much time: whoever was asked has as much longer to answer.
    pub(crate) fn extend(&mut self, gap: Duration) {
        for id in &self.running {
            if let Some(search) = self.searches.get_mut(id) {
                search.extend(gap);
            }
        }
    }

    /// When the resolver wants to be told that time has passed.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if !self.waiting.is_empty() && self.spare() >= SLOTS {
            // A cancelled lookup has made room.
            return self.seen;
        }
        self.running.iter().filter_map(|id| self.searches.get(id)?.deadline()).min()
    }

    /// What the resolver wants done, or has found.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.shared.outbox.pop_front()
    }

    /// The most that is held of an answer over TCP that has not come whole, in bytes.
    #[cfg(test)]
    pub(crate) fn longest_stream(&self) -> usize {
        self.searches.values().map(|search| search.longest_stream()).max().unwrap_or_default()
    }

    /// What is known about a name without asking anybody.
    fn known(&self, name: &str, now: Instant) -> Option<Result<Vec<IpAddr>, Failure>> {
        if let Some(address) = names::literal(name) {
            return Some(Ok(vec![address]));
        }
        let given = name.strip_suffix('.').unwrap_or(name);
        if Name::parse(given).is_none() {
            return Some(Err(failure::not_a_name(name)));
        }
        let bare = given.to_ascii_lowercase();
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
        if let Some(addresses) = self.cache.addresses(&name.to_ascii_lowercase(), now) {
            return Some(Ok(addresses.to_vec()));
        }
        (self.lookups.len() >= LOOKUPS_MAX).then(|| Err(failure::too_many(&bare)))
    }

    /// Lets the lookup wait for the search for this name, a running one or a new one.
    fn search(&mut self, lookup: LookupId, name: &str, now: Instant) {
        let id = match self.by_name.get(name) {
            Some(id) => *id,
            None => {
                let id = SearchId(self.next_search);
                self.next_search += 1;
                self.searches.insert(id, Box::new(Search::new(name)));
                self.by_name.insert(name.to_owned(), id);
                self.waiting.insert(id);
                id
            }
        };
        let Some(search) = self.searches.get_mut(&id) else { return };
        search.lookups.insert(lookup);
        self.lookups.insert(lookup, id);
        if let Some(partial) = search.partial() {
            let addresses = partial.to_vec();
            self.shared.outbox.push_back(Output::Found { lookup, addresses, last: false });
        }
        self.step(id, now, |search, shared| search.hurry(shared, now));
        self.start_waiting(now);
    }

    fn start_waiting(&mut self, now: Instant) {
        while self.spare() >= SLOTS {
            let Some(id) = self.waiting.pop_first() else { return };
            self.running.insert(id);
            self.step(id, now, |search, shared| search.start(shared, now));
        }
    }

    /// How many more queries may be in flight.
    fn spare(&self) -> usize {
        let used: usize = self.running.iter().filter_map(|id| Some(self.searches.get(id)?.slots())).sum();
        QUERIES_MAX.saturating_sub(used)
    }

    /// Lets a search do something, and tells everybody who waits for it what came of it.
    fn step(
        &mut self,
        id: SearchId,
        now: Instant,
        act: impl FnOnce(&mut Search, &mut Shared) -> Option<LookupUpdate>,
    ) {
        self.shared.spare = self.spare();
        let Some(search) = self.searches.get_mut(&id) else { return };
        let Some(news) = act(search, &mut self.shared) else { return };
        let outbox = &mut self.shared.outbox;
        let is_over = match news {
            LookupUpdate::Found { fresh, all, ttl_s, whole, last } => {
                for lookup in &search.lookups {
                    outbox.push_back(Output::Found { lookup: *lookup, addresses: fresh.clone(), last });
                }
                // Half an answer is not remembered while the other half may come: it would pass for
                // the whole, and hide the addresses that are left when these fail.
                if last {
                    let ttl_s = ttl_s.min(if whole { TTL_S_MAX } else { PARTIAL_TTL_S_MAX });
                    self.cache.insert(&search.name, all, now + Duration::from_secs(ttl_s.into()), now);
                }
                last
            }
            LookupUpdate::NotFound(failure) => {
                for lookup in &search.lookups {
                    outbox.push_back(Output::NotFound { lookup: *lookup, failure: failure.clone() });
                }
                true
            }
        };
        if is_over {
            self.forget(id);
        }
    }

    /// Removes a search that is over, and those who waited for it.
    fn forget(&mut self, id: SearchId) {
        self.running.remove(&id);
        self.waiting.remove(&id);
        let Some(search) = self.searches.remove(&id) else { return };
        self.by_name.remove(&search.name);
        for lookup in &search.lookups {
            self.lookups.remove(lookup);
        }
    }
}
