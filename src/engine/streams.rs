//! API clients that are told of what comes: streams of events, and those that wait for a state.
//!
//! They have a limit of their own. Each holds one small batch of what it has not taken and a place in the
//! journal; a client that falls behind so far that the journal forgets is told how much it missed.
//!
//! A client may end its side after the request and still read: that alone does not say that it is gone.
//! If it is, its system answers the next bytes, or TCP's keep-alive, with a reset.

use std::time::Instant;

use super::event_log::Cursor;
use super::limits::*;
use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Owner};
use crate::api::events::{self, KEEP_ALIVE, Subscription};
use crate::api::params::no_target;
use crate::api::response::Response;
use crate::api::routes::ResponseSize;
use crate::api::wait::Wait;
use crate::clock::Now;
use crate::fsm::Change;
use crate::monitor::Moved;
use crate::wire::http::request::{Method, Request};

/// The connection of a client that is told of what comes.
pub(super) struct Stream {
    wish: Wish,
    pub(super) outbox: Outbox,
    stage: Stage,
    /// The peer has ended its side; it may still read.
    ended: bool,
    pub(super) accepted_at: Instant,
    /// When it had last taken all that there was, or came.
    pub(super) since: Instant,
    /// Bytes that it has sent since: there is nothing left for it to say.
    heard: usize,
}

/// What it is told.
enum Wish {
    Events(Cursor),
    /// One answer, in the form that it was asked for.
    Answer {
        wait: Wait,
        head_only: bool,
        http11: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The answer is being sent.
    Closing,
    /// It is sent: waiting for the peer to end its side, as with any client.
    Lingering,
}

impl Engine {
    /// Notes the end of a check for those who want to be told.
    pub(super) fn note_check(&mut self, target: usize, change: Option<&Change>, now: Now) {
        let fsm = self.fleet.watch(target).fsm();
        let Some(last) = fsm.last() else { return };
        if self.event_log.note(target, last, change, fsm.state()) && !self.streams.is_empty() {
            self.news = Some(now);
        }
    }

    /// Tells the clients what they can take of the news.
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
            return self.send_response(id, ResponseSize::Word, opening, false, now);
        }
        let wish = Wish::Events(self.event_log.cursor(wanted));
        if self.take_seat(id, request, wish, now) {
            self.event_log.keep(wanted);
            self.write_stream(id, opening, now);
        }
    }

    /// Answers at once if the state is reached or nothing is to be waited for.
    #[cold]
    pub(super) fn open_wait(&mut self, id: ConnId, request: &Request, wait: Wait, now: Now) {
        let head_only = request.method == Method::Head;
        let at_once =
            wait.reached(&self.fleet).or_else(|| wait.timeout.is_zero().then(|| wait.gave_up(&self.fleet)));
        if let Some(response) = at_once {
            let bytes = response.write(head_only, false, request.http11, self.date.at(now.unix));
            return self.send_response(id, ResponseSize::Word, bytes, false, now);
        }
        let until = now.instant + wait.timeout;
        let wish = Wish::Answer { wait, head_only, http11: request.http11 };
        if self.take_seat(id, request, wish, now) {
            self.timers.set(Owner::Client(id), Some(until));
        }
    }

    /// Makes a stream of a client, if it is still there. If there are too many, the one that has gone
    /// longest without news is evicted; if all of them have just come, there is no room.
    fn take_seat(&mut self, id: ConnId, request: &Request, wish: Wish, now: Now) -> bool {
        if self.streams.len() >= STREAMS_MAX {
            let Some(least_useful_client) = self.least_useful_client(false, true) else {
                let response = Response { body: "too many streams\n".into(), ..Response::error(503) };
                let head_only = request.method == Method::Head;
                let bytes = response.write(head_only, false, request.http11, self.date.at(now.unix));
                self.send_response(id, ResponseSize::Word, bytes, false, now);
                return false;
            };
            self.close(least_useful_client);
        }
        let Some(ended) = self.leave_clients(id) else { return false };
        let stream = Stream {
            wish,
            outbox: Outbox::default(),
            stage: Stage::Open,
            ended,
            accepted_at: now.instant,
            since: now.instant,
            heard: 0,
        };
        self.conns.insert(id, Conn::Stream(Box::new(stream)));
        self.streams.push(id);
        self.outputs.push_back(Output::Read(id));
        true
    }

    /// Other targets are watched now. Who waits for one that is gone waits for that of its name, or for
    /// nothing any more.
    pub(super) fn move_wishes(&mut self, moved: &Moved, now: Now) {
        for id in self.streams.clone() {
            let Some(Conn::Stream(stream)) = self.conns.get_mut(id) else { continue };
            match &mut stream.wish {
                _ if stream.stage != Stage::Open => {}
                Wish::Events(cursor) => {
                    if !cursor.remap(moved) {
                        self.close(id);
                    }
                }
                Wish::Answer { wait, .. } => {
                    if let Some(before) = wait.target {
                        wait.target = moved.named[before];
                        if wait.target.is_none() {
                            self.answer(id, no_target(), now);
                        }
                    }
                }
            }
        }
        self.news = (!self.streams.is_empty()).then_some(now);
    }

    #[cold]
    pub(super) fn handle_stream(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(stream) = self.stream(id) else { return };
        match input {
            Input::Received(bytes) => {
                stream.heard = stream.heard.saturating_add(bytes.len());
                if stream.heard > STREAM_INPUT_MAX {
                    self.close(id);
                }
            }
            Input::Closed if stream.stage == Stage::Lingering => self.close(id),
            Input::Closed => stream.ended = true,
            Input::Sent(count) => {
                stream.outbox.advance(count);
                if !stream.outbox.is_empty() {
                    self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
                    return;
                }
                stream.since = now.instant;
                match stream.stage {
                    Stage::Open => {
                        self.timers.set(Owner::Client(id), Some(now.instant + STREAM_KEEP_ALIVE));
                        self.refill(id, now);
                    }
                    Stage::Closing if stream.ended => self.close(id),
                    Stage::Closing => {
                        stream.stage = Stage::Lingering;
                        self.outputs.push_back(Output::Shutdown(id));
                        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_LINGER));
                    }
                    Stage::Lingering => {}
                }
            }
            Input::Failed(_) => {
                self.drop_conn(id);
            }
            Input::Connected | Input::Datagram(..) => {}
        }
    }

    /// It takes nothing, has heard nothing for long, or waits no longer.
    #[cold]
    pub(super) fn handle_stream_timeout(&mut self, id: ConnId, now: Now) {
        let Some(Conn::Stream(stream)) = self.conns.get(id) else { return };
        if stream.stage != Stage::Open || !stream.outbox.is_empty() {
            return self.close(id);
        }
        match &stream.wish {
            Wish::Events(_) => self.write_stream(id, KEEP_ALIVE.into(), now),
            Wish::Answer { wait, .. } => {
                // It may have been reached in this very turn.
                let response = wait.reached(&self.fleet).unwrap_or_else(|| wait.gave_up(&self.fleet));
                self.answer(id, response, now);
            }
        }
    }

    /// Hands a stream what there is for it, once it has taken what there was.
    #[cold]
    fn refill(&mut self, id: ConnId, now: Now) {
        let Some(Conn::Stream(stream)) = self.conns.get_mut(id) else { return };
        if stream.stage != Stage::Open || !stream.outbox.is_empty() {
            return;
        }
        match &mut stream.wish {
            Wish::Events(cursor) => {
                let batch = self.event_log.batch(cursor, &self.fleet);
                if !batch.is_empty() {
                    self.write_stream(id, batch.into_bytes(), now);
                }
            }
            Wish::Answer { wait, .. } => {
                if let Some(response) = wait.reached(&self.fleet) {
                    self.answer(id, response, now);
                }
            }
        }
    }

    /// The end of waiting.
    fn answer(&mut self, id: ConnId, response: Response, now: Now) {
        let Some(Conn::Stream(stream)) = self.conns.get_mut(id) else { return };
        let Wish::Answer { head_only, http11, .. } = stream.wish else { return };
        stream.stage = Stage::Closing;
        let bytes = response.write(head_only, false, http11, self.date.at(now.unix));
        self.write_stream(id, bytes, now);
    }

    fn write_stream(&mut self, id: ConnId, bytes: Vec<u8>, now: Now) {
        let Some(stream) = self.stream(id) else { return };
        stream.outbox.push(bytes);
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
        self.outputs.push_back(Output::Write(id));
    }

    fn stream(&mut self, id: ConnId) -> Option<&mut Stream> {
        match self.conns.get_mut(id) {
            Some(Conn::Stream(stream)) => Some(stream),
            _ => None,
        }
    }
}
