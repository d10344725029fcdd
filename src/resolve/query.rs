//! One query in flight: matches and decodes the replies on its socket.

use std::net::SocketAddr;
use std::time::Instant;

use crate::wire::dns::{MessageStream, Question, Reply};

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
    /// Used over TCP.
    pub(super) stream: MessageStream,
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
            Transport::HalfOpenTcp | Transport::Icmp { .. } => None,
        }
    }

    fn receive_piece(&mut self, mut bytes: &[u8]) -> Option<Reply> {
        while let Some(message) = self.stream.next(&mut bytes) {
            match self.question.read(message) {
                Reply::Foreign => {}
                // Messages over TCP are never truncated.
                Reply::Truncated => return Some(Reply::Broken),
                reply => return Some(reply),
            }
        }
        None
    }
}
