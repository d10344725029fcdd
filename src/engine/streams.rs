//! API clients that receive events or wait for a state.
//!
//! They have a limit of their own. Each has one small batch of unsent bytes and a cursor into the event log;
//! a client that falls behind the oldest stored event receives the number of dropped events.
//!
//! A client may shut down its sending side after the request and still read. If it has closed the connection,
//! its kernel answers the next bytes, or a TCP keep-alive probe, with a reset.

use std::time::Instant;

use super::event_log::Cursor;
use super::limits::*;
use super::outbox::Outbox;
use super::{ApiPeer, ConnId, Engine, Input, Output, Owner};
use crate::api::events::{self, KEEP_ALIVE, Subscription};
use crate::api::params::no_target;
use crate::api::response::Response;
use crate::api::wait::Wait;
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::{Target, TargetId};
use crate::wire::http::request::{Method, Request};

pub(super) struct Stream {
    kind: StreamKind,
    pub(super) outbox: Outbox,
    stage: Stage,
    /// The peer has shut down its sending side; it may still read.
    read_closed: bool,
    pub(super) accepted_at: Instant,
    /// When its outbox was last sent completely, at first when it was accepted.
    pub(super) drained_at: Instant,
    /// Bytes received after the request, which are ignored.
    received: usize,
}

enum StreamKind {
    Events(Cursor),
    /// One response once a state is reached.
    Answer {
        wait: Wait,
        head_only: bool,
        http11: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The response is being sent.
    Closing,
    /// The sending side is shut down; waits for the peer to close its side.
    Lingering,
}

impl Engine {
    /// Records the end of a check in the event log.
    pub(super) fn note_check(&mut self, target: TargetId, change: Option<&Change>, now: Now) {
        let Some(fsm) = self.cx.targets.get(target).map(Target::fsm) else { return };
        let Some(last) = fsm.last() else { return };
        if self.event_log.note(target, last, change, fsm.state()) && !self.streams.is_empty() {
            self.unpublished = Some(now);
        }
    }

    /// Sends new events to all streams with an empty outbox.
    pub(super) fn publish(&mut self, now: Now) {
        for id in self.streams.clone() {
            self.refill(id, now);
        }
    }

    #[cold]
    pub(super) fn open_stream(&mut self, id: ConnId, request: &Request, wanted: &Subscription, now: Now) {
        let head_only = request.method == Method::Head;
        let opening = events::opening(self.date.at(now.unix), head_only).into_bytes();
        if head_only {
            return self.send_response(id, opening, false, now);
        }
        let kind = StreamKind::Events(self.event_log.cursor(wanted));
        if self.convert_to_stream(id, request, kind, now) {
            self.event_log.keep(wanted);
            self.write_stream(id, opening, now);
        }
    }

    /// Responds at once if the state is reached or the timeout is zero.
    #[cold]
    pub(super) fn open_wait(&mut self, id: ConnId, request: &Request, wait: Wait, now: Now) {
        let head_only = request.method == Method::Head;
        let at_once = wait
            .reached(&self.cx.targets)
            .or_else(|| wait.timeout.is_zero().then(|| wait.timed_out(&self.cx.targets)));
        if let Some(response) = at_once {
            let bytes = response.write(head_only, false, request.http11, self.date.at(now.unix));
            return self.send_response(id, bytes, false, now);
        }
        let until = now.instant + wait.timeout;
        let kind = StreamKind::Answer { wait, head_only, http11: request.http11 };
        if self.convert_to_stream(id, request, kind, now) {
            self.cx.timers.set(Owner::Client(id), Some(until));
        }
    }

    /// Converts a client to a stream. At the limit of streams, another one is evicted, or the request refused
    /// if all are new.
    fn convert_to_stream(&mut self, id: ConnId, request: &Request, kind: StreamKind, now: Now) -> bool {
        if self.streams.len() >= self.shares.streams {
            let Some(least_useful_client) = self.least_useful_client(true) else {
                let response = Response { body: "too many streams\n".into(), ..Response::error(503) };
                let head_only = request.method == Method::Head;
                let bytes = response.write(head_only, false, request.http11, self.date.at(now.unix));
                self.send_response(id, bytes, false, now);
                return false;
            };
            self.close_client(least_useful_client);
        }
        let Some(read_closed) = self.leave_clients(id) else { return false };
        let stream = Stream {
            kind,
            outbox: Outbox::default(),
            stage: Stage::Open,
            read_closed,
            accepted_at: now.instant,
            drained_at: now.instant,
            received: 0,
        };
        self.api.insert(id, ApiPeer::Stream(Box::new(stream)));
        self.streams.push(id);
        self.cx.outputs.push_back(Output::Read(id));
        true
    }

    /// Ends streams and waits of removed targets.
    pub(super) fn end_streams_of_removed(&mut self, now: Now) {
        for id in self.streams.clone() {
            let Some(ApiPeer::Stream(stream)) = self.api.get(id) else { continue };
            let target = match &stream.kind {
                _ if stream.stage != Stage::Open => None,
                StreamKind::Events(cursor) => cursor.target,
                StreamKind::Answer { wait, .. } => wait.target,
            };
            if target.is_none_or(|target| self.cx.targets.get(target).is_some()) {
                continue;
            }
            match stream.kind {
                StreamKind::Events(_) => self.close_client(id),
                StreamKind::Answer { .. } => self.answer(id, no_target(), now),
            }
        }
        self.unpublished = (!self.streams.is_empty()).then_some(now);
    }

    #[cold]
    pub(super) fn handle_stream(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(stream) = self.stream(id) else { return };
        match input {
            Input::Received(bytes) => {
                stream.received = stream.received.saturating_add(bytes.len());
                if stream.received > STREAM_INPUT_MAX {
                    self.close_client(id);
                }
            }
            Input::Closed if stream.stage == Stage::Lingering => self.close_client(id),
            Input::Closed => stream.read_closed = true,
            Input::Sent(count) => {
                stream.outbox.advance(count);
                if !stream.outbox.is_empty() {
                    self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
                    return;
                }
                stream.drained_at = now.instant;
                match stream.stage {
                    Stage::Open => {
                        self.cx.timers.set(Owner::Client(id), Some(now.instant + STREAM_KEEP_ALIVE));
                        self.refill(id, now);
                    }
                    Stage::Closing if stream.read_closed => self.close_client(id),
                    Stage::Closing => {
                        stream.stage = Stage::Lingering;
                        self.cx.outputs.push_back(Output::Shutdown(id));
                        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_LINGER));
                    }
                    Stage::Lingering => {}
                }
            }
            Input::Failed(_) => {
                self.drop_client(id);
            }
            Input::Connected | Input::Datagram(..) => {}
        }
    }

    /// The peer takes no bytes, a keep-alive comment is due, or the wait has timed out.
    #[cold]
    pub(super) fn handle_stream_timeout(&mut self, id: ConnId, now: Now) {
        let Some(ApiPeer::Stream(stream)) = self.api.get(id) else { return };
        if stream.stage != Stage::Open || !stream.outbox.is_empty() {
            return self.close_client(id);
        }
        match &stream.kind {
            StreamKind::Events(_) => self.write_stream(id, KEEP_ALIVE.into(), now),
            StreamKind::Answer { wait, .. } => {
                // The state may have been reached in this turn.
                let response =
                    wait.reached(&self.cx.targets).unwrap_or_else(|| wait.timed_out(&self.cx.targets));
                self.answer(id, response, now);
            }
        }
    }

    /// Writes the next events or the response, if the outbox is empty.
    #[cold]
    fn refill(&mut self, id: ConnId, now: Now) {
        let Some(ApiPeer::Stream(stream)) = self.api.get_mut(id) else { return };
        if stream.stage != Stage::Open || !stream.outbox.is_empty() {
            return;
        }
        match &mut stream.kind {
            StreamKind::Events(cursor) => {
                let batch = self.event_log.batch(cursor, &self.cx.targets);
                if !batch.is_empty() {
                    self.write_stream(id, batch.into_bytes(), now);
                }
            }
            StreamKind::Answer { wait, .. } => {
                if let Some(response) = wait.reached(&self.cx.targets) {
                    self.answer(id, response, now);
                }
            }
        }
    }

    /// Responds to a client that waits for a state.
    fn answer(&mut self, id: ConnId, response: Response, now: Now) {
        let Some(ApiPeer::Stream(stream)) = self.api.get_mut(id) else { return };
        let StreamKind::Answer { head_only, http11, .. } = stream.kind else { return };
        stream.stage = Stage::Closing;
        let bytes = response.write(head_only, false, http11, self.date.at(now.unix));
        self.write_stream(id, bytes, now);
    }

    fn write_stream(&mut self, id: ConnId, bytes: Vec<u8>, now: Now) {
        let Some(stream) = self.stream(id) else { return };
        stream.outbox.push(bytes);
        self.cx.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
        self.cx.outputs.push_back(Output::Write(id));
    }

    fn stream(&mut self, id: ConnId) -> Option<&mut Stream> {
        match self.api.get_mut(id) {
            Some(ApiPeer::Stream(stream)) => Some(stream),
            _ => None,
        }
    }
}
