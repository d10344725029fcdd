//! API connections: their requests, responses and deadlines.

use std::sync::Arc;

use super::api_conn::{ApiConn, State};
use super::context::Context;
use super::event_log::EventLog;
use super::ids::{ById, ConnId};
use super::limits::*;
use super::listings::Listings;
use super::messages::{Input, Output};
use super::owners::{ConnOwner, Owner};
use crate::api::access::Access;
use crate::api::client::{Client, Next};
use crate::api::control::Control;
use crate::api::events::KEEP_ALIVE;
use crate::api::response::{BODY_COPY_MAX, Date, Response, head};
use crate::api::routes::{ListingPage, Reply, render, reply};
use crate::monitor::TargetId;
use crate::result::ProbeResult;
use crate::wire::http::request::{Method, Request};

pub(super) struct ApiConns {
    pub(super) conns: ById<Box<ApiConn>>,
    pub(super) clients: usize,
    pub(super) streams: Vec<ConnId>,
    pub(super) clients_max: usize,
    pub(super) streams_max: usize,
    pub(super) listings: Listings,
    /// Connections whose requests wait for the process statistics.
    pub(super) awaiting_stats: Vec<ConnId>,
    /// Connections whose requests [`super::Engine::process_liveness`] responds to.
    pub(super) awaiting_liveness: Vec<ConnId>,
    /// Heartbeats for [`super::probe_runs::ProbeRuns::record_heartbeat`].
    pub(super) heartbeats: Vec<(TargetId, ProbeResult)>,
    /// Requests for [`super::Engine::process_controls`].
    pub(super) controls: Vec<(ConnId, Control)>,
    pub(super) access: Access,
    pub(super) date: Date,
}

impl ApiConns {
    pub(super) fn new(access: Access, shares: &Shares) -> Self {
        ApiConns {
            conns: ById::new(),
            clients: 0,
            streams: Vec::new(),
            clients_max: shares.clients,
            streams_max: shares.streams,
            listings: Listings::default(),
            awaiting_stats: Vec::new(),
            awaiting_liveness: Vec::new(),
            heartbeats: Vec::new(),
            controls: Vec::new(),
            access,
            date: Date::default(),
        }
    }

    pub(super) fn unsent(&self, id: ConnId) -> &[u8] {
        self.conns.get(id).map_or(&[], |conn| conn.outbox.unsent())
    }

    pub(super) fn room(&self, id: ConnId) -> usize {
        self.conns.get(id).map_or(0, |conn| conn.room())
    }

    pub(super) fn is_stream(&self, id: ConnId) -> bool {
        self.conns.get(id).is_some_and(|conn| conn.is_stream)
    }

    pub(super) fn accept(&mut self, cx: &mut Context) -> ConnId {
        if self.clients >= self.clients_max {
            self.evict_idle_client(cx);
        }
        self.clients += 1;
        let id = cx.add(ConnOwner::Client);
        self.conns.insert(id, Box::new(ApiConn::new(cx.now.instant)));
        cx.timers.set(Owner::Client(id), Some(cx.now.instant + CLIENT_IDLE));
        id
    }

    pub(super) fn close(&mut self, id: ConnId, cx: &mut Context) {
        self.remove(id, cx);
        cx.close(id);
    }

    fn remove(&mut self, id: ConnId, cx: &mut Context) {
        match self.conns.remove(id) {
            Some(conn) if conn.is_stream => self.streams.retain(|stream| *stream != id),
            Some(_) => self.clients -= 1,
            None => return,
        }
        cx.timers.set(Owner::Client(id), None);
    }

    pub(super) fn handle_input(
        &mut self,
        id: ConnId,
        input: Input<'_>,
        events: &mut EventLog,
        cx: &mut Context,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match input {
            Input::Received(bytes) if conn.is_stream => {
                conn.ignored = conn.ignored.saturating_add(bytes.len());
                if conn.ignored > STREAM_INPUT_MAX {
                    self.close(id, cx);
                }
            }
            Input::Received(bytes) => match conn.state {
                State::Reading => {
                    conn.client.receive(bytes);
                    self.process_requests(id, events, cx);
                }
                State::ReadingBody(_) => self.receive_body(id, bytes, cx),
                _ => {}
            },
            Input::Closed => {
                conn.read_closed = true;
                match conn.state {
                    State::Lingering | State::ReadingBody(_) => self.close(id, cx),
                    State::Reading => self.process_requests(id, events, cx),
                    State::Waiting { .. } | State::Streaming(_) | State::Closing => {}
                }
            }
            Input::Sent(count) => self.handle_sent(id, count, events, cx),
            Input::Failed(_) => {
                self.remove(id, cx);
                cx.drop_conn(id);
            }
            Input::Connected | Input::Datagram(..) | Input::IcmpMessage { .. } | Input::IcmpError { .. } => {}
        }
    }

    fn handle_sent(&mut self, id: ConnId, count: usize, events: &mut EventLog, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let is_whole = count == conn.outbox.unsent().len();
        conn.outbox.advance(count);
        if !conn.outbox.is_empty() {
            cx.timers.set(Owner::Client(id), Some(conn.send_deadline(cx.now.instant)));
            if is_whole {
                // The head was sent, and the shared body follows.
                cx.outputs.push_back(Output::Write(id));
            }
            return;
        }
        conn.last_response_at = cx.now.instant;
        match conn.state {
            State::Reading => {
                self.process_requests(id, events, cx);
                if self.room(id) > 0 {
                    cx.outputs.push_back(Output::Read(id));
                }
            }
            State::Streaming(_) => {
                cx.timers.set(Owner::Client(id), Some(cx.now.instant + STREAM_KEEP_ALIVE));
                self.refill(id, events, cx);
            }
            State::Closing if conn.read_closed => self.close(id, cx),
            State::Closing => {
                conn.state = State::Lingering;
                cx.outputs.push_back(Output::Shutdown(id));
                if !conn.is_stream {
                    cx.outputs.push_back(Output::Read(id));
                }
                cx.timers.set(Owner::Client(id), Some(cx.now.instant + CLIENT_LINGER));
            }
            // The interim response was sent.
            State::ReadingBody(_) => cx.timers.set(Owner::Client(id), conn.head_deadline),
            State::Waiting { .. } | State::Lingering => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, id: ConnId, cx: &mut Context) {
        let Some(conn) = self.conns.get(id) else { return };
        match &conn.state {
            _ if !conn.outbox.is_empty() => self.close(id, cx),
            State::Reading if conn.head_deadline.is_some() => self.refuse(id, 408, cx),
            State::ReadingBody(_) => self.refuse(id, 408, cx),
            State::Streaming(_) => self.send(id, KEEP_ALIVE.into(), true, cx),
            State::Waiting { wait: Some(wait), .. } => {
                // The state may have been reached in this turn.
                let response = wait.reached(&cx.targets).unwrap_or_else(|| wait.timed_out(&cx.targets));
                self.finish_wait(id, response, cx);
            }
            State::Reading | State::Waiting { wait: None, .. } | State::Closing | State::Lingering => {
                self.close(id, cx);
            }
        }
    }

    fn process_requests(&mut self, id: ConnId, events: &mut EventLog, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if !matches!(conn.state, State::Reading) || !conn.outbox.is_empty() {
            return;
        }
        match conn.client.next() {
            Next::Request(request) => self.reply(id, request, events, cx),
            Next::Refuse(status) => self.refuse(id, status, cx),
            Next::Wait if conn.client.is_large && self.received() > HEADS_MAX => self.refuse(id, 503, cx),
            Next::Wait => self.await_request(id, cx),
        }
    }

    pub(super) fn received(&self) -> usize {
        self.conns.iter().map(|(_, conn)| conn.client.held()).sum()
    }

    fn await_request(&mut self, id: ConnId, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.read_closed {
            return self.close(id, cx);
        }
        let deadline = match conn.client.is_idle() {
            true => conn.last_response_at + CLIENT_IDLE,
            false => *conn.head_deadline.get_or_insert(cx.now.instant + CLIENT_HEAD),
        };
        cx.timers.set(Owner::Client(id), Some(deadline));
    }

    fn reply(&mut self, id: ConnId, request: Request, events: &mut EventLog, cx: &mut Context) {
        let body = self.conns.get_mut(id).map(|conn| conn.client.take_body()).unwrap_or_default();
        match reply(&request, &cx.targets, &self.access, cx.now) {
            Reply::Heartbeat(report) => self.reply_to_heartbeat(id, request, report, &body, cx),
            Reply::Now(response) => self.respond(id, &request, response, request.keep_alive, cx),
            Reply::Listing(page, field) => self.reply_with_listing(id, request, (page, field), cx),
            Reply::Wait(wait) => self.open_wait(id, request, wait, cx),
            Reply::Liveness => self.await_liveness(id, request, cx),
            Reply::Control(control) => self.await_control(id, request, control),
            Reply::Events(wanted) => self.open_stream(id, &request, &wanted, events, cx),
        }
    }

    #[cold]
    pub(super) fn reply_with_listing(
        &mut self,
        id: ConnId,
        request: Request,
        (page, field): (ListingPage, &'static str),
        cx: &mut Context,
    ) {
        if let Some(body) = self.listings.get(&page, cx.targets.changes(), cx.now.instant) {
            return self.send_listing(id, &request, (&page, field), body, cx);
        }
        self.make_room(&page, cx);
        let Some(body) = render(&page, &cx.targets, cx.now) else {
            return self.await_stats(id, request, cx);
        };
        let body = self.add_listing(&page, body, cx);
        self.send_listing(id, &request, (&page, field), body, cx);
    }

    fn await_stats(&mut self, id: ConnId, request: Request, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.await_response(request);
        if self.awaiting_stats.is_empty() {
            cx.outputs.push_back(Output::ReadProcessStats);
        }
        self.awaiting_stats.push(id);
    }

    /// Closes the readers of the oldest listings of a page, if there are too many for another one.
    pub(super) fn make_room(&mut self, page: &ListingPage, cx: &mut Context) {
        while let Some(body) = self.listings.take_excess(page) {
            let readers = self.conns.iter().filter(|(_, conn)| conn.outbox.shares(&body)).map(|(id, _)| id);
            readers.collect::<Vec<_>>().into_iter().for_each(|id| self.close(id, cx));
        }
    }

    fn add_listing(&mut self, page: &ListingPage, body: Vec<u8>, cx: &Context) -> Arc<Vec<u8>> {
        let body = Arc::new(body);
        self.listings.add(page.clone(), cx.targets.changes(), body.clone(), cx.now.instant);
        body
    }

    pub(super) fn handle_metrics(&mut self, body: Vec<u8>, cx: &mut Context) {
        let page = &ListingPage::Metrics;
        let body = self.add_listing(page, body, cx);
        for id in std::mem::take(&mut self.awaiting_stats) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if let State::Waiting { request, .. } = std::mem::replace(&mut conn.state, State::Reading) {
                self.send_listing(id, &request, (page, ""), body.clone(), cx);
            }
        }
    }

    fn send_listing(
        &mut self,
        id: ConnId,
        request: &Request,
        (page, field): (&ListingPage, &str),
        body: Arc<Vec<u8>>,
        cx: &mut Context,
    ) {
        let date = self.date.at(cx.now.unix);
        let Request { keep_alive, http11, .. } = *request;
        let page_fields = self.access.page_fields().filter(|_| *page == ListingPage::Page);
        let fields = [field, page_fields.unwrap_or_default()].concat();
        let mut head = head(200, page.content_type(), &fields, body.len(), keep_alive, http11, date);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if request.method == Method::Head {
            conn.outbox.push(head);
        } else if body.len() <= BODY_COPY_MAX {
            head.extend_from_slice(&body);
            conn.outbox.push(head);
        } else {
            conn.outbox.push_shared(head, body);
        }
        self.start_response(id, keep_alive, cx);
    }

    pub(super) fn respond(
        &mut self,
        id: ConnId,
        request: &Request,
        response: Response,
        keep_alive: bool,
        cx: &mut Context,
    ) {
        let head_only = request.method == Method::Head;
        let bytes = response.write(head_only, keep_alive, request.http11, self.date.at(cx.now.unix));
        self.send(id, bytes, keep_alive, cx);
    }

    pub(super) fn refuse(&mut self, id: ConnId, status: u16, cx: &mut Context) {
        let bytes = Response::error(status).write(false, false, true, self.date.at(cx.now.unix));
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.client = Client::new();
        self.send(id, bytes, false, cx);
    }

    pub(super) fn send(&mut self, id: ConnId, bytes: Vec<u8>, keep_alive: bool, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.outbox.push(bytes);
        self.start_response(id, keep_alive, cx);
    }

    /// Begins to send the outbox. Without `keep_alive` the connection closes after it.
    fn start_response(&mut self, id: ConnId, keep_alive: bool, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.head_deadline = None;
        conn.response_queued_at = cx.now.instant;
        if !keep_alive {
            conn.state = State::Closing;
        }
        cx.timers.set(Owner::Client(id), Some(cx.now.instant + CLIENT_STALL));
        cx.outputs.push_back(Output::Write(id));
    }
}
