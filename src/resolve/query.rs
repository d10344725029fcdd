//! One query in flight: what comes back over its socket.

use std::net::SocketAddr;
use std::time::Instant;

use crate::wire::dns::{Question, Reply};

use super::{QueryId, Transport};

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
    /// What has arrived over TCP: the answer behind its length.
    pub(super) stream: Vec<u8>,
}

impl Query {
    /// Takes a datagram or a piece of the stream. `None`: nothing that matters, or not all yet.
    ///
    /// What does not match the question is ignored, however much there is: the right answer may follow.
    pub(super) fn receive(&mut self, from: SocketAddr, bytes: &[u8]) -> Option<Reply> {
        match self.transport {
            Transport::Tcp => self.receive_piece(bytes),
            Transport::Udp if (from.ip(), from.port()) != (self.server.ip(), self.server.port()) => None,
            // Answers to multicast queries come from any host, but from this port (RFC 6762 section 6).
            Transport::Multicast if from.port() != self.server.port() => None,
            Transport::Udp | Transport::Multicast => {
                Some(self.question.read(bytes)).filter(|reply| *reply != Reply::Foreign)
            }
        }
    }

    /// Over TCP a message follows its length in two bytes (RFC 1035 section 4.2.2), and has at most 64 KiB.
    fn receive_piece(&mut self, mut bytes: &[u8]) -> Option<Reply> {
        loop {
            let wanted = match *self.stream {
                [high, low, ..] => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => 2,
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(wanted - self.stream.len()));
            self.stream.extend_from_slice(piece);
            bytes = rest;
            if self.stream.len() < wanted {
                return None;
            }
            if wanted == 2 && self.stream != [0, 0] {
                continue; // The length has come.
            }
            match self.question.read(self.stream.get(2..)?) {
                Reply::Foreign => self.stream.clear(),
                // Nothing is too long for TCP.
                Reply::Truncated => return Some(Reply::Broken),
                reply => return Some(reply),
            }
        }
    }
}
