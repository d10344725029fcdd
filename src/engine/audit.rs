//! The engine's books, for the simulation to hold against its own.

use super::limits::ANSWERS_PER_TURN;
use super::{Conn, ConnId, Engine};
use crate::api::routes::ResponseSize;

/// What the engine holds, counted anew.
pub(crate) struct Audit {
    pub(crate) clients: usize,
    /// Bytes of answers in memory by their bulk, as bookkept and as they add up, and how many wait.
    pub(crate) response_budget: [(usize, usize, usize); 3],
    /// This turn of the loop has made as many answers as it may.
    pub(crate) out_of_breath: bool,
    /// Bytes that wait for targets, at most for one of them.
    pub(crate) probe_outbox: usize,
    pub(crate) queries: usize,
    pub(crate) streams: usize,
    /// Bytes that wait for streams, at most for one of them.
    pub(crate) stream_outbox: usize,
    /// Bytes of requests that have come and not been answered, at most for one client.
    pub(crate) client_inbox: usize,
    /// Bytes of an answer of a name server that has not come whole, the most there are.
    pub(crate) query_inbox: usize,
}

impl Engine {
    /// All connections, in order.
    pub(crate) fn connections(&self) -> Vec<ConnId> {
        let mut ids: Vec<_> = self.conns.iter().map(|(id, _)| id).collect();
        ids.sort();
        ids
    }

    pub(crate) fn knows(&self, id: ConnId) -> bool {
        self.conns.get(id).is_some()
    }

    /// Outputs that nobody has taken.
    pub(crate) fn outputs_waiting(&self) -> usize {
        self.outputs.len()
    }

    pub(crate) fn audit(&self) -> Audit {
        let response_budget = ResponseSize::ALL
            .map(|size| (self.response_budget.bytes(size), 0, self.response_budget.waiting(size)));
        let query_inbox = self.resolver.longest_stream();
        let mut audit = Audit {
            clients: 0,
            response_budget,
            out_of_breath: self.response_budget.made() >= ANSWERS_PER_TURN,
            probe_outbox: 0,
            queries: 0,
            streams: 0,
            stream_outbox: 0,
            client_inbox: 0,
            query_inbox,
        };
        for (_, conn) in self.conns.iter() {
            match conn {
                Conn::Client(caller) => {
                    audit.clients += 1;
                    audit.client_inbox = audit.client_inbox.max(caller.inbox());
                    audit.response_budget[caller.size as usize].1 += caller.outbox.held();
                }
                Conn::Probed { outbox, .. } => audit.probe_outbox = audit.probe_outbox.max(outbox.len()),
                Conn::Query { .. } => audit.queries += 1,
                Conn::Stream(stream) => {
                    audit.streams += 1;
                    audit.stream_outbox = audit.stream_outbox.max(stream.outbox.held());
                }
                Conn::Connecting { .. } => {}
            }
        }
        assert_eq!(audit.clients, self.clients, "clients, as counted and as bookkept");
        assert_eq!(audit.queries, self.queries.len(), "queries, as counted and as bookkept");
        assert_eq!(audit.streams, self.streams.len(), "streams, as counted and as bookkept");
        audit
    }
}
