//! One query in flight: matches and decodes the replies on its socket.

use std::net::SocketAddr;
use std::time::Instant;

use crate::wire::dns::{Question, Reply};

use super::{QueryId, Transport};

pub(super) struct Query {
    pub(super) id: QueryId,
    pub(super) step: usize,
    pub(super) transport: Transport,
    pub(super) server: SocketAddr,
    pub(super) question: Question,
    pub(super) sent_at: Instant,
    /// Until when a negative answer of a later server waits for this query.
    pub(super) negative_wait_until: Instant,
    pub(super) expires: Instant,
    /// Bytes received over TCP: the length prefix and the answer.
    pub(super) stream: Vec<u8>,
}

impl Query {
    /// Handles a datagram or a piece of the stream. Returns `None` for incomplete and unmatched replies: the
    /// matching one may follow.
    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8]) -> Option<Reply> {
        match self.transport {
            Transport::Tcp => self.receive_piece(bytes),
            Transport::Udp if (from.ip(), from.port()) != (self.server.ip(), self.server.port()) => None,
            // Answers to multicast queries come from any host, but from this port (RFC 6762 section 6).
            Transport::Multicast if from.port() != self.server.port() => None,
            Transport::Udp | Transport::Multicast => {
                Some(self.question.read(bytes)).filter(|reply| *reply != Reply::Foreign)
            }
            Transport::Icmp { .. } => None,
        }
    }

    /// Over TCP a message follows its length in two bytes (RFC 1035 section 4.2.2), and has at most 64 KiB.
    fn receive_piece(&mut self, mut bytes: &[u8]) -> Option<Reply> {
        loop {
            let expected = match *self.stream {
                [high, low, ..] => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => 2,
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(expected - self.stream.len()));
            self.stream.extend_from_slice(piece);
            bytes = rest;
            if self.stream.len() < expected {
                return None;
            }
            if expected == 2 && self.stream != [0, 0] {
                continue; // The length is complete.
            }
            match self.question.read(self.stream.get(2..)?) {
                Reply::Foreign => self.stream.clear(),
                // Messages over TCP are never truncated.
                Reply::Truncated => return Some(Reply::Broken),
                reply => return Some(reply),
            }
        }
    }
}
