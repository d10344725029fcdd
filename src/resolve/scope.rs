//! Lookups with the same network settings share name servers, their responsiveness, and cached answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::network::{AddressFamily, Network};
use crate::result::Failure;
use crate::wire::dns::Kind;

use super::SearchId;
use super::cache::Cache;
use super::conf::Conf;

/// How long a server without a reply counts as unresponsive.
pub(super) const UNRESPONSIVE_FOR: Duration = Duration::from_secs(30);

/// Identifies a [`Scope`]. One that is no longer in use may be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopeId(pub(super) usize);

#[derive(Default)]
pub(super) struct Scope {
    /// `None` for the default settings.
    pub(super) network: Option<Arc<Network>>,
    pub(super) conf: Conf,
    /// Unresponsive servers and when they stop counting as such. Contains only servers of `conf`.
    unresponsive: Vec<(SocketAddr, Instant)>,
    /// Why the last query failed because of this machine.
    pub(super) local_failure: Option<Failure>,
    pub(super) cache: Cache,
    /// Searches by name.
    pub(super) searches: BTreeMap<String, SearchId>,
}

impl Scope {
    pub(super) fn new(network: Arc<Network>, conf: Conf, hold: Duration) -> Scope {
        Scope { network: Some(network), conf, cache: Cache::new(hold), ..Scope::default() }
    }

    /// Whether lookups with these settings can have other results than those with the default settings.
    pub(super) fn is_needed_for(network: &Network) -> bool {
        network.is_bound() || network.family != AddressFamily::Any || !network.servers.is_empty()
    }

    /// A log line if a binding does not apply to a name server.
    pub(super) fn note(&self) -> Option<String> {
        let is_bound = self.network.as_ref().is_some_and(|network| network.is_bound());
        let server = self.conf.servers.iter().find(|server| is_bound && server.ip().is_loopback())?;
        Some(format!(
            "the name server {} is on this machine: --interface, --source and --fwmark do not apply to its queries",
            server.ip()
        ))
    }

    /// The name servers of the targets; empty for those of the daemon.
    pub(super) fn servers(&self) -> &[SocketAddr] {
        self.network.as_ref().map_or(&[], |network| &network.servers)
    }

    /// Queries in flight continue; the cache is cleared if the configuration differs.
    pub(super) fn set_conf(&mut self, conf: Conf, hold: Duration) {
        if conf != self.conf {
            self.conf = conf;
            self.unresponsive.clear();
            self.cache = Cache::new(hold);
        }
    }

    /// Whether no target has these settings any more.
    pub(super) fn is_unused(&self) -> bool {
        self.searches.is_empty()
            && self.network.as_ref().is_some_and(|network| Arc::strong_count(network) == 1)
    }

    pub(super) fn is_unresponsive(&self, server: SocketAddr, now: Instant) -> bool {
        self.unresponsive.iter().any(|(listed, until)| *listed == server && *until > now)
    }

    pub(super) fn mark_unresponsive(&mut self, server: SocketAddr, now: Instant) {
        self.mark_responsive(server);
        if self.conf.servers.contains(&server) {
            self.unresponsive.push((server, now + UNRESPONSIVE_FOR));
        }
    }

    pub(super) fn mark_responsive(&mut self, server: SocketAddr) {
        self.unresponsive.retain(|(listed, _)| *listed != server);
    }

    /// Whether names are not queried for addresses of this kind.
    pub(super) fn omits(&self, kind: Kind, multicast: bool) -> bool {
        let family = self.network.as_ref().map_or(AddressFamily::Any, |network| network.family);
        match (kind, family) {
            (Kind::A, AddressFamily::V6) | (Kind::Aaaa, AddressFamily::V4) => true,
            (Kind::Aaaa, AddressFamily::Any) => self.conf.no_aaaa && !multicast,
            _ => false,
        }
    }

    /// The network settings of a query to this server.
    pub(super) fn network_for(&self, server: SocketAddr) -> Option<&Arc<Network>> {
        let network = self.network.as_ref().filter(|network| network.is_bound())?;
        // A socket that is bound to another interface or address does not reach the loopback address.
        (!server.ip().is_loopback()).then_some(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;

    #[test]
    fn only_configured_servers_count_as_unresponsive() {
        let [listed, other] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 53)));
        let conf = Conf { servers: vec![listed], ..Conf::default() };
        let mut scope = Scope { conf, ..Scope::default() };
        let now = test_now().instant;
        for server in [listed, other, listed] {
            scope.mark_unresponsive(server, now);
        }
        assert_eq!(scope.unresponsive, [(listed, now + UNRESPONSIVE_FOR)]);
        assert!(scope.is_unresponsive(listed, now) && !scope.is_unresponsive(listed, now + UNRESPONSIVE_FOR));
        scope.set_conf(scope.conf.clone(), Duration::ZERO);
        assert!(scope.is_unresponsive(listed, now));
        scope.set_conf(Conf { ndots: 2, ..scope.conf.clone() }, Duration::ZERO);
        assert!(!scope.is_unresponsive(listed, now), "a new configuration resets the list");
    }
}
