//! Eviction of API clients, at their limit or when descriptors run out.

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
    /// Accepting a client failed; `can_evict` if closing another client frees the missing resource.
    /// Returns whether to accept again at once; otherwise [`Output::Accept`] follows.
    pub(crate) fn handle_accept_failed(&mut self, can_evict: bool, now: Now) -> bool {
        let now = self.update_clock(now);
        // accept(2) fails even with no client waiting: a client with the last descriptor stays for its grace.
        if let Some(id) = self.least_useful_client(false, false).filter(|_| can_evict) {
            self.close_client(id);
            self.release_held(now);
            return true;
        }
        self.cx.accept_paused = true;
        // Until a client can be evicted: a good client may be queued behind many new ones.
        let graces = self.api.iter().map(|(_, peer)| peer.ages().0 + CLIENT_GRACE);
        let pause = now.instant + ACCEPT_PAUSE;
        let until = graces.filter(|_| can_evict).chain([pause]).min();
        self.cx.timers.set(Owner::Accept, until);
        false
    }

    /// Closes the client that has gone longest without a complete response. Returns whether there was one.
    /// A pending response does not protect a client: one that never reads would stay. New clients are
    /// evicted last, the oldest first, so that neither many connections nor frequent requests evict a
    /// client before its first request.
    pub(super) fn evict(&mut self) -> bool {
        let Some(id) = self.least_useful_client(true, false) else { return false };
        self.close_client(id);
        true
    }

    /// The client to evict first; streams are last.
    pub(super) fn least_useful_client(&self, even_if_new: bool, only_streams: bool) -> Option<ConnId> {
        let clients = self.api.iter().map(|(id, peer)| {
            let (accepted_at, last_response_at) = peer.ages();
            let is_stream = matches!(peer, ApiPeer::Stream(_));
            let is_new = self.cx.now.instant.saturating_duration_since(accepted_at) < CLIENT_GRACE;
            (is_stream, is_new, if is_new { accepted_at } else { last_response_at }, id)
        });
        let clients = clients
            .filter(|(is_stream, is_new, ..)| (even_if_new || !is_new) && (*is_stream || !only_streams));
        let (.., id) = clients.min()?;
        Some(id)
    }
}
