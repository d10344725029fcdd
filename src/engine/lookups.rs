//! Lookups of host names: connects runs, the resolver and its queries to name servers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::context::Context;
use super::ids::ConnId;
use super::messages::{Input, Output};
use super::outbox::Outbox;
use super::owners::{ConnOwner, Owner, RunOwner};
use crate::network::Network;
use crate::resolve::{self, LookupId, QueryId, QueryInput, Resolver, Transport};
use crate::result::{Failure, Reason};

pub(super) struct Lookups {
    pub(super) resolver: Resolver,
    waiting: BTreeMap<LookupId, RunOwner>,
    pub(super) queries: Vec<Query>,
    /// Runs that wait until the files have been refreshed.
    unresolved: Vec<RunOwner>,
}

pub(super) struct Query {
    id: QueryId,
    conn: ConnId,
    server: SocketAddr,
    transport: Transport,
    outbox: Outbox,
}

pub(super) enum LookupUpdate {
    /// Unless `last` is set, more addresses may follow.
    Found {
        addresses: Vec<IpAddr>,
        last: bool,
        held: bool,
    },
    Failed(Failure),
}

impl LookupUpdate {
    pub(super) fn is_last(&self) -> bool {
        !matches!(self, LookupUpdate::Found { last: false, .. })
    }
}

impl Lookups {
    pub(super) fn new(resolver: Resolver) -> Self {
        Lookups { resolver, waiting: BTreeMap::new(), queries: Vec::new(), unresolved: Vec::new() }
    }

    /// A run needs a lookup or the name server: see [`super::probe_runs::ProbeRuns::handle_files`].
    pub(super) fn request(&mut self, owner: RunOwner, cx: &mut Context) {
        self.unresolved.push(owner);
        cx.outputs.push_back(Output::RefreshFiles);
    }

    /// The result of [`Output::RefreshFiles`]. Returns the runs that wait for it.
    pub(super) fn handle_files(
        &mut self,
        hosts: Option<Vec<u8>>,
        resolv_conf: Option<&[u8]>,
        cx: &mut Context,
    ) -> Vec<RunOwner> {
        if let Some(text) = hosts {
            self.resolver.set_hosts(text).into_iter().for_each(|note| cx.log(note));
        }
        if let Some(text) = resolv_conf {
            self.resolver.set_resolv_conf(text).into_iter().for_each(|note| cx.log(note));
        }
        std::mem::take(&mut self.unresolved)
    }

    pub(super) fn start(
        &mut self,
        owner: RunOwner,
        host: &str,
        network: Option<&Arc<Network>>,
        cx: &mut Context,
    ) -> LookupId {
        let lookup = self.resolver.lookup(host, network, cx.now.instant);
        if let Some(note) = self.resolver.take_note() {
            cx.log(note);
        }
        self.waiting.insert(lookup, owner);
        lookup
    }

    pub(super) fn cancel(&mut self, lookup: LookupId) {
        self.waiting.remove(&lookup);
        self.resolver.cancel(lookup);
    }

    pub(super) fn handle_query(&mut self, id: QueryId, input: Input<'_>, cx: &mut Context) {
        let Some(query) = self.queries.iter_mut().find(|query| query.id == id) else { return };
        let from = query.server;
        let input = match input {
            Input::Connected => {
                if query.transport == Transport::Tcp {
                    cx.outputs.push_back(Output::Write(query.conn));
                }
                return;
            }
            Input::Sent(count) => return query.outbox.advance(count),
            Input::Received(bytes) => QueryInput::Received { from, bytes },
            Input::Datagram(from, bytes) => QueryInput::Received { from, bytes },
            Input::Closed => QueryInput::Closed,
            Input::IcmpMessage { .. } | Input::IcmpError { .. } => return,
            Input::Failed(failure) => {
                cx.drop_conn(query.conn);
                self.take_query(id);
                match failure.reason {
                    Reason::Local => QueryInput::FailedLocally(failure),
                    _ => QueryInput::Failed,
                }
            }
        };
        self.resolver.handle_input(id, input, cx.now.instant);
    }

    pub(super) fn unsent(&self, query: QueryId) -> &[u8] {
        self.queries.iter().find(|open| open.id == query).map_or(&[], |query| query.outbox.unsent())
    }

    /// Processes the resolver's outputs up to the next one for a run; without one, sets the timer.
    pub(super) fn poll_update(&mut self, cx: &mut Context) -> Option<(RunOwner, LookupUpdate)> {
        while let Some(output) = self.resolver.poll_output() {
            let (lookup, update) = match output {
                resolve::Output::Open { query: id, transport, server, network, bytes } => {
                    let conn = cx.open(ConnOwner::Query(id), transport, server, network);
                    let mut outbox = Outbox::default();
                    outbox.push(bytes);
                    self.queries.push(Query { id, conn, server, transport, outbox });
                    if transport != Transport::Tcp {
                        cx.outputs.push_back(Output::Write(conn));
                    }
                    continue;
                }
                resolve::Output::Close(query) => {
                    if let Some(query) = self.take_query(query) {
                        cx.close(query.conn);
                    }
                    continue;
                }
                resolve::Output::Found { lookup, addresses, last, held } => {
                    cx.counters.held_lookups += u64::from(held);
                    (lookup, LookupUpdate::Found { addresses, last, held })
                }
                resolve::Output::NotFound { lookup, failure } => (lookup, LookupUpdate::Failed(failure)),
            };
            let owner = match update.is_last() {
                true => self.waiting.remove(&lookup),
                false => self.waiting.get(&lookup).copied(),
            };
            if let Some(owner) = owner {
                return Some((owner, update));
            }
        }
        cx.timers.set(Owner::Resolver, self.resolver.poll_timeout());
        None
    }

    fn take_query(&mut self, query: QueryId) -> Option<Query> {
        let index = self.queries.iter().position(|open| open.id == query)?;
        Some(self.queries.remove(index))
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<RunOwner> {
        self.waiting.values().copied().collect()
    }
}
