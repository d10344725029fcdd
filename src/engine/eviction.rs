//! Eviction of API connections at their limit.

use std::time::Instant;

use super::api_conns::ApiConns;
use super::context::Context;
use super::ids::ConnId;
use super::limits::{ACCEPTS_PER_TURN, CLIENT_GRACE};

impl ApiConns {
    /// Clients that may be accepted in one turn of the loop: few enough that a request that has arrived with
    /// its connection is answered in the next turn before the client can be evicted for later ones.
    pub(super) fn accepts_per_turn(&self) -> usize {
        ACCEPTS_PER_TURN.min(self.clients_max / 2)
    }

    /// Closes the client that has gone longest without a complete response. A pending one does not protect it:
    /// a client that never reads would stay. New clients are last, the oldest first, so that neither many
    /// connections nor frequent requests evict a client before its first request.
    pub(super) fn evict_idle_client(&mut self, cx: &mut Context) {
        if let Some(id) = self.least_useful_client(false, cx.now.instant) {
            self.close(id, cx);
        }
    }

    /// The client to evict first; streams are last. If `only_streams`, a stream that is not new.
    pub(super) fn least_useful_client(&self, only_streams: bool, now: Instant) -> Option<ConnId> {
        let clients = self.conns.iter().map(|(id, conn)| {
            let is_new = now.saturating_duration_since(conn.accepted_at) < CLIENT_GRACE;
            (conn.is_stream, is_new, if is_new { conn.accepted_at } else { conn.last_response_at }, id)
        });
        let clients = clients.filter(|(is_stream, is_new, ..)| !only_streams || *is_stream && !is_new);
        let (.., id) = clients.min()?;
        Some(id)
    }
}
