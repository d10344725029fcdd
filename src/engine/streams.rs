//! API connections that receive events or wait for a state.
//!
//! They have a limit of their own. Each has one small batch of unsent bytes and a cursor into the event log;
//! a client that falls behind the oldest stored event receives the number of dropped events.
//!
//! A client may shut down its sending side after the request and still read. If it has closed the connection,
//! its kernel answers the next bytes, or a TCP keep-alive probe, with a reset.

use super::api_conn::State;
use super::api_conns::ApiConns;
use super::context::Context;
use super::event_log::EventLog;
use super::ids::ConnId;
use super::messages::Output;
use super::owners::Owner;
use crate::api::client::Client;
use crate::api::events::{self, Subscription};
use crate::api::params::no_target;
use crate::api::response::Response;
use crate::api::wait::Wait;
use crate::wire::http::request::{Method, Request};

impl ApiConns {
    pub(super) fn publish(&mut self, events: &mut EventLog, cx: &mut Context) {
        for id in self.streams.clone() {
            self.refill(id, events, cx);
        }
    }

    #[cold]
    pub(super) fn open_stream(
        &mut self,
        id: ConnId,
        request: &Request,
        wanted: &Subscription,
        events: &mut EventLog,
        cx: &mut Context,
    ) {
        let head_only = request.method == Method::Head;
        let opening = events::opening(self.date.at(cx.now.unix), head_only).into_bytes();
        if head_only {
            return self.send(id, opening, false, cx);
        }
        let state = State::Streaming(events.cursor(wanted));
        if self.make_room_for_stream(id, request, cx) {
            self.convert_to_stream(id, state, cx);
            events.keeps_checks |= wanted.checks;
            self.send(id, opening, true, cx);
        }
    }

    #[cold]
    pub(super) fn open_wait(&mut self, id: ConnId, request: Request, wait: Wait, cx: &mut Context) {
        let reached = wait.reached(&cx.targets);
        let at_once = reached.or_else(|| wait.timeout.is_zero().then(|| wait.timed_out(&cx.targets)));
        if let Some(response) = at_once {
            return self.respond(id, &request, response, false, cx);
        }
        if self.make_room_for_stream(id, &request, cx) {
            let until = cx.now.instant + wait.timeout;
            self.convert_to_stream(id, State::Waiting { request, wait: Some(wait) }, cx);
            cx.timers.set(Owner::Client(id), Some(until));
        }
    }

    /// At the limit of streams, another stream is evicted, or the request refused if all streams are new.
    /// Returns whether there is room.
    fn make_room_for_stream(&mut self, id: ConnId, request: &Request, cx: &mut Context) -> bool {
        if self.streams.len() < self.streams_max {
            return true;
        }
        let Some(stream) = self.least_useful_client(true, cx.now.instant) else {
            let response = Response { body: "too many streams\n".into(), ..Response::error(503) };
            self.respond(id, request, response, false, cx);
            return false;
        };
        self.close(stream, cx);
        true
    }

    fn convert_to_stream(&mut self, id: ConnId, state: State, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        (conn.is_stream, conn.state, conn.client) = (true, state, Client::new());
        (conn.accepted_at, conn.last_response_at, conn.head_deadline) =
            (cx.now.instant, cx.now.instant, None);
        self.clients -= 1;
        self.streams.push(id);
        cx.outputs.push_back(Output::Read(id));
    }

    pub(super) fn handle_reload(&mut self, cx: &mut Context) {
        for id in self.streams.clone() {
            let Some(conn) = self.conns.get(id) else { continue };
            let target = match &conn.state {
                State::Streaming(cursor) => cursor.target,
                State::Waiting { wait: Some(wait), .. } => wait.target,
                _ => None,
            };
            if target.is_none_or(|target| cx.targets.get(target).is_some()) {
                continue;
            }
            match conn.state {
                State::Streaming(_) => self.close(id, cx),
                _ => self.finish_wait(id, no_target(), cx),
            }
        }
    }

    #[cold]
    pub(super) fn refill(&mut self, id: ConnId, events: &mut EventLog, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.outbox.is_empty()) else { return };
        match &mut conn.state {
            State::Streaming(cursor) => {
                let batch = events.batch(cursor, &cx.targets);
                if !batch.is_empty() {
                    self.send(id, batch.into_bytes(), true, cx);
                }
            }
            State::Waiting { wait: Some(wait), .. } => {
                if let Some(response) = wait.reached(&cx.targets) {
                    self.finish_wait(id, response, cx);
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish_wait(&mut self, id: ConnId, response: Response, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let State::Waiting { request, .. } = std::mem::replace(&mut conn.state, State::Closing) {
            self.respond(id, &request, response, false, cx);
        }
    }
}
