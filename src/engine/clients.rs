//! API clients: their requests, pending responses and deadlines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::*;
use super::outbox::Outbox;
use super::streams::Stream;
use super::{ConnId, ConnOwner, Engine, Input, Output, Owner};
use crate::api::client::{Client, Next};
use crate::api::response::{BODY_COPY_MAX, Response, head};
use crate::api::routes::{Answer, ListingPage, answer, status};
use crate::clock::Now;
use crate::wire::http::request::{Method, Request};

/// One API client's connection.
pub(super) struct ApiConn {
    client: Client,
    pub(super) outbox: Outbox,
    stage: Stage,
    /// The peer has shut down its sending side; it may still read.
    read_closed: bool,
    /// A request whose response waits for the process statistics.
    pub(super) held: Option<Request>,
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
    pub(super) fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// Memory of unanswered requests, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(super) fn inbox(&self) -> usize {
        self.client.held()
    }

    /// When the peer must have taken the whole response.
    fn send_deadline(&self) -> Instant {
        let slack_s = self.outbox.held() / CLIENT_RATE;
        self.response_queued_at + CLIENT_STALL + Duration::from_secs(slack_s as u64)
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
        }
        self.clients += 1;
        let id = self.cx.add(ConnOwner::Client);
        let conn = ApiConn {
            client: Client::new(),
            outbox: Outbox::default(),
            stage: Stage::Open,
            read_closed: false,
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
            Some(ApiPeer::Client(_)) => self.clients -= 1,
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
        let Some(conn) = self.api_conn(id) else { return };
        if conn.stage == Stage::Open && conn.outbox.is_empty() && conn.head_deadline.is_some() {
            return self.refuse(id, 408, now);
        }
        self.close_client(id);
    }

    pub(super) fn api_conn(&mut self, id: ConnId) -> Option<&mut ApiConn> {
        match self.api.get_mut(id) {
            Some(ApiPeer::Client(conn)) => Some(conn),
            _ => None,
        }
    }

    /// Processes the next request, unless a response is pending.
    fn process_requests(&mut self, id: ConnId, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        if conn.stage != Stage::Open || !conn.outbox.is_empty() || conn.held.is_some() {
            return;
        }
        let next = conn.client.next();
        if next == Next::Wait && conn.client.is_large() && self.heads() > HEADS_MAX {
            return self.refuse(id, 503, now);
        }
        let Some(conn) = self.api_conn(id) else { return };
        match next {
            Next::Request(request) => self.reply(id, request, now),
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
        match answer(&request, &self.cx.targets, &self.guard, now) {
            Answer::Now(response) => self.respond(id, &request, response, now),
            Answer::Listing(page) => self.reply_with_listing(id, request, page, now),
            Answer::Wait(wait) => self.open_wait(id, &request, wait, now),
            Answer::Events(wanted) => self.open_stream(id, &request, &wanted, now),
        }
    }

    #[cold]
    fn reply_with_listing(&mut self, id: ConnId, request: Request, page: ListingPage, now: Now) {
        let body = match self.listings.get(page, self.cx.targets.changes(), now.instant) {
            Some(body) => body,
            None if page == ListingPage::Metrics => return self.await_process_stats(id, request),
            None => {
                self.make_room(page);
                self.add_listing(page, status(&self.cx.targets, now), now)
            }
        };
        self.send_listing(id, &request, page, body, now);
    }

    /// Closes the readers of the oldest listings of a page, if there are too many for another one.
    pub(super) fn make_room(&mut self, page: ListingPage) {
        while let Some(body) = self.listings.take_excess(page) {
            let shares = |peer: &ApiPeer| matches!(peer, ApiPeer::Client(conn) if conn.outbox.shares(&body));
            let readers = self.api.iter().filter(|(_, peer)| shares(peer)).map(|(id, _)| id);
            readers.collect::<Vec<_>>().into_iter().for_each(|id| self.close_client(id));
        }
    }

    pub(super) fn add_listing(&mut self, page: ListingPage, body: Vec<u8>, now: Now) -> Arc<Vec<u8>> {
        let body = Arc::new(body);
        self.listings.add(page, self.cx.targets.changes(), body.clone(), now.instant);
        body
    }

    pub(super) fn send_listing(
        &mut self,
        id: ConnId,
        request: &Request,
        page: ListingPage,
        body: Arc<Vec<u8>>,
        now: Now,
    ) {
        let date = self.date.at(now.unix);
        let Request { keep_alive, http11, .. } = *request;
        let mut head = head(200, page.content_type(), "", body.len(), keep_alive, http11, date);
        if request.method == Method::Head {
            return self.send_response(id, head, keep_alive, now);
        }
        if body.len() <= BODY_COPY_MAX {
            head.extend_from_slice(&body);
            return self.send_response(id, head, keep_alive, now);
        }
        let Some(conn) = self.api_conn(id) else { return };
        conn.outbox.push_shared(head, body);
        self.note_response(id, keep_alive, now);
    }

    fn respond(&mut self, id: ConnId, request: &Request, response: Response, now: Now) {
        let head_only = request.method == Method::Head;
        let date = self.date.at(now.unix);
        let bytes = response.write(head_only, request.keep_alive, request.http11, date);
        self.send_response(id, bytes, request.keep_alive, now);
    }

    fn refuse(&mut self, id: ConnId, status: u16, now: Now) {
        let bytes = Response::error(status).write(false, false, true, self.date.at(now.unix));
        let Some(conn) = self.api_conn(id) else { return };
        conn.client = Client::new();
        self.send_response(id, bytes, false, now);
    }

    pub(super) fn send_response(&mut self, id: ConnId, bytes: Vec<u8>, keep: bool, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        conn.outbox.push(bytes);
        self.note_response(id, keep, now);
    }

    /// Notes that a response was queued; the last one unless `keep`.
    fn note_response(&mut self, id: ConnId, keep: bool, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        conn.head_deadline = None;
        if !keep {
            conn.stage = Stage::Closing;
        }
        conn.response_queued_at = now.instant;
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
        self.cx.outputs.push_back(Output::Write(id));
    }

    fn handle_sent(&mut self, id: ConnId, count: usize, now: Now) {
        let Some(conn) = self.api_conn(id) else { return };
        let is_whole = count == conn.outbox.unsent().len();
        conn.outbox.advance(count);
        if !conn.outbox.is_empty() {
            let stall_by = (now.instant + CLIENT_STALL).min(conn.send_deadline());
            self.cx.timers.set(Owner::Client(id), Some(stall_by));
            if is_whole {
                // The head was sent, and the shared body follows.
                self.cx.outputs.push_back(Output::Write(id));
            }
            return;
        }
        conn.last_response_at = now.instant;
        match conn.stage {
            Stage::Open => {
                self.process_requests(id, now);
                if self.room(id) > 0 {
                    self.cx.outputs.push_back(Output::Read(id));
                }
            }
            Stage::Closing if conn.read_closed => self.close_client(id),
            Stage::Closing => {
                conn.stage = Stage::Lingering;
                self.cx.outputs.push_back(Output::Shutdown(id));
                self.cx.outputs.push_back(Output::Read(id));
                self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_LINGER));
            }
            Stage::Lingering => {}
        }
    }
}
