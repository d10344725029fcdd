//! The engine's counts, for the simulation to compare with its own.

use super::limits::LISTINGS_BYTES_MAX;
use super::owners::RunOwner;
use super::{ConnId, ConnOwner, Engine};
use crate::monitor::TargetId;

pub(crate) struct Audit {
    pub(crate) clients: usize,
    /// For each page: number of listings in memory, and their bytes.
    pub(crate) listings: Vec<(usize, usize)>,
    pub(crate) probe_outbox: usize,
    pub(crate) queries: usize,
    /// Programs of checks that have a slot, and checks that wait for one.
    pub(crate) programs: usize,
    pub(crate) waiting_programs: usize,
    /// The targets whose checks wait, and the number of connections that are counted for the others.
    pub(crate) waiting: Vec<TargetId>,
    pub(crate) connections: usize,
    pub(crate) streams: usize,
    pub(crate) stream_outbox: usize,
    pub(crate) client_inbox: usize,
    pub(crate) query_inbox: usize,
}

impl Audit {
    pub(crate) fn are_listings_full(&self) -> bool {
        self.listings.iter().any(|(count, bytes)| *count >= 2 && *bytes >= LISTINGS_BYTES_MAX)
    }
}

impl Engine {
    pub(crate) fn connections(&self) -> Vec<ConnId> {
        let mut ids: Vec<_> = self.cx.conns().map(|(id, _)| id).collect();
        ids.sort();
        ids
    }

    pub(crate) fn knows(&self, id: ConnId) -> bool {
        self.cx.owner(id).is_some()
    }

    /// The target that a connection is for.
    pub(crate) fn target_of(&self, id: ConnId) -> Option<TargetId> {
        match self.cx.owner(id)? {
            ConnOwner::Connecting { run: RunOwner::Target(target), .. }
            | ConnOwner::Connected(RunOwner::Target(target)) => Some(target),
            _ => None,
        }
    }

    pub(crate) fn outputs_waiting(&self) -> usize {
        self.cx.outputs.len()
    }

    pub(crate) fn response(&self, id: ConnId) -> Vec<u8> {
        self.api.conns.get(id).map_or(Vec::new(), |conn| conn.outbox.all_unsent())
    }

    pub(crate) fn is_stream(&self, id: ConnId) -> bool {
        self.api.is_stream(id)
    }

    pub(crate) fn audit(&self) -> Audit {
        let mut audit = Audit {
            clients: 0,
            listings: self.api.listings.sizes(),
            probe_outbox: 0,
            queries: 0,
            programs: self.runs.queue.execs.len(),
            waiting_programs: self.runs.queue.execs.waiting.len(),
            waiting: self.runs.queue.all_waiting().collect(),
            connections: self.runs.queue.connections,
            streams: 0,
            stream_outbox: 0,
            client_inbox: 0,
            query_inbox: self.lookups.resolver.longest_stream(),
        };
        for (id, owner) in self.cx.conns() {
            match owner {
                ConnOwner::Client => assert!(self.api.conns.get(id).is_some(), "{id:?} has no client"),
                ConnOwner::Query(_) => audit.queries += 1,
                ConnOwner::Connecting { .. } | ConnOwner::Connected(_) => {}
            }
        }
        for (id, conn) in self.api.conns.iter() {
            assert!(matches!(self.cx.owner(id), Some(ConnOwner::Client)), "{id:?} has no connection");
            if conn.is_stream {
                audit.streams += 1;
                audit.stream_outbox = audit.stream_outbox.max(conn.outbox.held());
            } else {
                audit.clients += 1;
            }
            audit.client_inbox = audit.client_inbox.max(conn.client.held());
        }
        let connections: usize = self.runs.iter().map(|run| run.connections).sum();
        assert_eq!(connections, audit.connections, "connections of checks");
        let outboxes = self.runs.iter().map(|run| run.outbox.len());
        audit.probe_outbox = outboxes.max().unwrap_or(0);
        assert_eq!(audit.clients, self.api.clients, "number of clients");
        assert_eq!(audit.queries, self.lookups.queries.len(), "number of queries");
        assert_eq!(audit.streams, self.api.streams.len(), "number of streams");
        audit
    }
}
