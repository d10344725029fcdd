//! One query in flight: what comes back over its socket.

use std::net::SocketAddr;
use std::time::Instant;

use crate::wire::dns::{Question, Reply};

use super::{QueryId, Transport};

/// How many datagrams that answer something else a query puts up with.
const STRAYS_MAX: u8 = 32;
/// The longest answer read over TCP, in bytes: room for hundreds of addresses.
const TCP_ANSWER_MAX: usize = 16 * 1024;

/// One query in flight.
pub(super) struct Query {
    pub(super) id: QueryId,
    /// Its place in the order in which servers are asked.
    pub(super) step: usize,
    pub(super) transport: Transport,
    pub(super) server: SocketAddr,
    pub(super) question: Question,
    pub(super) asked: Instant,
    /// Until when a denial by a server that was asked later has to wait for this answer.
    pub(super) heeded_until: Instant,
    /// When it is given up.
    pub(super) expires: Instant,
    pub(super) strays: u8,
    /// What has arrived over TCP: the answer behind its length.
    pub(super) stream: Vec<u8>,
}

impl Query {
    /// Takes a datagram or a piece of the stream. `None`: nothing that matters, or not all yet.
    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8]) -> Option<Reply> {
        match self.transport {
            Transport::Tcp => self.receive_piece(bytes),
            Transport::Udp if (from.ip(), from.port()) != (self.server.ip(), self.server.port()) => {
                self.stray()
            }
            // Answers to multicast queries come from anybody, but from this port (RFC 6762 section 6).
            Transport::Multicast if from.port() != self.server.port() => self.stray(),
            Transport::Udp | Transport::Multicast => match self.question.read(bytes) {
                Reply::Foreign => self.stray(),
                reply => Some(reply),
            },
        }
    }

    /// Ignores a datagram, unless there have been so many that somebody is guessing.
    fn stray(&mut self) -> Option<Reply> {
        self.strays = self.strays.saturating_add(1);
        (self.strays > STRAYS_MAX).then_some(Reply::Broken)
    }

    /// Over TCP an answer follows its length in two bytes (RFC 1035 section 4.2.2).
    fn receive_piece(&mut self, mut bytes: &[u8]) -> Option<Reply> {
        loop {
            let wanted = match *self.stream {
                [high, low, ..] => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => 2,
            };
            if wanted > 2 + TCP_ANSWER_MAX {
                return Some(Reply::Broken);
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(wanted - self.stream.len()));
            self.stream.extend_from_slice(piece);
            bytes = rest;
            if self.stream.len() < wanted {
                return None;
            }
            if wanted > 2 || self.stream == [0, 0] {
                break;
            }
        }
        match self.question.read(self.stream.get(2..)?) {
            // Nothing else was asked over this connection, and nothing is too long for it.
            Reply::Foreign | Reply::Truncated => Some(Reply::Broken),
            reply => Some(reply),
        }
    }
}
