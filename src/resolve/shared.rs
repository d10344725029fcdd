//! What all inquiries of a resolver share: the configuration, what is known of the servers, the
//! outbox, and the source of ids.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::wire::dns::Question;

use super::conf::Conf;
use super::{Output, QueryId, Random, Transport};

/// For how long a server that has kept somebody waiting counts as slow.
const SLOW_FOR: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Shared {
    pub(super) conf: Conf,
    /// Where multicast queries go.
    pub(super) mdns: SocketAddr,
    pub(super) random: Random,
    pub(super) outbox: VecDeque<Output>,
    /// How many queries may be opened beyond the one that every inquiry is entitled to.
    pub(super) spare: usize,
    next_query: u64,
    /// Until when servers count as slow. Holds servers of the configuration only.
    slow: Vec<(SocketAddr, Instant)>,
}

impl Shared {
    pub(super) fn new(conf: Conf, mdns: SocketAddr, random: Random) -> Self {
        Shared { conf, mdns, random, outbox: VecDeque::new(), spare: 0, next_query: 0, slow: Vec::new() }
    }

    /// From now on this configuration holds. What was known of the servers is forgotten.
    pub(super) fn set_conf(&mut self, conf: Conf) {
        self.conf = conf;
        self.slow.clear();
    }

    /// Sends a question on its way.
    pub(super) fn open(&mut self, question: &Question, transport: Transport, server: SocketAddr) -> QueryId {
        let query = QueryId(self.next_query);
        self.next_query += 1;
        let mut bytes = question.write();
        if transport == Transport::Tcp {
            // A question has less than 300 bytes.
            let length = (bytes.len() as u16).to_be_bytes();
            bytes.splice(0..0, length);
        }
        self.outbox.push_back(Output::Open { query, transport, server, bytes });
        query
    }

    pub(super) fn close(&mut self, query: QueryId) {
        self.outbox.push_back(Output::Close(query));
    }

    /// Whether this server has lately kept somebody waiting.
    pub(super) fn is_slow(&self, server: SocketAddr, now: Instant) -> bool {
        self.slow.iter().any(|(slow, until)| *slow == server && *until > now)
    }

    pub(super) fn mark_slow(&mut self, server: SocketAddr, now: Instant) {
        self.mark_prompt(server);
        if self.conf.servers.contains(&server) {
            self.slow.push((server, now + SLOW_FOR));
        }
    }

    /// The server has answered.
    pub(super) fn mark_prompt(&mut self, server: SocketAddr) {
        self.slow.retain(|(slow, _)| *slow != server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;

    #[test]
    fn only_servers_that_are_asked_by_rule_count_as_slow() {
        let [listed, other] = [1, 2].map(|last| SocketAddr::from(([10, 0, 0, last], 53)));
        let conf = Conf { servers: vec![listed], ..Conf::default() };
        let mut shared = Shared::new(conf, other, Box::new(|| 7));
        let now = test_now().instant;
        for server in [listed, other, listed] {
            shared.mark_slow(server, now);
        }
        assert_eq!(shared.slow, [(listed, now + SLOW_FOR)]);
        assert!(shared.is_slow(listed, now) && !shared.is_slow(listed, now + SLOW_FOR));
        shared.set_conf(shared.conf.clone());
        assert!(!shared.is_slow(listed, now), "another file, another chance");
    }
}
