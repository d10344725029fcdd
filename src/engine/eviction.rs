//! Which API client is closed when there are too many, or when the system has no descriptor for another.

use std::time::Instant;

use super::limits::*;
use super::{Conn, ConnId, Engine, Output, Owner};
use crate::clock::Now;

impl Conn {
    /// When an API client came, and when it last had all that there was for it.
    fn ages(&self) -> Option<(Instant, Instant)> {
        match self {
            Conn::Client(caller) => Some((caller.accepted_at, caller.last_response_at)),
            Conn::Stream(stream) => Some((stream.accepted_at, stream.since)),
            _ => None,
        }
    }
}

impl Engine {
    /// A new client could not be taken in; `can_evict` if for want of something that another client
    /// holds. Says whether it is worth trying again at once; otherwise [`Output::Accept`] says when.
    pub(crate) fn handle_accept_failed(&mut self, can_evict: bool, now: Now) -> bool {
        let now = self.update_clock(now);
        // It fails even if nobody waits: a client that has just got the last descriptor stays.
        if let Some(id) = self.least_useful_client(false, false).filter(|_| can_evict) {
            self.close(id);
            self.release_held(now);
            return true;
        }
        self.accept_paused = true;
        // Until a client can be evicted: the next one may be waiting behind a crowd that has just come.
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

    /// Closes the client that has gone longest without a whole answer; says whether there was one. What
    /// it is owed does not protect it, or those that never read would stay. Those that have just come
    /// go last, the first of them first: so that neither a crowd nor clients that ask without pause
    /// push somebody out before he was heard.
    pub(super) fn evict(&mut self) -> bool {
        let Some(id) = self.least_useful_client(true, false) else { return false };
        self.close(id);
        true
    }

    /// The client to evict first. Streams go after all others.
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
