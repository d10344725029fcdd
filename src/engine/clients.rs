//! API clients: their requests, pending responses and deadlines.

use std::time::{Duration, Instant};

use super::limits::*;
use super::outbox::Outbox;
use super::streams::Stream;
use super::{ConnId, ConnOwner, Engine, Input, Output, Owner};
use crate::api::client::{Client, Next};
use crate::api::response::Response;
use crate::api::response_cache::CacheKey;
use crate::api::routes::{Answer, ResponseSize, answer};
use crate::clock::Now;
use crate::wire::http::request::{Method, Request};

/// One API client's connection.
pub(super) struct ApiConn {
    client: Client,
    pub(super) outbox: Outbox,
    stage: Stage,
    /// The peer has shut down its sending side; it may still read.
    read_closed: bool,
    /// Size of the response in the outbox, or of the deferred one.
    pub(super) size: ResponseSize,
    /// A request whose response waits for memory ([`OWED_MAX`]) or for the process statistics.
    held: Option<Request>,
    pub(super) accepted_at: Instant,
    /// When it last took a complete response, at first when it was accepted.
    pub(super) last_response_at: Instant,
    /// When the request head must be complete.
    head_deadline: Option<Instant>,
    pub(super) response_queued_at: Instant,
}

/// The state of an API client's connection.
pub(super) enum ApiPeer {
    Client(Box<ApiConn>),
    Stream(Box<Stream>),
}

impl ApiPeer {
    pub(super) fn unsent(&self) -> &[u8] {
        match self {
            ApiPeer::Client(conn) => conn.unsent(),
            ApiPeer::Stream(stream) => stream.outbox.unsent(),
        }
    }

    pub(super) fn room(&self) -> usize {
        match self {
            ApiPeer::Client(conn) => conn.room(),
            ApiPeer::Stream(_) => usize::MAX,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The last response is being sent.
    Closing,
    /// The sending side is shut down. The connection stays open until the peer closes its side: an earlier
    /// close could reset it before the peer has read the response (RFC 9112 section 9.6).
    Lingering,
}

impl ApiConn {
    pub(super) fn defer_request(&mut self, request: Request, size: ResponseSize) {
        (self.held, self.size) = (Some(request), size);
    }

    pub(super) fn take_held(&mut self) -> Option<(Request, ResponseSize)> {
        Some((self.held.take()?, self.size))
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// Memory of unanswered requests, in bytes.
    #[cfg(test)]
    pub(super) fn inbox(&self) -> usize {
        self.client.held()
    }

    /// When the peer must have taken the whole response.
    fn send_deadline(&self) -> Instant {
        let slack_s = self.outbox.held() / CLIENT_RATE;
        self.response_queued_at + CLIENT_STALL + Duration::from_secs(slack_s as u64)
    }

    /// Whether the peer reads more slowly than [`CLIENT_RATE_WAITED_FOR`].
    fn is_slow(&self, now: Now) -> bool {
        let taken = self.outbox.held() - self.outbox.len();
        let span_s = now.instant.saturating_duration_since(self.response_queued_at).as_secs();
        !self.outbox.is_empty() && (taken as u64) < span_s.saturating_mul(CLIENT_RATE_WAITED_FOR as u64)
    }

    /// Bytes that may be read; zero while a response is pending.
    pub(super) fn room(&self) -> usize {
        match self.stage {
            Stage::Lingering => usize::MAX,
            Stage::Open if self.outbox.is_empty() && self.held.is_none() => self.client.room(),
            Stage::Open | Stage::Closing => 0,
        }
    }
}

impl Engine {
    /// Adds a new API client. At the limit of clients, another one is evicted.
    pub(crate) fn accept(&mut self, now: Now) -> ConnId {
        let now = self.update_clock(now);
        if self.clients >= self.shares.clients {
            self.evict();
            self.release_held(now);
        }
        self.clients += 1;
        let id = self.cx.add(ConnOwner::Client);
        let conn = ApiConn {
            client: Client::new(),
            outbox: Outbox::default(),
            stage: Stage::Open,
            read_closed: false,
            size: ResponseSize::Word,
            held: None,
            accepted_at: now.instant,
            last_response_at: now.instant,
            head_deadline: None,
            response_queued_at: now.instant,
        };
        self.api.insert(id, ApiPeer::Client(Box::new(conn)));
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        id
    }

    pub(super) fn close_client(&mut self, id: ConnId) {
        self.forget_client(id);
        self.cx.close(id);
    }

    /// Removes a client whose connection is closed already.
    pub(super) fn drop_client(&mut self, id: ConnId) {
        self.forget_client(id);
        self.cx.drop_conn(id);
    }

    fn forget_client(&mut self, id: ConnId) {
        match self.api.remove(id) {
            Some(ApiPeer::Client(conn)) => {
                self.clients -= 1;
                self.response_budget.sub(conn.size, conn.outbox.held());
                self.response_budget.leave(id);
            }
            Some(ApiPeer::Stream(_)) => self.streams.retain(|stream| *stream != id),
            None => return,
        }
        self.cx.timers.set(Owner::Client(id), None);
    }

    /// Removes the client from the count of clients, as it becomes a stream. Returns whether it has shut
    /// down its sending side, or `None` if it is closed.
    pub(super) fn leave_clients(&mut self, id: ConnId) -> Option<bool> {
        let read_closed = self.api_conn(id)?.read_closed;
        self.clients -= 1;
        Some(read_closed)
    }

    pub(super) fn handle_client(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        match input {
            Input::Received(bytes) => {
                if conn.stage == Stage::Open {
                    conn.client.receive(bytes);
                    self.process_requests(id, now);
                }
            }
            Input::Closed => {
                conn.read_closed = true;
                match conn.stage {
                    Stage::Lingering => self.close_client(id),
                    Stage::Open => self.process_requests(id, now),
                    Stage::Closing => {}
                }
            }
            Input::Sent(count) => self.handle_sent(id, count, now),
            Input::Failed(_) => {
                self.drop_client(id);
            }
            Input::Connected | Input::Datagram(..) => {}
        }
    }

    pub(super) fn handle_client_timeout(&mut self, id: ConnId, now: Now) {
        if self.evict_slow_client(id, now) {
            return;
        }
        let Some(conn) = self.api_conn(id) else { return };
        if conn.stage == Stage::Open && conn.outbox.is_empty() {
            let status = match (&conn.held, conn.head_deadline) {
                (Some(_), _) => Some(503),
                (None, Some(_)) => Some(408),
                (None, None) => None,
            };
            if let Some(status) = status {
                return self.refuse(id, status, now);
            }
        }
        self.close_client(id);
    }

    /// If this client's request is deferred, closes the client that has been reading its own response too
    /// slowly for longest. Returns whether this client's request is then answered.
    fn evict_slow_client(&mut self, id: ConnId, now: Now) -> bool {
        let waiting = self.api_conn(id).filter(|conn| conn.held.is_some());
        let Some(size) = waiting.map(|conn| conn.size) else { return false };
        let slow = self.api.iter().filter_map(|(id, conn)| match conn {
            ApiPeer::Client(conn) if conn.size == size && conn.is_slow(now) => {
                Some((conn.response_queued_at, id))
            }
            _ => None,
        });
        let Some((_, slowest)) = slow.min() else { return false };
        self.close_client(slowest);
        self.release_held(now);
        self.response_budget.is_measured_for(id) || self.api_conn(id).is_some_and(|conn| conn.held.is_none())
    }

    pub(super) fn api_conn(&mut self, id: ConnId) -> Option<&mut ApiConn> {
        match self.api.get_mut(id) {
            Some(ApiPeer::Client(conn)) => Some(conn),
            _ => None,
        }
    }

    /// Processes the next request, unless a response is pending.
    fn process_requests(&mut self, id: ConnId, now: Now) {
        let Some(ApiPeer::Client(conn)) = self.api.get_mut(id) else { return };
        if conn.stage != Stage::Open || !conn.outbox.is_empty() || conn.held.is_some() {
            return;
        }
        let next = conn.client.next(&mut self.response_cache);
        if next == Next::Wait && conn.client.is_large() && self.heads() > HEADS_MAX {
            return self.refuse(id, 503, now);
        }
        let Some(conn) = self.api_conn(id) else { return };
        match next {
            Next::Request(request) => self.reply(id, request, now),
            Next::Again => self.repeat(id, now),
            Next::Refuse(status) => self.refuse(id, status, now),
            Next::Wait if conn.read_closed => self.close_client(id),
            Next::Wait if conn.client.is_idle() => {
                let idle_by = conn.last_response_at + CLIENT_IDLE;
                self.cx.timers.set(Owner::Client(id), Some(idle_by));
            }
            Next::Wait => {
                let head_deadline = *conn.head_deadline.get_or_insert(now.instant + CLIENT_HEAD);
                self.cx.timers.set(Owner::Client(id), Some(head_deadline));
            }
        }
    }

    /// Bytes of unanswered requests of all clients.
    fn heads(&self) -> usize {
        let clients = self.api.iter().map(|(_, conn)| match conn {
            ApiPeer::Client(conn) => conn.client.held(),
            _ => 0,
        });
        clients.sum()
    }

    fn reply(&mut self, id: ConnId, request: Request, now: Now) {
        let size = ResponseSize::of(&request, &self.cx.targets);
        if self.response_budget.is_full(size) {
            return self.wait_for_room(id, request, size, now);
        }
        let response = match answer(&request, &self.cx.targets, &self.guard, now) {
            Answer::Now(response) => response,
            Answer::Metrics => return self.await_process_stats(id, request, size, now),
            Answer::Wait(wait) => return self.open_wait(id, &request, wait, now),
            Answer::Events(wanted) => return self.open_stream(id, &request, &wanted, now),
        };
        self.respond(id, &request, size, response, now);
    }

    /// Defers the request until other responses have been sent.
    fn wait_for_room(&mut self, id: ConnId, request: Request, size: ResponseSize, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        conn.defer_request(request, size);
        self.response_budget.wait(size, id);
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
    }

    pub(super) fn respond(
        &mut self,
        id: ConnId,
        request: &Request,
        size: ResponseSize,
        response: Response,
        now: Now,
    ) {
        let head_only = request.method == Method::Head;
        let date = self.date.at(now.unix);
        let bytes = response.write(head_only, request.keep_alive, request.http11, date);
        if size == ResponseSize::Word {
            self.response_cache.note_answer(request, &bytes, self.moment(now));
        }
        self.send_response(id, size, bytes, request.keep_alive, now);
    }

    /// Answers a request that equals the last one.
    fn repeat(&mut self, id: ConnId, now: Now) {
        let Some(request) = self.response_cache.request() else { return };
        match self.response_cache.answer(self.moment(now)) {
            Some(answer) => {
                self.send_response(id, ResponseSize::Word, answer.to_vec(), request.keep_alive, now)
            }
            None => self.reply(id, request.clone(), now),
        }
    }

    /// All that cacheable responses depend on.
    fn moment(&self, now: Now) -> CacheKey {
        CacheKey { second: now.unix.as_secs(), changes: self.cx.targets.changes() }
    }

    fn refuse(&mut self, id: ConnId, status: u16, now: Now) {
        let bytes = Response::error(status).write(false, false, true, self.date.at(now.unix));
        self.response_budget.leave(id);
        let Some(conn) = self.api_conn(id) else { return };
        conn.client = Client::new();
        self.send_response(id, ResponseSize::Word, bytes, false, now);
    }

    pub(super) fn send_response(
        &mut self,
        id: ConnId,
        size: ResponseSize,
        bytes: Vec<u8>,
        keep: bool,
        now: Now,
    ) {
        let len = bytes.len();
        let Some(conn) = self.api_conn(id) else { return };
        conn.held = None;
        conn.head_deadline = None;
        if !keep {
            conn.stage = Stage::Closing;
        }
        conn.response_queued_at = now.instant;
        conn.size = size;
        conn.outbox.push(bytes);
        self.response_budget.add(size, len);
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
        self.cx.outputs.push_back(Output::Write(id));
    }

    fn handle_sent(&mut self, id: ConnId, count: usize, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        let held = conn.outbox.held();
        conn.outbox.advance(count);
        if !conn.outbox.is_empty() {
            let stall_by = (now.instant + CLIENT_STALL).min(conn.send_deadline());
            self.cx.timers.set(Owner::Client(id), Some(stall_by));
            return;
        }
        conn.last_response_at = now.instant;
        let (stage, read_closed, size) = (conn.stage, conn.read_closed, conn.size);
        self.response_budget.sub(size, held);
        match stage {
            Stage::Open => {
                self.process_requests(id, now);
                if self.room(id) > 0 {
                    self.cx.outputs.push_back(Output::Read(id));
                }
            }
            Stage::Closing if read_closed => self.close_client(id),
            Stage::Closing => {
                if let Some(conn) = self.api_conn(id) {
                    conn.stage = Stage::Lingering;
                }
                self.cx.outputs.push_back(Output::Shutdown(id));
                self.cx.outputs.push_back(Output::Read(id));
                self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_LINGER));
            }
            Stage::Lingering => {}
        }
    }

    /// Answers deferred requests as far as the budget allows.
    pub(super) fn release_held(&mut self, now: Now) {
        while let Some(id) = self.response_budget.next() {
            if let Some((request, _)) = self.api_conn(id).and_then(ApiConn::take_held) {
                self.reply(id, request, now);
            }
        }
    }
}
