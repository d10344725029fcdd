//! The state of one API connection.
//!
//! ```text
//!  accept ─▶ Reading ─ last response ─▶ Closing ─ sent ─▶ Lingering ─ closed by the client ─▶ ×
//!             │   ▲                        ▲
//!             │   └ /metrics ─┐            │
//!             ├─ request ─▶ Waiting ─ /wait┤
//!             ├─ /heartbeat ─▶ ReadingBody ┘
//!             └─ /events ─▶ Streaming ─ too slow, or its target is removed ─▶ ×
//! ```
//!
//! While its outbox has unsent bytes, a connection in `Reading` reads no further request.

use std::time::{Duration, Instant};

use super::event_log::Cursor;
use super::limits::{CLIENT_RATE, CLIENT_STALL};
use super::outbox::Outbox;
use crate::api::client::Client;
use crate::api::wait::Wait;
use crate::wire::http::request::Request;
use crate::wire::http::request_body::RequestBody;

/// Bytes of a body that are read at once.
const BODY_ROOM: usize = 16 * 1024;

pub(super) struct ApiConn {
    pub(super) state: State,
    pub(super) client: Client,
    pub(super) outbox: Outbox,
    /// Counts as a stream, not as a client. Its request is its last one, and further bytes are ignored.
    pub(super) is_stream: bool,
    pub(super) read_closed: bool,
    pub(super) ignored: usize,
    /// When it was accepted or became a stream.
    pub(super) accepted_at: Instant,
    /// When its outbox was last sent completely, at first when it was accepted.
    pub(super) last_response_at: Instant,
    pub(super) response_queued_at: Instant,
    pub(super) head_deadline: Option<Instant>,
}

pub(super) struct Upload {
    pub(super) request: Request,
    pub(super) body: RequestBody,
}

pub(super) enum State {
    Reading,
    /// The response to this request waits for a state, or without one for the process statistics.
    Waiting {
        request: Request,
        wait: Option<Wait>,
    },
    Streaming(Cursor),
    /// The body of a heartbeat is being read.
    ReadingBody(Box<Upload>),
    Closing,
    /// The sending side is shut down. The connection stays open until the peer closes its side: an earlier
    /// close could reset it before the peer has read the response (RFC 9112 section 9.6).
    Lingering,
}

impl ApiConn {
    pub(super) fn new(now: Instant) -> Self {
        ApiConn {
            state: State::Reading,
            client: Client::new(),
            outbox: Outbox::default(),
            is_stream: false,
            read_closed: false,
            ignored: 0,
            accepted_at: now,
            last_response_at: now,
            response_queued_at: now,
            head_deadline: None,
        }
    }

    /// The response follows when the engine has what it needs for it.
    pub(super) fn await_response(&mut self, request: Request) {
        self.head_deadline = None;
        self.state = State::Waiting { request, wait: None };
    }

    pub(super) fn room(&self) -> usize {
        match self.state {
            _ if self.is_stream => usize::MAX,
            State::Lingering => usize::MAX,
            State::ReadingBody(_) => BODY_ROOM,
            State::Reading if self.outbox.is_empty() => self.client.room(),
            _ => 0,
        }
    }

    pub(super) fn send_deadline(&self, now: Instant) -> Instant {
        if self.is_stream {
            return now + CLIENT_STALL;
        }
        let span = Duration::from_secs((self.outbox.held() / CLIENT_RATE) as u64);
        (now + CLIENT_STALL).min(self.response_queued_at + CLIENT_STALL + span)
    }
}
