//! Eviction of API clients at their limit, and the pause after accepting has failed.

use std::time::Instant;

use super::limits::*;
use super::{ApiPeer, ConnId, Engine, Owner};
use crate::clock::Now;

impl ApiPeer {
    /// When an API client was accepted, and when its outbox was last sent completely.
    fn ages(&self) -> (Instant, Instant) {
        match self {
            ApiPeer::Client(conn) => (conn.accepted_at, conn.last_response_at),
            ApiPeer::Stream(stream) => (stream.accepted_at, stream.drained_at),
        }
    }
}

impl Engine {
    /// Clients that may be accepted in one turn of the loop: few enough that a request that has arrived with
    /// its connection is answered in the next turn before the client can be evicted for later ones.
    pub(crate) fn accepts_per_turn(&self) -> usize {
        ACCEPTS_PER_TURN.min(self.shares.clients / 2)
    }

    /// Accepting a client failed. [`Output::Accept`] follows after a pause, or when a connection is closed.
    pub(crate) fn handle_accept_failed(&mut self, now: Now) {
        let now = self.update_clock(now);
        self.cx.accept_paused = true;
        self.cx.timers.set(Owner::Accept, Some(now.instant + ACCEPT_PAUSE));
    }

    /// Closes the client that has gone longest without a complete response.
    /// A pending response does not protect a client: one that never reads would stay. New clients are
    /// evicted last, the oldest first, so that neither many connections nor frequent requests evict a
    /// client before its first request.
    pub(super) fn evict(&mut self) {
        if let Some(id) = self.least_useful_client(false) {
            self.close_client(id);
        }
    }

    /// The client to evict first; streams are last. If `only_streams`, a stream that is not new.
    pub(super) fn least_useful_client(&self, only_streams: bool) -> Option<ConnId> {
        let clients = self.api.iter().map(|(id, peer)| {
            let (accepted_at, last_response_at) = peer.ages();
            let is_stream = matches!(peer, ApiPeer::Stream(_));
            let is_new = self.cx.now.instant.saturating_duration_since(accepted_at) < CLIENT_GRACE;
            (is_stream, is_new, if is_new { accepted_at } else { last_response_at }, id)
        });
        let clients = clients.filter(|(is_stream, is_new, ..)| !only_streams || *is_stream && !is_new);
        let (.., id) = clients.min()?;
        Some(id)
    }
}
