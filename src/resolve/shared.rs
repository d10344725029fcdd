//! State shared by all questions of a resolver: the scopes, the outbox, and the source of ids.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::wire::dns::{Question, framed};

use super::conf::Conf;
use super::scope::{Scope, ScopeId};
use super::{Output, QueryId, Random, Transport};

pub(super) struct Shared {
    /// The first has the default settings.
    pub(super) scopes: Vec<Scope>,
    pub(super) mdns: SocketAddr,
    pub(super) random: Random,
    pub(super) outbox: VecDeque<Output>,
    /// How many queries may be opened beyond those reserved for each search.
    pub(super) free_queries: usize,
    next_query: u64,
}

impl Shared {
    pub(super) fn new(mdns: SocketAddr, random: Random) -> Self {
        Shared {
            scopes: vec![Scope::default()],
            mdns,
            random,
            outbox: VecDeque::new(),
            free_queries: 0,
            next_query: 0,
        }
    }

    // Scopes are replaced, but never removed.
    pub(super) fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0]
    }

    pub(super) fn scope_mut(&mut self, id: ScopeId) -> &mut Scope {
        &mut self.scopes[id.0]
    }

    pub(super) fn conf(&self, scope: ScopeId) -> &Conf {
        &self.scope(scope).conf
    }

    pub(super) fn open(
        &mut self,
        scope: ScopeId,
        question: &Question,
        transport: Transport,
        server: SocketAddr,
    ) -> QueryId {
        let query = QueryId(self.next_query);
        self.next_query += 1;
        let message = question.write();
        let bytes = if transport == Transport::Tcp { framed(&message) } else { message };
        let network = self.scope(scope).network_for(server).cloned();
        self.outbox.push_back(Output::Open { query, transport, server, network, bytes });
        query
    }

    pub(super) fn close(&mut self, query: QueryId) {
        self.outbox.push_back(Output::Close(query));
    }
}
