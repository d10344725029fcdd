//! Eviction of API clients, at their limit or when descriptors run out.

use std::time::Instant;

use super::limits::*;
use super::{Conn, ConnId, Engine, Output, Owner};
use crate::clock::Now;

impl Conn {
    /// When an API client was accepted, and when its outbox was last sent completely.
    fn ages(&self) -> Option<(Instant, Instant)> {
        match self {
            Conn::Client(conn) => Some((conn.accepted_at, conn.last_response_at)),
            Conn::Stream(stream) => Some((stream.accepted_at, stream.drained_at)),
            _ => None,
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
            self.close(id);
            self.release_held(now);
            return true;
        }
        self.accept_paused = true;
        // Until a client can be evicted: a good client may be queued behind many new ones.
        let graces = self.conns.iter().filter_map(|(_, conn)| Some(conn.ages()?.0 + CLIENT_GRACE));
        let pause = now.instant + ACCEPT_PAUSE;
        let until = graces.filter(|_| can_evict).chain([pause]).min();
        self.timers.set(Owner::Accept, until);
        false
    }

    pub(super) fn resume_accept(&mut self) {
        self.accept_paused = false;
        self.timers.set(Owner::Accept, None);
        self.outputs.push_back(Output::Accept);
    }

    /// Closes the client that has gone longest without a complete response. Returns whether there was one.
    /// A pending response does not protect a client: one that never reads would stay. New clients are
    /// evicted last, the oldest first, so that neither many connections nor frequent requests evict a
    /// client before its first request.
    pub(super) fn evict(&mut self) -> bool {
        let Some(id) = self.least_useful_client(true, false) else { return false };
        self.close(id);
        true
    }

    /// The client to evict first; streams are last.
    pub(super) fn least_useful_client(&self, even_if_new: bool, only_streams: bool) -> Option<ConnId> {
        let clients = self.conns.iter().filter_map(|(id, conn)| {
            let (accepted_at, last_response_at) = conn.ages()?;
            let is_stream = matches!(conn, Conn::Stream(_));
            let is_new = self.seen.saturating_duration_since(accepted_at) < CLIENT_GRACE;
            Some((is_stream, is_new, if is_new { accepted_at } else { last_response_at }, id))
        });
        let clients = clients
            .filter(|(is_stream, is_new, ..)| (even_if_new || !is_new) && (*is_stream || !only_streams));
        let (.., id) = clients.min()?;
        Some(id)
    }
}
