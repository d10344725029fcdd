//! State shared by all questions of a resolver: the configuration, unresponsive servers, the outbox, and
//! the source of ids.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::dns::{Question, framed};

use super::conf::Conf;
use super::{Output, QueryId, Random, Transport};

/// How long a server without a reply counts as unresponsive.
const UNRESPONSIVE_FOR: Duration = Duration::from_secs(30);

pub(super) struct Shared {
    pub(super) conf: Conf,
    pub(super) mdns: SocketAddr,
    pub(super) random: Random,
    pub(super) outbox: VecDeque<Output>,
    /// How many queries may be opened beyond those reserved for each search.
    pub(super) free_queries: usize,
    next_query: u64,
    /// Unresponsive servers and when they stop counting as such. Contains only servers of `conf`.
    unresponsive: Vec<(SocketAddr, Instant)>,
}

impl Shared {
    pub(super) fn new(conf: Conf, mdns: SocketAddr, random: Random) -> Self {
        Shared {
            conf,
            mdns,
            random,
            outbox: VecDeque::new(),
            free_queries: 0,
            next_query: 0,
            unresponsive: Vec::new(),
        }
    }

    pub(super) fn set_conf(&mut self, conf: Conf) {
        self.conf = conf;
        self.unresponsive.clear();
    }

    pub(super) fn open(&mut self, question: &Question, transport: Transport, server: SocketAddr) -> QueryId {
        let query = QueryId(self.next_query);
        self.next_query += 1;
        let message = question.write();
        let bytes = if transport == Transport::Tcp { framed(&message) } else { message };
        self.outbox.push_back(Output::Open { query, transport, server, bytes });
        query
    }

    pub(super) fn close(&mut self, query: QueryId) {
        self.outbox.push_back(Output::Close(query));
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;

    #[test]
    fn only_configured_servers_count_as_unresponsive() {
        let [listed, other] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 53)));
        let conf = Conf { servers: vec![listed], ..Conf::default() };
        let mut shared = Shared::new(conf, other, Box::new(|| 7));
        let now = test_now().instant;
        for server in [listed, other, listed] {
            shared.mark_unresponsive(server, now);
        }
        assert_eq!(shared.unresponsive, [(listed, now + UNRESPONSIVE_FOR)]);
        assert!(
            shared.is_unresponsive(listed, now) && !shared.is_unresponsive(listed, now + UNRESPONSIVE_FOR)
        );
        shared.set_conf(shared.conf.clone());
        assert!(!shared.is_unresponsive(listed, now), "a new configuration resets the list");
    }
}
