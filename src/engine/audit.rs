//! The engine's books, for the simulation to hold against its own.

use super::{Conn, ConnId, Engine};

/// What the engine holds, counted anew.
pub(crate) struct Audit {
    pub(crate) clients: usize,
    /// As it is bookkept, and as it adds up.
    pub(crate) owed: (usize, usize),
    pub(crate) held: usize,
    /// Bytes that wait for targets, at most for one of them.
    pub(crate) probe_outbox: usize,
    pub(crate) queries: usize,
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

    pub(crate) fn audit(&self) -> Audit {
        let mut audit =
            Audit { clients: 0, owed: (self.owed, 0), held: self.held.len(), probe_outbox: 0, queries: 0 };
        for (_, conn) in self.conns.iter() {
            match conn {
                Conn::Client(caller) => {
                    audit.clients += 1;
                    audit.owed.1 += caller.unsent().len();
                }
                Conn::Probed { outbox, .. } => audit.probe_outbox = audit.probe_outbox.max(outbox.len()),
                Conn::Query { .. } => audit.queries += 1,
                Conn::Dialed { .. } => {}
            }
        }
        assert_eq!(audit.clients, self.clients, "clients, as counted and as bookkept");
        assert_eq!(audit.queries, self.queries.len(), "queries, as counted and as bookkept");
        audit
    }
}
