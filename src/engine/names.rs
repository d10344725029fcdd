//! Name resolution: connects checks, the resolver and its queries.

use std::net::SocketAddr;

use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::resolve::{self, LookupId, QueryId, QueryInput};
use crate::result::Reason;

impl Engine {
    /// The result of [`Output::RefreshFiles`]: the files that changed since the last time.
    pub(crate) fn handle_files(&mut self, hosts: Option<Vec<u8>>, resolv_conf: Option<&[u8]>, now: Now) {
        let now = self.update_clock(now);
        let mut notes = Vec::new();
        if let Some(text) = hosts {
            notes.extend(self.resolver.set_hosts(text));
        }
        if let Some(text) = resolv_conf {
            notes.extend(self.resolver.set_resolv_conf(text));
        }
        notes.into_iter().for_each(|note| self.log_notice(note));
        for target in std::mem::take(&mut self.unresolved) {
            let Some(run) = self.runs[target].as_deref_mut() else { continue };
            let Some(connector) = run.connector.as_ref().filter(|_| run.awaits_files) else { continue };
            run.awaits_files = false;
            let lookup = self.resolver.lookup(connector.host(), now.instant);
            run.lookup = Some(lookup);
            self.lookups.insert(lookup, target);
        }
        self.drain_resolver(now);
    }

    pub(super) fn handle_resolver(&mut self, output: resolve::Output, now: Now) {
        match output {
            resolve::Output::Open { query, transport, server, bytes } => {
                let mut outbox = Outbox::default();
                outbox.push(bytes);
                self.open_query(query, transport, server, outbox, false);
            }
            resolve::Output::Close(query) => {
                let open = self.queries.iter().find(|(open, _)| *open == query).map(|(_, id)| *id);
                if let Some(id) = open {
                    self.close(id);
                }
            }
            resolve::Output::Found { lookup, addresses, last } => {
                let Some(target) = self.waiter(lookup, last) else { return };
                if let Some(connector) = self.connector(target) {
                    connector.handle_addresses(&addresses, last, now.instant);
                }
                self.poll_attempt(target, now);
            }
            resolve::Output::NotFound { lookup, failure } => {
                let Some(target) = self.waiter(lookup, true) else { return };
                if let Some(connector) = self.connector(target) {
                    connector.handle_unresolved(failure, now.instant);
                }
                self.poll_attempt(target, now);
            }
        }
    }

    fn open_query(
        &mut self,
        query: QueryId,
        transport: Transport,
        server: SocketAddr,
        outbox: Outbox,
        retried_after_eviction: bool,
    ) {
        let id = self.add(Conn::Query { query, server, transport, outbox, retried_after_eviction });
        self.queries.push((query, id));
        self.outputs.push_back(Output::Open { id, transport, to: server });
        if transport != Transport::Tcp {
            self.outputs.push_back(Output::Write(id));
        }
    }

    pub(super) fn handle_query(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(Conn::Query { query, server, transport, outbox, retried_after_eviction }) =
            self.conns.get_mut(id)
        else {
            return;
        };
        let (query, from, retried_after_eviction) = (*query, *server, *retried_after_eviction);
        let input = match input {
            Input::Connected => {
                if *transport == Transport::Tcp {
                    self.outputs.push_back(Output::Write(id));
                }
                return;
            }
            Input::Sent(count) => return outbox.advance(count),
            Input::Received(bytes) => QueryInput::Received { from, bytes },
            Input::Datagram(from, bytes) => QueryInput::Received { from, bytes },
            Input::Closed => QueryInput::Closed,
            Input::Failed(failure) => {
                let (transport, outbox) = (*transport, std::mem::take(outbox));
                self.drop_conn(id);
                if failure.reason == Reason::Local && !retried_after_eviction && self.evict() {
                    // At once, before a new client takes the descriptor of the evicted one.
                    return self.open_query(query, transport, from, outbox, true);
                }
                QueryInput::Failed
            }
        };
        self.resolver.handle_input(query, input, now.instant);
    }

    pub(super) fn drop_lookup(&mut self, lookup: Option<LookupId>) {
        if let Some(lookup) = lookup {
            self.lookups.remove(&lookup);
            self.resolver.cancel(lookup);
        }
    }

    /// Returns the target that waits for the lookup. `end` removes the lookup.
    fn waiter(&mut self, lookup: LookupId, end: bool) -> Option<usize> {
        if !end {
            return self.lookups.get(&lookup).copied();
        }
        let target = self.lookups.remove(&lookup)?;
        if let Some(run) = self.runs[target].as_deref_mut() {
            run.lookup = None;
        }
        Some(target)
    }
}
