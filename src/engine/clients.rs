//! API clients: what each is owed, and how long it may take.

use std::time::{Duration, Instant};

use super::limits::*;
use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Owner};
use crate::api::client::{Client, Next};
use crate::api::response::Response;
use crate::api::response_cache::CacheKey;
use crate::api::routes::{Answer, ResponseSize, answer};
use crate::clock::Now;
use crate::wire::http::request::{Method, Request};

/// One API client's connection.
pub(super) struct Caller {
    client: Client,
    pub(super) outbox: Outbox,
    stage: Stage,
    /// The peer has ended its side; it may still read.
    ended: bool,
    /// That of what is in the outbox, or waits for room.
    pub(super) size: ResponseSize,
    /// A request whose answer waits for [`OWED_MAX`], or for the process to be measured.
    held: Option<Request>,
    pub(super) accepted_at: Instant,
    /// When it last got a whole answer, or came.
    pub(super) last_response_at: Instant,
    /// When the head it is sending must be complete.
    head_deadline: Option<Instant>,
    /// When the answer it is owed was made.
    pub(super) response_queued_at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Requests are read and answered.
    Open,
    /// The last answer is being sent.
    Closing,
    /// All is sent and the sending side ended: waiting for the peer to end its own, so that closing
    /// does not destroy the answer on its way (RFC 9112 section 9.6).
    Lingering,
}

impl Caller {
    /// Keeps a request that is answered later.
    pub(super) fn defer_request(&mut self, request: Request, size: ResponseSize) {
        (self.held, self.size) = (Some(request), size);
    }

    pub(super) fn take_held(&mut self) -> Option<(Request, ResponseSize)> {
        Some((self.held.take()?, self.size))
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// The memory of what it has sent and has not been answered, in bytes.
    #[cfg(test)]
    pub(super) fn inbox(&self) -> usize {
        self.client.held()
    }

    /// When the answer it is owed must be taken.
    fn send_deadline(&self) -> Instant {
        let slack_s = self.outbox.held() / CLIENT_RATE;
        self.response_queued_at + CLIENT_STALL + Duration::from_secs(slack_s as u64)
    }

    /// Whether it takes its answer more slowly than it may when others wait for it.
    fn is_slow(&self, now: Now) -> bool {
        let taken = self.outbox.held() - self.outbox.len();
        let span_s = now.instant.saturating_duration_since(self.response_queued_at).as_secs();
        !self.outbox.is_empty() && (taken as u64) < span_s.saturating_mul(CLIENT_RATE_WAITED_FOR as u64)
    }

    /// A client that is owed an answer is not read.
    pub(super) fn room(&self) -> usize {
        match self.stage {
            Stage::Lingering => usize::MAX,
            Stage::Open if self.outbox.is_empty() && self.held.is_none() => self.client.room(),
            Stage::Open | Stage::Closing => 0,
        }
    }
}

impl Engine {
    /// Takes a new API client in. If there are too many, the one that has been useless longest is
    /// closed for it.
    pub(crate) fn accept(&mut self, now: Now) -> ConnId {
        let now = self.update_clock(now);
        if self.clients >= CLIENTS_MAX {
            self.evict();
            self.release_held(now);
        }
        self.clients += 1;
        let id = self.add(Conn::Client(Box::new(Caller {
            client: Client::new(),
            outbox: Outbox::default(),
            stage: Stage::Open,
            ended: false,
            size: ResponseSize::Word,
            held: None,
            accepted_at: now.instant,
            last_response_at: now.instant,
            head_deadline: None,
            response_queued_at: now.instant,
        })));
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
        id
    }

    /// The client becomes a stream; says whether it has ended its side. `None` if it is gone.
    pub(super) fn leave_clients(&mut self, id: ConnId) -> Option<bool> {
        let ended = self.caller(id)?.ended;
        self.clients -= 1;
        Some(ended)
    }

    pub(super) fn handle_client(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(caller) = self.caller(id) else { return };
        match input {
            Input::Received(bytes) => {
                if caller.stage == Stage::Open {
                    caller.client.receive(bytes);
                    self.pump(id, now);
                }
            }
            Input::Closed => {
                caller.ended = true;
                match caller.stage {
                    Stage::Lingering => self.close(id),
                    Stage::Open => self.pump(id, now),
                    Stage::Closing => {}
                }
            }
            Input::Sent(count) => self.handle_sent(id, count, now),
            Input::Failed(_) => {
                self.drop_conn(id);
            }
            Input::Connected | Input::Datagram(..) => {}
        }
    }

    pub(super) fn handle_client_timeout(&mut self, id: ConnId, now: Now) {
        if self.make_way(id, now) {
            return;
        }
        let Some(caller) = self.caller(id) else { return };
        if caller.stage == Stage::Open && caller.outbox.is_empty() {
            let status = match (&caller.held, caller.head_deadline) {
                (Some(_), _) => Some(503),
                (None, Some(_)) => Some(408),
                (None, None) => None,
            };
            if let Some(status) = status {
                return self.refuse(id, status, now);
            }
        }
        self.close(id);
    }

    /// If this client has waited for others' answers to be taken, whoever is too slow about it gives way.
    /// Says whether that got the client its own.
    fn make_way(&mut self, id: ConnId, now: Now) -> bool {
        let waiting = self.caller(id).filter(|caller| caller.held.is_some());
        let Some(size) = waiting.map(|caller| caller.size) else { return false };
        let slow = self.conns.iter().filter_map(|(id, conn)| match conn {
            Conn::Client(caller) if caller.size == size && caller.is_slow(now) => {
                Some((caller.response_queued_at, id))
            }
            _ => None,
        });
        let Some((_, slowest)) = slow.min() else { return false };
        self.close(slowest);
        self.release_held(now);
        self.response_budget.is_measured_for(id)
            || self.caller(id).is_some_and(|caller| caller.held.is_none())
    }

    pub(super) fn caller(&mut self, id: ConnId) -> Option<&mut Caller> {
        match self.conns.get_mut(id) {
            Some(Conn::Client(caller)) => Some(caller),
            _ => None,
        }
    }

    /// Answers the next request, if it is here and nothing else is owed.
    fn pump(&mut self, id: ConnId, now: Now) {
        let Some(Conn::Client(caller)) = self.conns.get_mut(id) else { return };
        if caller.stage != Stage::Open || !caller.outbox.is_empty() || caller.held.is_some() {
            return;
        }
        let next = caller.client.next(&mut self.response_cache);
        if next == Next::Wait && caller.client.is_large() && self.heads() > HEADS_MAX {
            return self.refuse(id, 503, now);
        }
        let Some(caller) = self.caller(id) else { return };
        match next {
            Next::Request(request) => self.reply(id, request, now),
            Next::Again => self.repeat(id, now),
            Next::Refuse(status) => self.refuse(id, status, now),
            Next::Wait if caller.ended => self.close(id),
            Next::Wait if caller.client.is_idle() => {
                let idle_by = caller.last_response_at + CLIENT_IDLE;
                self.timers.set(Owner::Client(id), Some(idle_by));
            }
            Next::Wait => {
                let head_deadline = *caller.head_deadline.get_or_insert(now.instant + CLIENT_HEAD);
                self.timers.set(Owner::Client(id), Some(head_deadline));
            }
        }
    }

    /// Bytes of requests that have not been answered.
    fn heads(&self) -> usize {
        let clients = self.conns.iter().map(|(_, conn)| match conn {
            Conn::Client(caller) => caller.client.held(),
            _ => 0,
        });
        clients.sum()
    }

    fn reply(&mut self, id: ConnId, request: Request, now: Now) {
        let size = ResponseSize::of(&request, &self.fleet);
        if self.response_budget.is_full(size) {
            return self.wait_for_room(id, request, size, now);
        }
        let response = match answer(&request, &self.fleet, &self.guard, now) {
            Answer::Now(response) => response,
            Answer::Metrics => return self.await_process_stats(id, request, size, now),
            Answer::Wait(wait) => return self.open_wait(id, &request, wait, now),
            Answer::Events(wanted) => return self.open_stream(id, &request, &wanted, now),
        };
        self.respond(id, &request, size, response, now);
    }

    /// The client's request is answered once others have taken their answers.
    fn wait_for_room(&mut self, id: ConnId, request: Request, size: ResponseSize, now: Now) {
        let Some(caller) = self.caller(id) else { return };
        caller.defer_request(request, size);
        self.response_budget.wait(size, id);
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_IDLE));
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

    /// Answers the request that was answered last.
    fn repeat(&mut self, id: ConnId, now: Now) {
        let Some(request) = self.response_cache.request() else { return };
        match self.response_cache.answer(self.moment(now)) {
            Some(answer) => {
                self.send_response(id, ResponseSize::Word, answer.to_vec(), request.keep_alive, now)
            }
            None => self.reply(id, request.clone(), now),
        }
    }

    /// What words depend on.
    fn moment(&self, now: Now) -> CacheKey {
        CacheKey { second: now.unix.as_secs(), changes: self.fleet.changes() }
    }

    fn refuse(&mut self, id: ConnId, status: u16, now: Now) {
        let bytes = Response::error(status).write(false, false, true, self.date.at(now.unix));
        self.response_budget.leave(id);
        let Some(caller) = self.caller(id) else { return };
        caller.client = Client::new();
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
        let Some(caller) = self.caller(id) else { return };
        caller.held = None;
        caller.head_deadline = None;
        if !keep {
            caller.stage = Stage::Closing;
        }
        caller.response_queued_at = now.instant;
        caller.size = size;
        caller.outbox.push(bytes);
        self.response_budget.add(size, len);
        self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_STALL));
        self.outputs.push_back(Output::Write(id));
    }

    fn handle_sent(&mut self, id: ConnId, count: usize, now: Now) {
        let Some(caller) = self.caller(id) else { return };
        let held = caller.outbox.held();
        caller.outbox.advance(count);
        if !caller.outbox.is_empty() {
            let stall_by = (now.instant + CLIENT_STALL).min(caller.send_deadline());
            self.timers.set(Owner::Client(id), Some(stall_by));
            return;
        }
        caller.last_response_at = now.instant;
        let (stage, ended, size) = (caller.stage, caller.ended, caller.size);
        self.response_budget.sub(size, held);
        match stage {
            Stage::Open => {
                self.pump(id, now);
                if self.room(id) > 0 {
                    self.outputs.push_back(Output::Read(id));
                }
            }
            Stage::Closing if ended => self.close(id),
            Stage::Closing => {
                if let Some(caller) = self.caller(id) {
                    caller.stage = Stage::Lingering;
                }
                self.outputs.push_back(Output::Shutdown(id));
                self.outputs.push_back(Output::Read(id));
                self.timers.set(Owner::Client(id), Some(now.instant + CLIENT_LINGER));
            }
            Stage::Lingering => {}
        }
    }

    /// Answers the clients that waited for others' answers to be sent.
    pub(super) fn release_held(&mut self, now: Now) {
        while let Some(id) = self.response_budget.next() {
            if let Some((request, _)) = self.caller(id).and_then(Caller::take_held) {
                self.reply(id, request, now);
            }
        }
    }
}
