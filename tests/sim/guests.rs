//! The rules of the house for API clients: who must be served, who may be shown out and when.

use super::client::{Client, Kind};
use super::world::{Sock, World};
use crate::engine::ConnId;
use crate::engine::limits::{CLIENT_GRACE, CLIENT_IDLE, CLIENT_LINGER, CLIENT_STALL};

impl World {
    /// The client that has gone longest without a whole answer, those that have just come last, and streams
    /// after all others.
    pub(super) fn victim(&self, only_streams: bool) -> Option<ConnId> {
        let now = self.at.max(self.seen);
        let clients = self.socks.iter().filter_map(|(id, sock)| match sock {
            Sock::Client(client) if self.engine.knows(*id) => {
                let is_stream = self.engine.is_stream(*id);
                let is_fresh = is_stream && client.follow.is_none();
                let (came, since) = if is_fresh { (now, now) } else { (client.came, client.since) };
                let is_new = now - came < CLIENT_GRACE.as_nanos() as u64;
                Some((is_stream, is_new, if is_new { came } else { since }, *id))
            }
            _ => None,
        });
        let clients = clients.filter(|(is_stream, is_new, ..)| !only_streams || *is_stream && !is_new);
        clients.min().map(|(.., id)| id)
    }

    /// One had to give way.
    pub(super) fn check_evicted(&mut self, victim: Option<ConnId>) {
        let Some(id) = victim else { return };
        assert!(!self.engine.knows(id), "the wrong one, or none, gave way instead of {id:?}");
        self.counters.add("clients: evicted");
        if let Some(Sock::Client(client)) = self.socks.get_mut(&id) {
            client.evicted = true;
        }
    }

    pub(super) fn excuse_clients(&mut self) {
        for sock in self.socks.values_mut() {
            if let Sock::Client(client) = sock {
                client.excused = true;
            }
        }
    }

    /// The engine has closed a client: was that right?
    pub(super) fn check_client_closed(&self, id: ConnId, client: &Client) {
        let idle = self.seen >= client.since + CLIENT_IDLE.as_nanos() as u64;
        if client.evicted {
            return;
        }
        if let Some(follow) = &client.follow {
            assert!(self.is_stream_over(client, follow), "{id:?} ({:?}) is closed for nothing", client.kind);
            return;
        }
        if client.excused {
            return;
        }
        match client.kind {
            Kind::Silent => assert!(idle, "{id:?} is closed before its time"),
            Kind::Polite | Kind::Pipeline => {
                assert!(
                    client.asked.is_empty() && client.owing == 0,
                    "{id:?} ({:?}) is not answered",
                    client.kind
                );
                assert!(
                    client.over || client.ended || idle,
                    "{id:?} ({:?}) is closed for nothing",
                    client.kind
                );
            }
            Kind::Drip | Kind::Deaf | Kind::Hostile | Kind::Vanish => {}
        }
    }

    /// No client stays that has done nothing for as long as one may.
    pub(super) fn check_clients_due(&self, now: u64) {
        for (id, sock) in &self.socks {
            let Sock::Client(client) = sock else { continue };
            let patience = match client.owing {
                0 if client.shut => CLIENT_LINGER,
                0 => CLIENT_IDLE,
                _ => CLIENT_STALL,
            };
            let follow = client.follow.as_ref().filter(|follow| client.owing == 0 && !follow.closing);
            let due = client.touched + patience.as_nanos() as u64;
            let due = follow.map_or(due, |follow| follow.due(client.since));
            assert!(due > now, "{id:?} ({:?}) stays for ever", client.kind);
        }
    }

    /// At the end of a turn nothing waits that could go on.
    pub(super) fn check_turn(&mut self) {
        for (id, sock) in &self.socks {
            let Sock::Client(client) = sock else { continue };
            let waits = !client.pending.is_empty() || client.ended && !client.end_told;
            let stuck = waits && self.engine.room(*id) > 0 && !self.hot.contains(id);
            assert!(!stuck, "{id:?} ({:?}) is not read", client.kind);
        }
        self.check_streams();
    }
}
