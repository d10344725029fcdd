//! Name resolution: connects checks, the resolver and its queries.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::outbox::Outbox;
use super::owners::{ConnOwner, RunOwner};
use super::{ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::resolve::{self, LookupId, QueryId, QueryInput, Resolver};

/// Lookups of host names and their queries to name servers.
pub(super) struct Lookups {
    pub(super) resolver: Resolver,
    /// The runs that wait for the lookups.
    pub(super) waiting: BTreeMap<LookupId, RunOwner>,
    pub(super) queries: Vec<Query>,
    /// Runs whose lookups start once the files have been refreshed.
    pub(super) unresolved: Vec<RunOwner>,
}

pub(super) struct Query {
    id: QueryId,
    conn: ConnId,
    server: SocketAddr,
    transport: Transport,
    outbox: Outbox,
}

impl Lookups {
    pub(super) fn new(resolver: Resolver) -> Self {
        Lookups { resolver, waiting: BTreeMap::new(), queries: Vec::new(), unresolved: Vec::new() }
    }

    pub(super) fn unsent(&self, query: QueryId) -> &[u8] {
        self.queries.iter().find(|open| open.id == query).map_or(&[], |query| query.outbox.unsent())
    }

    fn take_query(&mut self, query: QueryId) -> Option<Query> {
        let index = self.queries.iter().position(|open| open.id == query)?;
        Some(self.queries.remove(index))
    }
}

impl Engine {
    /// The result of [`Output::RefreshFiles`]: the files that changed since the last time.
    pub(crate) fn handle_files(&mut self, hosts: Option<Vec<u8>>, resolv_conf: Option<&[u8]>, now: Now) {
        let now = self.update_clock(now);
        let mut notes = Vec::new();
        if let Some(text) = hosts {
            notes.extend(self.lookups.resolver.set_hosts(text));
        }
        if let Some(text) = resolv_conf {
            notes.extend(self.lookups.resolver.set_resolv_conf(text));
        }
        notes.into_iter().for_each(|note| self.cx.log(note));
        for owner in std::mem::take(&mut self.lookups.unresolved) {
            let Some(run) = self.runs.get_mut(owner) else { continue };
            let Some(connector) = run.connector.as_ref().filter(|_| run.awaits_files) else { continue };
            run.awaits_files = false;
            let lookup = self.lookups.resolver.lookup(connector.host(), now.instant);
            run.lookup = Some(lookup);
            self.lookups.waiting.insert(lookup, owner);
        }
        self.drain_resolver(now);
    }

    pub(super) fn handle_resolver(&mut self, output: resolve::Output, now: Now) {
        match output {
            resolve::Output::Open { query, transport, server, bytes } => {
                let mut outbox = Outbox::default();
                outbox.push(bytes);
                let conn = self.cx.open(ConnOwner::Query(query), transport, server);
                self.lookups.queries.push(Query { id: query, conn, server, transport, outbox });
                if transport != Transport::Tcp {
                    self.cx.outputs.push_back(Output::Write(conn));
                }
            }
            resolve::Output::Close(query) => {
                if let Some(query) = self.lookups.take_query(query) {
                    self.cx.close(query.conn);
                }
            }
            resolve::Output::Found { lookup, addresses, last } => {
                let Some(owner) = self.waiter(lookup, last) else { return };
                if let Some(connector) = self.connector(owner) {
                    connector.handle_addresses(&addresses, last, now.instant);
                }
                self.poll_attempt(owner, now);
            }
            resolve::Output::NotFound { lookup, failure } => {
                let Some(owner) = self.waiter(lookup, true) else { return };
                if let Some(connector) = self.connector(owner) {
                    connector.handle_unresolved(failure, now.instant);
                }
                self.poll_attempt(owner, now);
            }
        }
    }

    pub(super) fn handle_query(&mut self, id: QueryId, input: Input<'_>, now: Now) {
        let Some(query) = self.lookups.queries.iter_mut().find(|query| query.id == id) else { return };
        let from = query.server;
        let input = match input {
            Input::Connected => {
                if query.transport == Transport::Tcp {
                    self.cx.outputs.push_back(Output::Write(query.conn));
                }
                return;
            }
            Input::Sent(count) => return query.outbox.advance(count),
            Input::Received(bytes) => QueryInput::Received { from, bytes },
            Input::Datagram(from, bytes) => QueryInput::Received { from, bytes },
            Input::Closed => QueryInput::Closed,
            Input::Failed(_) => {
                let Some(query) = self.lookups.take_query(id) else { return };
                self.cx.drop_conn(query.conn);
                QueryInput::Failed
            }
        };
        self.lookups.resolver.handle_input(id, input, now.instant);
    }

    pub(super) fn drop_lookup(&mut self, lookup: Option<LookupId>) {
        if let Some(lookup) = lookup {
            self.lookups.waiting.remove(&lookup);
            self.lookups.resolver.cancel(lookup);
        }
    }

    /// Returns the run that waits for the lookup. `end` removes the lookup.
    fn waiter(&mut self, lookup: LookupId, end: bool) -> Option<RunOwner> {
        if !end {
            return self.lookups.waiting.get(&lookup).copied();
        }
        let owner = self.lookups.waiting.remove(&lookup)?;
        if let Some(run) = self.runs.get_mut(owner) {
            run.lookup = None;
        }
        Some(owner)
    }
}
